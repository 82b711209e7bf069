//! What an engine runs: a compiled optical system, made of arrays only.
//!
//! An engine knows nothing of lenses, misalignments or look-up tables: [`crate::twin`] has compiled all of that
//! into the masks and transfer functions here, so that the imperfect system costs what the perfect one does.

use std::sync::Arc;

use ndarray::{Array2, Array3};

use super::segments::Segments;
use super::{Activation, MaskKind};
use crate::optics::Field;

/// A compiled optical system. All arrays are `f64`; an engine stores them in its own precision.
///
/// Data pass, for hop `l = 1..=L` (index `l - 1` in [`Program::hops`]), with `U_0` from [`Input`]:
///
/// ```text
/// V_l = M_l F_{l-1}                  (V_l = F_{l-1} where the hop has no mask)
/// U_l = camera( A_l . T_l V_l )      T = crop . IDFT2 . H . DFT2 . zero-pad
/// F_l = f_l(U_l)                     (F_l = U_l without an activation, and for l = 0 and L)
/// ```
///
/// Error pass, for `l = L..=1`, with `e_L = g = dL/dU_L`:
///
/// ```text
/// E_l = camera( A'_l . T'_l (B'_l . e_l) )
/// dL/dphi_l = -2 Im( E_l . V_l )
/// dL/da_l   = 2 Re( E_l . C_l F_{l-1} )   C_l: the carrier of a mask with amplitudes, see Modulator
/// d_{l-1} = M_l E_l                  (d_{l-1} = E_l where the hop has no mask)
/// e_{l-1} = d df/dU + conj(d df/dU*) (e_{l-1} = d_{l-1} without an activation; f = f_{l-1} at the recorded U_{l-1})
/// ```
///
/// `T'`, `A'`, `B'` are [`ErrorHop`]: equal to the data pass for fully forward mode (`B' = 1`), transposed for
/// the exact adjoint (`H'(f) = H(-f)`, `B' = A`, `A' = 1`). `.` is the pixelwise product, without conjugates. Where there
/// are [`Program::error_masks`], these stand in place of `M_l` in the error pass, in `V_l` of its gradient as well; without
/// [`Program::error_measured`] its fields are known exactly.
///
/// Fields and errors: `dL = 2 Re(sum e_l dU_l) = 2 Re(sum d_l dF_l)`. `f` is not holomorphic, so that both Wirtinger
/// derivatives enter; [`Activation`] has them. The recorded `U_l` is what the camera saw in front of the activation (in half
/// precision with [`Store::F16`]), and `V_{l+1}` in the gradient is made of `f_l` of that. With [`Relay::Optical`] the
/// activation acts on the light itself, and its derivative on the error's light.
#[derive(Clone, Debug)]
pub struct Program {
    /// Pixels that hold light: `[rows, cols]`.
    pub shape: [usize; 2],
    /// Transform lengths `[rows, cols]`, at least `shape`; light sits at the origin of the padded grid.
    pub padded: [usize; 2],
    /// How an image becomes `U_0`.
    pub input: Input,
    /// Transfer functions `H[fy, fx]` of shape `padded`, in DFT order, *without* the `1 / (Mr Mc)` of the inverse
    /// transform: engines fold that in.
    pub transfers: Vec<Arc<Field>>,
    /// Free-space hops in the order light takes them.
    pub hops: Vec<Hop>,
    /// One modulator per mask; [`Hop::mask`] indexes this list. The error pass ends at the first one that is trained.
    pub masks: Vec<Modulator>,
    /// Modulators that the error meets in place of [`Program::masks`], one for each of the same kind, driven by the same
    /// commands: those of a model, or masks with a digital correction. `None`: the same.
    pub error_masks: Option<Vec<Modulator>>,
    /// What is made of the last field.
    pub readout: Readout,
    /// How fields are measured; `None`: exactly.
    pub camera: Option<Camera>,
    /// Whether the camera measures the error pass, too; not where a computer runs it.
    pub error_measured: bool,
    /// What passes on from hop to hop when there is a camera.
    pub relay: Relay,
    /// How recorded fields wait for the error pass.
    pub store: Store,
    /// Length of the segments of which only the last field waits for the error pass, which computes the others again, with the
    /// noise that they had: the same bits for less memory and more time. 0 and 1: every field waits. It needs a record that is
    /// what went on: not with [`Store::F16`], and not with a camera that only observes ([`Relay::Optical`]).
    pub recompute: usize,
    /// Where the same masks serve several wavelengths: the system at each. Empty: there is one, this. With some, all but
    /// `store`, `recompute` and whether there is a camera is that of the first, and only a
    /// [`Multiplex`](super::Multiplex) runs it.
    pub channels: Vec<Channel>,
}

