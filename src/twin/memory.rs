//! What compiling takes, counted before anything is allocated.

use super::config::SystemConfig;
use super::errors::ConfigError;
use super::loss::LossConfig;
use crate::calibrate::LayerErrors;
use crate::engine;

/// Bytes of a real number in `f64`.
const REAL: u64 = 8;
/// Bytes of a complex number in `f64`.
const COMPLEX: u64 = 16;

/// Refuses a system whose arrays the main memory cannot hold.
pub(super) fn check(
    config: &SystemConfig,
    padded: [usize; 2],
    layers: &[LayerErrors],
) -> Result<(), ConfigError> {
    Ok(engine::host_memory("the main memory", needed(config, padded, layers))?)
}

/// Bytes of transfer functions, source, factors of masks and cameras, targets. Sizes are limited: nothing overflows.
fn needed(config: &SystemConfig, padded: [usize; 2], layers: &[LayerErrors]) -> u64 {
    let pixels: u64 = config.optics.pixels.both().iter().map(|&n| n as u64).product();
    let points: u64 = padded.iter().map(|&n| n as u64).product();
    let mut spaces = Vec::new();
    let (mut factors, mut stretched) = (1, 0);
    for e in layers {
        let space = (e.axial, e.shift, e.pupil_aberration.as_ref(), e.aperture);
        if !spaces.contains(&space) {
            spaces.push(space);
        }
        let lit = e.illumination.is_some() || e.modulator_edge.is_some();
        factors += u64::from(e.modulator_aberration.is_some() || lit);
        stretched += u64::from(e.range_map.is_some());
        factors += u64::from(e.camera_aberration.is_some() || e.camera_edge.is_some());
    }
    // One command and its two moments, single precision.
    let kinds = (1..=layers.len()).map(|layer| config.masks.kind_of(layer));
    let masks = kinds.map(|kind| if kind.has_amplitude() { 24 } else { 12 }).sum::<u64>();
    let targets = match config.loss {
        LossConfig::Mse { .. } => 4 * config.detectors.count() as u64,
        LossConfig::CrossEntropy { .. } => 0,
    };
    spaces.len() as u64 * points * COMPLEX + pixels * (factors * COMPLEX + stretched * REAL + masks + targets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optics::Length;
    use crate::twin::{OpticsConfig, Pair};

    fn config(pixels: usize) -> SystemConfig {
        SystemConfig {
            optics: OpticsConfig { pixels: Pair::One(pixels), ..OpticsConfig::default() },
            ..SystemConfig::default()
        }
    }

    #[test]
    fn equal_spaces_count_once() {
        let mut layers = vec![LayerErrors::default(); 3];
        let same = needed(&config(8), [16, 16], &layers);
        assert_eq!(same, 256 * 16 + 64 * (16 + 36));
        layers[1].axial = Some(Length(1e-3));
        assert_eq!(needed(&config(8), [16, 16], &layers) - same, 256 * 16);
    }

    /// Other systems do not say how much memory there is.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_petabyte_is_refused() {
        let message =
            check(&config(1 << 14), [1 << 24, 1 << 24], &[LayerErrors::default()]).unwrap_err().to_string();
        assert!(message.contains("bytes are needed") && message.contains("optics.pixels"), "{message}");
    }
}
