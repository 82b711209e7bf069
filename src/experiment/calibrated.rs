//! A measured set-up in place of the assumed one.

use super::Experiment;
use crate::calibrate::{Bench, Calibration};
use crate::optics::Length;
use crate::twin::ConfigError;

impl Experiment {
    /// Takes the imperfections of a calibration in place of its own. `origin` is the calibration's file.
    ///
    /// # Errors
    /// [`ConfigError::Value`] with both values for a calibration of another bench.
    pub fn calibrate(&mut self, calibration: &Calibration, origin: &str) -> Result<(), ConfigError> {
        if let Some(bench) = &calibration.bench {
            self.check_bench(bench, origin)?;
        }
        self.imperfections = calibration.imperfections.clone();
        Ok(())
    }

    fn check_bench(&self, bench: &Bench, origin: &str) -> Result<(), ConfigError> {
        let o = &self.optics;
        let (pixels, pitch) = (o.pixels.both(), o.pitch.both());
        let near = |a: Length, b: Length| (a.0 - b.0).abs() <= 1e-6 * b.0.abs();
        let pair = |[y, x]: [Length; 2]| format!("[{y}, {x}]");
        let facts = [
            (
                "wavelength",
                near(bench.wavelength, o.wavelength),
                bench.wavelength.to_string(),
                o.wavelength.to_string(),
            ),
            ("pixels", bench.pixels == pixels, format!("{:?}", bench.pixels), format!("{pixels:?}")),
            (
                "pitch",
                near(bench.pitch[0], pitch[0]) && near(bench.pitch[1], pitch[1]),
                pair(bench.pitch),
                pair(pitch),
            ),
            ("layers", bench.layers == o.layers, bench.layers.to_string(), o.layers.to_string()),
            (
                "distance",
                near(bench.distance, o.distance),
                bench.distance.to_string(),
                o.distance.to_string(),
            ),
        ];
        match facts.into_iter().find(|(_, same, ..)| !same) {
            None => Ok(()),
            Some((key, _, theirs, ours)) => Err(ConfigError::Value {
                key: format!("{origin}: bench.{key}"),
                value: theirs,
                problem: format!(
                    "the experiment's optics.{key} is {ours}; calibrate this bench, or set optics.{key} to the calibrated one"
                ),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imperfections_are_replaced_and_other_benches_refused() {
        let text = "[bench]\nwavelength = '532 nm'\npixels = [128, 128]\npitch = ['25 um', '25 um']\nlayers = 4\n\
                    distance = '0.388 m'\n[imperfections.layer.2]\naxial = '2 mm'";
        let calibration: Calibration = toml::from_str(text).unwrap();
        let mut experiment = Experiment::default();
        experiment.calibrate(&calibration, "c.toml").unwrap();
        assert_eq!(experiment.imperfections, calibration.imperfections);
        assert_eq!(experiment.imperfections.preset, None);
        experiment.optics.wavelength = Length(633e-9);
        let message = experiment.calibrate(&calibration, "c.toml").unwrap_err().to_string();
        for part in ["c.toml: bench.wavelength = 532 nm", "optics.wavelength is 633 nm"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