/// A system at one of several wavelengths.
#[derive(Clone, Debug)]
pub struct Channel {
    /// The system, its modulators [`Modulator::scaled`].
    pub program: Program,
    /// Phase of a mask here, in parts of the phase that is commanded (that at the wavelength it is designed for).
    pub phase_scale: f64,
}

impl Program {
    /// All modulators: the masks, then those of the error pass where it has its own.
    pub fn modulators(&self) -> impl Iterator<Item = &Modulator> {
        self.masks.iter().chain(self.error_masks.iter().flatten())
    }

    /// One program for systems that are alike but for their wavelength; `None` without any.
    pub fn multiplexed(channels: Vec<Channel>) -> Option<Self> {
        let first = channels.first()?.program.clone();
        Some(Self { channels, ..first })
    }

    /// The program of channel `k`, with the records and the camera (or none) of the whole.
    pub fn channel(&self, k: usize) -> Self {
        let own = &self.channels[k].program;
        let camera = self.camera.as_ref().and(own.camera.clone());
        Self { store: self.store, recompute: self.recompute, camera, channels: Vec::new(), ..own.clone() }
    }

    /// The [`Program::recompute`] that keeps the fewest fields of `hops` hops, and of these lengths the fastest.
    pub fn best_recompute(hops: usize) -> usize {
        Segments::best_length(hops)
    }

    /// Where the modulators of the error pass begin among [`Program::modulators`].
    pub fn first_error_mask(&self) -> usize {
        self.error_masks.as_ref().map_or(0, |_| self.masks.len())
    }
}

/// One stretch of free space and what stands at its two ends.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The mask passed before the stretch.
    pub mask: Option<usize>,
    /// `H` of the data pass, an index into [`Program::transfers`].
    pub transfer: usize,
    /// Multiplier `A` after propagation (camera-side aberration and transmission), shape [`Program::shape`].
    pub after: Option<Arc<Field>>,
    /// What is made of the field, once it is measured, before it passes on; not at the last hop, whose field is detected.
    pub activation: Option<Activation>,
    /// The same hop on the way of the error.
    pub error: ErrorHop,
}

/// A hop of the error pass.
#[derive(Clone, Debug)]
pub struct ErrorHop {
    /// `H'`, an index into [`Program::transfers`].
    pub transfer: usize,
    /// Multiplier `B'` before propagation.
    pub before: Option<Arc<Field>>,
    /// Multiplier `A'` after propagation.
    pub after: Option<Arc<Field>>,
}

/// How an 8-bit image is loaded: `U_0 = source . encode(resampled image / 255)`.
///
/// The image fills the window by bilinear interpolation with pixel centres aligned: window pixel `(r, c)` reads the
/// image at `((r + 0.5) h / window_rows - 0.5, ...)`, clamped to the border. Outside the window the gray value is 0.
#[derive(Clone, Debug)]
pub struct Input {
    /// The illuminating field on the loading modulator.
    pub source: Arc<Field>,
    /// Image size in pixels, `[rows, cols]`.
    pub image: [usize; 2],
    /// First row and column of the window.
    pub origin: [usize; 2],
    /// Rows and columns of the window.
    pub window: [usize; 2],
    /// What the gray value modulates.
    pub encoding: Encoding,
}

/// What a gray value `a` in 0..=1 does to the source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Encoding {
    /// Amplitude `a`.
    Amplitude,
    /// Phase `range * a`, radians.
    Phase {
        /// Phase of white, radians.
        range: f64,
    },
}

