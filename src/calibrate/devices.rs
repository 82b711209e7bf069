//! What frames say of single devices, before the twin is fitted: the modulator's phases from a sweep, the camera from its
//! photon-transfer curve.

use super::estimate::{Choice, Swept};
use super::response::{self, PhaseTable, PhotonTransfer, Power, ResponseError};
use super::{Calibration, Estimate, LayerErrors};
use crate::measure::{Measurement, Role};

/// What is known of the devices.
#[derive(Clone, Debug, Default)]
pub struct Devices {
    /// Layer and table of every sweep, ascending.
    pub tables: Vec<(usize, PhaseTable)>,
    /// The camera, where pairs of evenly lit frames were recorded.
    pub camera: Option<PhotonTransfer>,
}

/// Reads the frames of role `sweep` and `photon-transfer`, where there are any.
///
/// # Errors
/// Frames of these roles that say nothing.
pub fn devices(m: &Measurement) -> Result<Devices, ResponseError> {
    let any = |role: Role| m.config.frames.iter().any(|f| f.role == role);
    let mut found = Devices::default();
    if any(Role::Sweep) {
        let tables = response::sweeps(m, [1, 1])?;
        found.tables = tables.into_iter().map(|t| (t.layer, t.table)).collect();
        found.tables.sort_by_key(|(layer, _)| *layer);
    }
    if any(Role::PhotonTransfer) {
        found.camera = Some(response::camera(m)?);
    }
    Ok(found)
}

impl Devices {
    /// Puts phase responses into a calibration: of a layer its own sweep's, of layers without one that of the first sweep (one
    /// device that is used once per layer). A sweep that a power law explains becomes range and gamma, another one from gray 0
    /// to 255 a look-up table, a shorter one range and gamma as well as these can.
    ///
    /// # Errors
    /// A sweep that is neither.
    pub fn respond(&self, c: &mut Calibration) -> Result<(), ResponseError> {
        if let Some((_, first)) = self.tables.first() {
            fill(&mut c.imperfections.all, first)?;
        }
        for (layer, table) in &self.tables {
            fill(c.imperfections.layer.entry(layer.to_string()).or_default(), table)?;
        }
        Ok(())
    }

    /// What a fit of the twin is to do with the phase responses: they begin as the sweeps say, and are as well known. Frames tell
    /// more, and a response that is taken for certain leaves its noise to what looks like it, the fill factor first.
    pub fn choose(&self, choice: &mut Choice, layers: usize) {
        for layer in 1..=layers {
            let own = self.tables.iter().find(|(l, _)| *l == layer).or_else(|| self.tables.first());
            if let Some(Ok(response)) = own.map(|(_, table)| Response::of(table)) {
                choice.response.insert(layer, response.swept());
            }
        }
    }

    /// Puts what is known of the devices beside what was fitted.
    pub fn complete(&self, c: &mut Calibration) {
        if let (Some(camera), Some(response)) = (&self.camera, &mut c.response) {
            response.electrons_per_count = Some(camera.electrons_per_count.value);
        }
        c.estimates.splice(0..0, self.estimates());
    }

    /// Everything as numbers with their uncertainty.
    fn estimates(&self) -> Vec<Estimate> {
        let mut all = Vec::new();
        let mut add = |key: String, value: f64, sigma: f64, unit: &str, from: String| {
            all.push(Estimate { key, value, sigma, unit: unit.into(), from });
        };
        for (layer, table) in &self.tables {
            let from = format!("sweep of {} gray values", table.gray.len());
            // What the sweep alone says; the calibration has the table, or what the fit made of the law.
            if let Ok(law) = table.power() {
                let key = |name: &str| format!("sweep.layer.{layer}.{name}");
                add(key("range"), law.range, law.range_sigma, "1", from.clone());
                add(key("gamma"), law.gamma, law.gamma_sigma, "1", from);
            }
        }
        if let Some(camera) = &self.camera {
            let from = format!("photon transfer, {} pairs", camera.used);
            let numbers = [
                ("electrons_per_count", camera.electrons_per_count, "1"),
                ("read_noise", camera.read_noise, "electron"),
                ("offset", camera.offset, "count"),
            ];
            for (name, number, unit) in numbers {
                add(format!("camera.{name}"), number.value, number.sigma, unit, from.clone());
            }
            if let Some([_, electrons]) = camera.saturation {
                // Read off where variances break down: to the nearest pair.
                add("camera.full_well".into(), electrons, 0.05 * electrons, "electron", from);
            }
        }
        all
    }
}

/// What a sweep says of a layer.
enum Response {
    Law(Power),
    /// Phases from gray 0 to 256, and the smooth table that they are of.
    Table(Vec<f64>, PhaseTable),
}

impl Response {
    /// A power law where it explains the sweep, a look-up table where it does not and the sweep is long enough for one.
    fn of(table: &PhaseTable) -> Result<Self, ResponseError> {
        let law = table.power();
        if law.as_ref().is_ok_and(Power::holds) {
            return law.map(Self::Law);
        }
        let smooth = table.clone().smooth();
        match smooth.lut() {
            Ok(lut) => Ok(Self::Table(lut, smooth)),
            Err(_) => law.map(Self::Law),
        }
    }

    fn swept(&self) -> Swept {
        match self {
            Self::Law(law) => Swept::Law { range: law.range_sigma, gamma: law.gamma_sigma },
            Self::Table(_, table) => Swept::Table(Swept::grays().map(|g| table.sigma_at(g)).collect()),
        }
    }
}

fn fill(e: &mut LayerErrors, table: &PhaseTable) -> Result<(), ResponseError> {
    match Response::of(table)? {
        Response::Law(law) => (e.lut, e.range, e.gamma) = (None, Some(law.range), Some(law.gamma)),
        Response::Table(lut, _) => (e.lut, e.range, e.gamma) = (Some(lut), None, None),
    }
    Ok(())
}
