//! An experiment file: the optical system, the data, the training.

use serde::{Deserialize, Serialize};

use crate::calibrate::Imperfections;
use crate::data::DataSet;
use crate::engine::Store;
use crate::train::{LaboratoryConfig, TrainConfig};
use crate::twin::{
    ConfigError, DetectorConfig, HardwareConfig, InputConfig, LossConfig, OpticsConfig, SourceConfig,
    SystemConfig,
};

/// The embedded default experiment.
pub const DEFAULT: &str = include_str!("../../assets/default.toml");

/// Everything a run depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Experiment {
    /// Name, part of the run folder's.
    pub name: String,
    /// Seed of everything random.
    pub seed: u64,
    /// `[data]`.
    pub data: DataConfig,
    /// `[optics]`.
    pub optics: OpticsConfig,
    /// `[source]`.
    pub source: SourceConfig,
    /// `[input]`.
    pub input: InputConfig,
    /// `[detectors]`.
    pub detectors: DetectorConfig,
    /// `[loss]`.
    pub loss: LossConfig,
    /// `[hardware]`.
    pub hardware: HardwareConfig,
    /// `[imperfections]`.
    pub imperfections: Imperfections,
    /// `[train]`.
    pub train: TrainConfig,
    /// `[laboratory]`.
    pub laboratory: LaboratoryConfig,
    /// `[engine]`.
    pub engine: EngineConfig,
}

impl Default for Experiment {
    fn default() -> Self {
        Self {
            name: "experiment".into(),
            seed: 1,
            data: DataConfig::default(),
            optics: OpticsConfig::default(),
            source: SourceConfig::default(),
            input: InputConfig::default(),
            detectors: DetectorConfig::default(),
            loss: LossConfig::default(),
            hardware: HardwareConfig::default(),
            imperfections: Imperfections { preset: Some("bench".into()), ..Imperfections::default() },
            train: TrainConfig::default(),
            laboratory: LaboratoryConfig::default(),
            engine: EngineConfig::default(),
        }
    }
}

/// `[data]`: which images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// `strokes` (built in), `mnist`, `fashion-mnist`, or a folder.
    pub source: String,
    /// Training images at most (the first of the set).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<usize>,
    /// Test images at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<usize>,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { source: "strokes".into(), train: None, test: None }
    }
}

/// `[engine]`: how the engine computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// `f32`, or `f16`: recorded fields wait for the error pass in half precision.
    pub store: Store,
}

impl Experiment {
    /// The tables that describe the optical system.
    pub fn system(&self) -> SystemConfig {
        SystemConfig {
            optics: self.optics.clone(),
            source: self.source,
            input: self.input,
            detectors: self.detectors.clone(),
            loss: self.loss,
            hardware: self.hardware,
            imperfections: self.imperfections.clone(),
        }
    }

    /// Refuses images that cannot be trained on: every class needs a detector, every detector a class.
    ///
    /// # Errors
    /// [`ConfigError::Value`] with both numbers.
    pub fn check_training_data(&self, data: &DataSet) -> Result<(), ConfigError> {
        match data.classes.len() == self.detectors.count() {
            true => Ok(()),
            false => Err(self.classes_differ(data)),
        }
    }

    /// Refuses images of classes that have no detector.
    ///
    /// # Errors
    /// [`ConfigError::Value`] with both numbers.
    pub fn check_test_data(&self, data: &DataSet) -> Result<(), ConfigError> {
        match data.classes.len() <= self.detectors.count() {
            true => Ok(()),
            false => Err(self.classes_differ(data)),
        }
    }

    fn classes_differ(&self, data: &DataSet) -> ConfigError {
        let classes = data.classes.len();
        ConfigError::Value {
            key: "detectors.classes".into(),
            value: self.detectors.count().to_string(),
            problem: format!("data set {:?} has {classes} classes; train with as many", data.name),
        }
    }

    /// Samples that run at once at most: a batch, but no more than there are images.
    pub fn batch(&self, data: &DataSet) -> usize {
        self.train.batch.min(data.train.len().max(data.test.len()))
    }

    /// The whole file, as it reads back.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::settings;

    #[test]
    fn the_store_is_f32_or_f16() {
        let read = |text: &str| settings::<Experiment>(text, "test", &[]);
        assert_eq!(read("").unwrap().engine.store, Store::F32);
        let half = read("[engine]\nstore = \"f16\"").unwrap();
        assert_eq!(half.engine.store, Store::F16);
        assert_eq!(read(&half.to_toml()).unwrap(), half);
        let error = read("[engine]\nstore = \"f17\"").unwrap_err().to_string();
        assert!(error.contains("engine.store") && error.contains("f16"), "{error}");
        let error = read("[engine]\nstores = \"f16\"").unwrap_err().to_string();
        assert!(error.contains("engine.stores"), "{error}");
    }

    #[test]
    fn the_default_experiment_reads_and_reads_back() {
        let read: Experiment = settings(DEFAULT, "default", &[]).unwrap();
        assert_eq!(settings::<Experiment>(&read.to_toml(), "written", &[]).unwrap(), read);
        assert_eq!(read.imperfections.preset.as_deref(), Some("bench"));
    }
}
