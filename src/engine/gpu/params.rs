//! What a dispatch is told; twin of `shaders/shared/params.wgsl`.

use std::f64::consts::TAU;

use bytemuck::{Pod, Zeroable};

use crate::engine::{Activation, ActivationKind, Camera, Encoding, Loss, Modulator, Program, Update};

/// Bytes between the parameters of two dispatches: the largest alignment of uniform offsets that WebGPU allows.
pub(super) const SLOT: u64 = 256;

/// Parameters of a dispatch. Field by field the struct of the shader.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Params {
    pub(super) key: [u32; 2],
    pub(super) stage: u32,
    pub(super) offset: u32,
    pub(super) first: u32,
    pub(super) count: u32,
    pub(super) groups: u32,
    pub(super) fresh: u32,
    pub(super) runs: u32,
    pub(super) passes: u32,
    pub(super) level: f32,
    pub(super) weight: f32,
    pub(super) range: f32,
    pub(super) scale: f32,
    pub(super) electrons: f32,
    pub(super) reference: f32,
    pub(super) read_variance: f32,
    pub(super) full_well: f32,
    pub(super) pedestal: f32,
    pub(super) inverse_lsb: f32,
    pub(super) camera_gain: f32,
    pub(super) rate: f32,
    pub(super) beta1: f32,
    pub(super) beta2: f32,
    pub(super) epsilon: f32,
    pub(super) correction1: f32,
    pub(super) correction2: f32,
    pub(super) levels: f32,
    pub(super) gain: f32,
    pub(super) leak: f32,
    pub(super) lut: u32,
    pub(super) radius: u32,
    pub(super) row_by_row: f32,
    pub(super) row_by_col: f32,
    pub(super) row_offset: f32,
    pub(super) col_by_row: f32,
    pub(super) col_by_col: f32,
    pub(super) col_offset: f32,
    pub(super) stored_level: f32,
    pub(super) efficiency: f32,
    pub(super) smoothing: f32,
    pub(super) margin: f32,
    pub(super) active_gain: f32,
    pub(super) active_a: f32,
    pub(super) active_b: f32,
    pub(super) active_c: f32,
    pub(super) active_d: f32,
    pub(super) steps: f32,
    pub(super) partial_from: u32,
    /// WGSL rounds the size up to the alignment of `vec2<u32>`.
    pub(super) _even: u32,
}

impl Params {
    /// What is the same for all dispatches of a program.
    pub(super) fn of(program: &Program, runs: usize, groups: usize) -> Self {
        let mut params = Self { passes: 2, runs: runs as u32, groups: groups as u32, ..Self::zeroed() };
        if let Encoding::Phase { range } = program.input.encoding {
            params.range = (range / TAU) as f32;
        }
        if let Loss::CrossEntropy { scale, efficiency, smoothing, margin } = program.readout.loss {
            params.scale = scale as f32;
            params.efficiency = efficiency as f32;
            params.margin = margin as f32;
            params.smoothing = (smoothing / program.readout.classes as f64) as f32;
        }
        if let Some(camera) = &program.camera {
            params.set_camera(camera);
        }
        params
    }

    fn set_camera(&mut self, camera: &Camera) {
        let lsb = match camera.adc_bits {
            0 => 1.0,
            bits => camera.full_well / (2.0_f64.powi(bits as i32) - 1.0),
        };
        self.electrons = camera.electrons as f32;
        self.reference = camera.reference as f32;
        self.read_variance = (camera.read_noise * camera.read_noise) as f32;
        self.full_well = camera.full_well as f32;
        self.pedestal = camera.pedestal as f32;
        self.inverse_lsb = if camera.adc_bits == 0 { 0.0 } else { (1.0 / lsb) as f32 };
        self.camera_gain = (lsb / (4.0 * camera.reference * camera.electrons)) as f32;
    }

    /// With the response of a modulator.
    pub(super) fn with_modulator(mut self, modulator: &Modulator) -> Self {
        self.levels = modulator.levels.unwrap_or(0) as f32;
        self.steps = modulator.levels.map_or(0, |n| n.max(2) - 1) as f32;
        self.leak = modulator.leak as f32;
        self.gain = modulator.gain() as f32;
        self.lut = modulator.lut.as_ref().map_or(0, |lut| lut.len()) as u32;
        self.radius = modulator.crosstalk.len().saturating_sub(1) as u32;
        if let Some(affine) = modulator.resample {
            let [[m00, m01], [m10, m11]] = affine.matrix;
            self.row_by_row = (m00 - 1.0) as f32;
            self.row_by_col = m01 as f32;
            self.row_offset = affine.offset[0] as f32;
            self.col_by_row = m10 as f32;
            self.col_by_col = (m11 - 1.0) as f32;
            self.col_offset = affine.offset[1] as f32;
        }
        self
    }

    /// With the numbers of an activation.
    pub(super) fn with_activation(mut self, activation: &Activation) -> Self {
        self.active_gain = activation.gain as f32;
        match activation.kind {
            ActivationKind::Intensity => {}
            ActivationKind::Saturable { depth, saturation } => {
                (self.active_a, self.active_b) = ((0.5 * depth) as f32, saturation as f32);
            }
            ActivationKind::Relu { threshold } => self.active_a = threshold as f32,
            ActivationKind::ElectroOptic { tap, response, bias } => {
                let half_root = 0.5 * (1.0 - tap).sqrt();
                (self.active_a, self.active_b) = ((response / TAU) as f32, (bias / TAU) as f32);
                (self.active_c, self.active_d) = (half_root as f32, (response * half_root) as f32);
            }
        }
        self
    }

    /// With the numbers of an update.
    pub(super) fn with_update(mut self, update: Update) -> Self {
        match update {
            Update::Adam { rate, beta1, beta2, epsilon, t } => {
                let correction = |beta: f64| (1.0 / (1.0 - beta.powf(t as f64))) as f32;
                self.rate = rate as f32;
                self.beta1 = beta1 as f32;
                self.beta2 = beta2 as f32;
                self.epsilon = epsilon as f32;
                self.correction1 = correction(beta1);
                self.correction2 = correction(beta2);
            }
            Update::Sgd { rate, momentum } => {
                self.rate = rate as f32;
                self.beta1 = momentum as f32;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_fit_a_slot_and_the_shader_agrees_on_their_number() {
        assert!(size_of::<Params>() as u64 <= SLOT);
        let text = include_str!("../../../shaders/shared/params.wgsl");
        let words: usize = text
            .lines()
            .filter(|line| line.starts_with("    ") && line.trim_end().ends_with(','))
            .map(|line| if line.contains("vec2<") { 2 } else { 1 })
            .sum();
        // WGSL rounds the size up to the alignment of the largest member, `vec2<u32>`.
        assert!(words.is_multiple_of(2));
        assert_eq!(words, size_of::<Params>() / 4);
    }
}
