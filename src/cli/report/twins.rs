//! The twins that frames and fields are compared with: nominal, and calibrated where there is a calibration.

use std::path::Path;

use ndarray::Array2;

use crate::calibrate::estimate::wavefront::own_terms;
use crate::calibrate::{self, Calibration, Imperfections, Predictor, Response};
use crate::cli::args::{Common, Report};
use crate::engine;
use crate::experiment;
use crate::measure::Measurement;
use crate::optics::Field;
use crate::twin::{ConfigError, OpticsConfig};

/// What an experiment says of the bench.
#[derive(Default)]
pub(super) struct Given {
    /// `[optics]`, where there is an experiment.
    pub(super) optics: Option<OpticsConfig>,
    /// `[imperfections]`, presets resolved, where its file has the table: what stands for a missing one is of training alone.
    pub(super) imperfections: Option<Imperfections>,
}

impl Given {
    /// Reads the experiment of `--twin`.
    pub(super) fn read(path: &Path, common: &Common) -> anyhow::Result<Self> {
        let experiment = crate::cli::train::experiment(Some(path), &[], None, common)?;
        let text: toml::Table = experiment::read_text(path)?.parse().unwrap_or_default();
        let imperfections = match text.contains_key("imperfections") {
            true => Some(calibrate::resolve(&experiment.imperfections).map_err(ConfigError::from)?),
            false => None,
        };
        // Draws are those of the experiment's own twin.
        let seeded = |i: Imperfections| Imperfections { seed: i.seed.or(Some(experiment.seed)), ..i };
        Ok(Self { imperfections: imperfections.map(seeded), optics: Some(experiment.optics) })
    }
}

/// The twins of a bench by name: with what is given, and with a calibration over it.
pub(super) fn twins(
    given: &Given,
    calibration: Option<&Calibration>,
    layers: usize,
) -> anyhow::Result<Vec<(&'static str, Calibration)>> {
    let imperfections = given.imperfections.clone().unwrap_or_default();
    // The camera's gain is no error of alignment: the nominal twin has it, too.
    let gain = calibration.and_then(|c| c.response).map(|r| Response { blur: 0.0, ..r });
    let nominal =
        Calibration { response: gain, imperfections: imperfections.clone(), ..Calibration::default() };
    let mut all = vec![("nominal twin", nominal)];
    if let Some(calibration) = calibration {
        let own = calibrate::resolve(&calibration.imperfections).map_err(ConfigError::from)?;
        let over = own.over(&imperfections, layers);
        all.push(("calibrated twin", Calibration { imperfections: over, ..calibration.clone() }));
    }
    Ok(all)
}

/// What a twin predicts.
pub(super) struct Predicted {
    pub(super) name: &'static str,
    /// Counts above the offset, of the frames asked for.
    pub(super) frames: Vec<Array2<f64>>,
    /// Of the fields asked for.
    pub(super) fields: Vec<Field>,
    /// Noll 1, 2, .. over the camera: the terms that a reference may have.
    pub(super) basis: Vec<Array2<f64>>,
    /// Camera pixels that the twin knows.
    pub(super) inside: Array2<bool>,
}

impl Predicted {
    /// Frames and fields (by the number of a frame) as a twin has them.
    pub(super) fn new(
        m: &Measurement,
        (name, calibration): &(&'static str, Calibration),
        frames: &[usize],
        fields: &[usize],
        args: &Report,
    ) -> anyhow::Result<Self> {
        let engine = engine::open(&args.device.device, args.device.threads)?;
        let mut predictor = Predictor::new(&m.config, calibration, engine)?;
        let offset = calibration.response.map_or(0.0, |r| r.offset);
        let counts = predictor.predict(m, frames)?.into_iter().map(|p| p.counts - offset).collect();
        let fields = predictor.fields(m, fields)?;
        let basis = (1..=own_terms(m)).map(|j| predictor.wavefront(&[(j, 1.0)]));
        let basis = basis.collect::<Result<_, ConfigError>>()?;
        Ok(Self { name, frames: counts, fields, basis, inside: predictor.inside() })
    }
}