/// A modulator: from commanded phase and amplitude to complex mask, in this order.
///
/// 1. wrap to `0..2 pi`; with [`Modulator::levels`] `n`, round to the nearest of `n` levels `2 pi k / n` (`k = n` is `0`);
/// 2. look-up table, linear between its entries: entry `k` of `lut` is the phase at command `2 pi k / (len - 1)`,
///    then times [`Modulator::stretch`] of the pixel;
/// 3. cross-talk: the phase is convolved, rows then columns, with the symmetric kernel `[k_R .. k_1 k_0 k_1 .. k_R]`, border repeated;
/// 4. `m = a c + leak` with the carrier `c = (1 - leak) exp(i phase)`, so that `|m| <= 1`: a modulator never amplifies. The
///    amplitude `a` is 1 for phase masks; else the command, with [`Modulator::levels`] rounded to the nearest of `n` levels
///    `k / (n - 1)`;
/// 5. resampling by [`Affine`], bilinear on the complex values, zero outside;
/// 6. times `factor`.
///
/// The carrier goes through steps 5 and 6 as well; of that the gradient of an amplitude is made.
#[derive(Clone, Debug, Default)]
pub struct Modulator {
    /// What the commands set.
    pub kind: MaskKind,
    /// Whether the commands stay as they are: no gradient, no update. (Of a modulator of the error pass nobody asks.)
    pub frozen: bool,
    /// Number of phase levels in `2 pi`, and of amplitudes from 0 to 1; `None`: continuous.
    pub levels: Option<u32>,
    /// Phase response in radians at equally spaced commands in `0..=2 pi`, at least two entries; `None`: ideal.
    pub lut: Option<Arc<[f64]>>,
    /// Factor on the phase of every pixel, shape [`Program::shape`]; `None`: 1.
    pub stretch: Option<Arc<Array2<f64>>>,
    /// Cross-talk kernel `k_0, k_1, .., k_R` with `k_0 + 2 sum k_r = 1`; empty: none.
    pub crosstalk: Vec<f64>,
    /// Amplitude of the unmodulated part (zero order), 0 to 1; the modulated part has [`Modulator::gain`].
    pub leak: f64,
    /// Where the mask is sampled: roll, magnification, shift of the mask.
    pub resample: Option<Affine>,
    /// Static aberration and amplitude profile, shape [`Program::shape`].
    pub factor: Option<Arc<Field>>,
}

impl Modulator {
    /// Amplitude of the modulated part: what the unmodulated part leaves.
    pub fn gain(&self) -> f64 {
        1.0 - self.leak
    }

    /// The same device at a wavelength where its phase is `scale` times as large. What is made is a height (or a retardance in
    /// metres) for the *wrapped* command, so that `scale` multiplies the wrapped phase: the look-up table does it.
    #[must_use]
    pub fn scaled(self, scale: f64) -> Self {
        if scale == 1.0 {
            return self;
        }
        let straight = || [0.0, std::f64::consts::TAU * scale].into();
        let lut = self.lut.as_ref().map_or_else(straight, |lut| lut.iter().map(|v| v * scale).collect());
        Self { lut: Some(lut), ..self }
    }
}

/// Mask pixel `(r, c)` takes the commanded mask at `(m00 r + m01 c + t0, m10 r + m11 c + t1)`, in pixels from `(0, 0)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// `[[m00, m01], [m10, m11]]`.
    pub matrix: [[f64; 2]; 2],
    /// `[t0, t1]`.
    pub offset: [f64; 2],
}

/// Detector regions, and the loss made of them.
#[derive(Clone, Debug)]
pub struct Readout {
    /// Region of every pixel: 0 is none, `k + 1` is region `k`. Shape [`Program::shape`].
    pub map: Arc<Array2<u16>>,
    /// Number of regions; `classes`, or `2 classes` with [`Scoring::Differential`].
    pub regions: usize,
    /// Number of classes.
    pub classes: usize,
    /// How region energies become scores.
    pub scoring: Scoring,
    /// What is minimised.
    pub loss: Loss,
}

/// From region energies `S_r = sum |U_L|^2` to class scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scoring {
    /// `s_c = S_c / sum_k S_k`.
    Normalised,
    /// `s_c = (S_2c - S_2c+1) / (S_2c + S_2c+1)` (Li et al. 2019).
    Differential,
}

/// The loss of one sample; a batch has the mean.
#[derive(Clone, Debug)]
pub enum Loss {
    /// Softmax cross-entropy of `scale * s_c`, and a price on light that misses the detectors:
    /// `-sum_c q_c ln softmax(scale (s - margin [c = label]))_c + efficiency (1 - sum_r S_r / E_in)`, `E_in = sum |U_0|^2`.
    CrossEntropy {
        /// Inverse temperature.
        scale: f64,
        /// Weight of the light that misses the detectors (0 in the dark counts as all).
        efficiency: f64,
        /// Share of the target that all classes have alike: `q_c = (1 - smoothing) [c = label] + smoothing / classes`.
        smoothing: f64,
        /// What the label's score must be ahead of the others: it enters the softmax less this, `s_label - margin`.
        margin: f64,
    },
    /// `mean over pixels (I / I_in - target[class])^2`, `I = |U_L|^2`, `I_in` the mean of `|U_0|^2`.
    Mse {
        /// Target intensity of every class, `[classes, rows, cols]`, in units of `I_in`.
        targets: Arc<Array3<f32>>,
    },
}

/// Complex-field camera: four frames, reference phase `0, 90, 180, 270` degrees.
///
/// A field `U` whose expected rms is `s` (see [`Exposure`]) is measured in units of `s`:
///
/// ```text
/// e_k  = electrons |U/s + reference i^k|^2                       photo-electrons (quantum efficiency included)
/// e_k += sqrt(e_k + read_noise^2) n_k                             n_k standard normal
/// c_k  = round( clamp(e_k + pedestal, 0, full_well) / lsb )       lsb = full_well / (2^adc_bits - 1)
/// U    = s ((c_0 - c_2) + i (c_1 - c_3)) lsb / (4 reference electrons)
/// ```
///
/// (`I_1 - I_3 = 4 r Im U` with `U + r i^k`.) The normal numbers are [`crate::device::noise`]'s, the same on both engines.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// Photo-electrons a frame for unit intensity (`|U/s|^2 = 1`, no reference).
    pub electrons: f64,
    /// Reference amplitude in units of `s`.
    pub reference: f64,
    /// Read noise, electrons rms.
    pub read_noise: f64,
    /// Full-well capacity, electrons.
    pub full_well: f64,
    /// Bits of the analogue-to-digital converter; 0: no quantisation (clipping stays).
    pub adc_bits: u32,
    /// Electronic offset in electrons, so that read noise is not cut at zero.
    pub pedestal: f64,
}

impl Camera {
    /// The largest amplitude, in units of `s`, whose brightest frame does not fill the well: in phase with the reference.
    /// `None` where the reference fills it alone.
    pub fn brightest(&self) -> Option<f64> {
        let amplitude = ((self.full_well - self.pedestal) / self.electrons).max(0.0).sqrt() - self.reference;
        (amplitude > 0.0).then_some(amplitude)
    }
}

/// Exposure of every measurement: the rms of the field at hop `l` relative to that of the field loaded at the start
/// of the pass (`U_0`, or `g`), or more where bright pixels would fill the well ([`Camera::brightest`]). The field scale of a sample is `s = level[l] * rms(start field)`, rms over [`Program::shape`].
#[derive(Clone, Debug, PartialEq)]
pub struct Exposure {
    /// Data pass, hop 1..=L.
    pub data: Vec<f64>,
    /// Error pass, same order (hop 1..=L).
    pub error: Vec<f64>,
}

/// What passes on from hop to hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relay {
    /// The measured field is loaded again (`reload` hardware).
    Measured,
    /// Light itself passes on; measurements only observe it (`cascade` hardware).
    Optical,
}

/// How an engine keeps the recorded fields `U_1 .. U_{L-1}` from the data pass until the error pass.
///
/// With [`Store::F16`] the error pass finds, in place of `U_l` (real and imaginary part apart),
///
/// ```text
/// s half( clamp(U_l / s, -65504, 65504) )       s = Store::unit(level[l], rms(U_0))
/// ```
///
/// where `half` is the nearest IEEE 754 binary16 number (ties to even; a graphics driver may take the neighbour on the
/// other side, and zero for numbers below `2^-14`), `level` is [`Exposure::data`] (1 unless it was set), and the rms is
/// that of the sample's own start field over [`Program::shape`]. `s` is a power of two near the expected rms of `U_l`, so
/// that scaling rounds nothing: fields up to 65504 times their rms do not overflow, and below `6e-5` of it digits are lost.
///
/// Only the gradient is touched, by about `2^-12` of itself. Light itself goes on unrounded in the data pass; the start field `U_0`,
/// the last field `U_L`, detectors and loss know nothing of it. Traces show the fields as they are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// In the engine's precision.
    #[default]
    F32,
    /// In half precision: half the memory and half the traffic of recorded fields.
    F16,
}

impl Store {
    /// The unit of half-precision fields: `2^round(log2 x)` of `x = level rms` in `f32`, the same bits on every engine; 1
    /// where `x` is beyond `2^-100 .. 2^100`, as in the dark.
    pub fn unit(level: f64, rms: f64) -> f32 {
        let x = level as f32 * rms as f32;
        if !(x > 2.0_f32.powi(-100) && x < 2.0_f32.powi(100)) {
            return 1.0;
        }
        // From the square root of 2 on, the mantissa carries into the exponent.
        let carry = 1.0_f32.to_bits() + (1 << 23) - std::f32::consts::SQRT_2.to_bits();
        f32::from_bits((x.to_bits() + carry) & 0x7f80_0000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_the_nearest_powers_of_two() {
        for (x, unit) in
            [(1.0, 1.0), (1.41, 1.0), (1.42, 2.0), (2.82, 2.0), (0.7, 0.5), (0.71, 1.0), (1e-9, 9.313226e-10)]
        {
            assert_eq!(Store::unit(1.0, x), unit, "{x}");
            assert_eq!(Store::unit(x, 1.0), unit, "{x}");
        }
        for x in [0.0, f64::NAN, f64::INFINITY, 1e-35, 1e35] {
            assert_eq!(Store::unit(1.0, x), 1.0, "{x}");
        }
    }
}
