//! Engines run compiled optical systems on batches: [`cpu`] (portable, and the `f64` reference) and [`gpu`]; a [`fleet`]
//! spreads batches over several of them.

mod activation;
mod check;
pub mod cpu;
mod error;
pub mod fleet;
pub mod gpu;
mod multiplex;
mod parameters;
mod program;
mod segments;
mod select;

pub use activation::{Activation, ActivationKind};
pub(crate) use check::host_memory;
pub use check::next_fast_length;
pub use error::EngineError;
pub use multiplex::Multiplex;
pub use parameters::{MaskKind, Parameter, Quantity};
pub use program::{
    Affine, Camera, Channel, Encoding, ErrorHop, Exposure, Hop, Input, Loss, Modulator, Program, Readout,
    Relay, Scoring, Store,
};

pub use select::{open, select};

use ndarray::Array2;

use crate::optics::Field;

/// 8-bit images with labels, row-major, all of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet {
    /// Rows and columns of an image.
    pub size: [usize; 2],
    /// `len * rows * cols` gray values.
    pub pixels: Vec<u8>,
    /// One class per image.
    pub labels: Vec<u8>,
}

impl ImageSet {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Some of the images.
    ///
    /// # Panics
    /// When there is no image of such a number.
    #[must_use]
    pub fn only(&self, images: &[u32]) -> Self {
        let size = self.size[0] * self.size[1];
        let take = |&i: &u32| &self.pixels[i as usize * size..(i as usize + 1) * size];
        Self {
            size: self.size,
            pixels: images.iter().flat_map(take).copied().collect(),
            labels: images.iter().map(|&i| self.labels[i as usize]).collect(),
        }
    }

    /// The images, and behind them, in the same order, all of them mirrored left to right.
    #[must_use]
    pub fn with_mirrored(mut self) -> Self {
        let mirrored: Vec<u8> =
            self.pixels.chunks(self.size[1].max(1)).flat_map(|row| row.iter().rev()).copied().collect();
        self.pixels.extend(mirrored);
        self.labels.extend_from_within(..);
        self
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// An image set that an engine holds (uploaded once).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetId(pub usize);

/// Which samples run, and what their noise is keyed by. A batch may be a share of a larger one that runs on several
/// engines: then its samples see the noise, and have the weight, that they have in the whole.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The image set.
    pub set: SetId,
    /// Image numbers in the set; at most the `max_batch` of [`Engine::load`].
    pub indices: &'a [u32],
    /// Noise key: run seed.
    pub seed: u64,
    /// Noise key: step number. The sample key is the position in the whole batch.
    pub step: u64,
    /// Position of the first sample in the whole batch.
    pub first: usize,
    /// Samples of the whole batch, of which losses and gradients are means.
    pub of: usize,
}

impl<'a> Batch<'a> {
    /// A whole batch.
    pub fn whole(set: SetId, indices: &'a [u32], seed: u64, step: u64) -> Self {
        Self { set, indices, seed, step, first: 0, of: indices.len() }
    }

    /// The samples `range` of this batch, as a share of it.
    ///
    /// # Panics
    /// When the range is not within the batch.
    pub fn share(self, range: std::ops::Range<usize>) -> Self {
        Self { indices: &self.indices[range.clone()], first: self.first + range.start, ..self }
    }
}

/// How an update is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update {
    /// Adam (Kingma & Ba 2015) with bias correction; `t` counts from 1.
    Adam {
        /// Learning rate, radians.
        rate: f64,
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root of the second moment.
        epsilon: f64,
        /// Number of this update, from 1.
        t: u64,
    },
    /// Gradient descent with momentum: `v = momentum v + g`, `phi -= rate v`.
    Sgd {
        /// Learning rate, radians per unit gradient.
        rate: f64,
        /// Momentum, 0..1.
        momentum: f64,
    },
}

/// Commands of the masks and the optimiser's moments.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Commanded phases, radians, one array per mask.
    pub phases: Vec<Array2<f32>>,
    /// Commanded amplitude transmissions, 0 to 1, one array per mask that has them ([`Program::amplitude_masks`]).
    pub amplitudes: Vec<Array2<f32>>,
    /// First moment (Adam) or velocity (SGD), one per array of commands: [`Program::parameters`].
    pub first: Vec<Array2<f32>>,
    /// Second moment (Adam), zero for SGD.
    pub second: Vec<Array2<f32>>,
}

impl State {
    /// State of phase masks with these phases, and moments of zero.
    pub fn fresh(phases: Vec<Array2<f32>>) -> Self {
        Self::with_amplitudes(phases, Vec::new())
    }

    /// State with these commands and moments of zero.
    pub fn with_amplitudes(phases: Vec<Array2<f32>>, amplitudes: Vec<Array2<f32>>) -> Self {
        let commands = phases.iter().chain(&amplitudes);
        let zeros: Vec<_> = commands.map(|p| Array2::zeros(p.raw_dim())).collect();
        Self { phases, amplitudes, first: zeros.clone(), second: zeros }
    }

    /// All arrays of commands, in the order of [`Program::parameters`].
    pub fn commands(&self) -> impl Iterator<Item = &Array2<f32>> {
        self.phases.iter().chain(&self.amplitudes)
    }
}

/// Sums over the training samples since they were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Sum of losses.
    pub loss: f64,
    /// Samples whose largest score is their label's.
    pub correct: u64,
    /// Samples.
    pub samples: u64,
}

/// What inference says of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Inference {
    /// Region energies, `[samples, regions]`.
    pub energies: Array2<f64>,
    /// Energy of the start field, `sum |U_0|^2`, of every sample.
    pub input_energies: Vec<f64>,
    /// Class scores `s_c` (without the loss's scale), `[samples, classes]`.
    pub scores: Array2<f64>,
    /// Loss of every sample.
    pub losses: Vec<f64>,
    /// Class of the largest score (the first, if several are equal).
    pub predictions: Vec<u8>,
}

/// Gradients and recorded fields of one batch, for tests, cosines and pictures; never in the training loop.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Mean loss; of a share its part of the whole batch's mean.
    pub loss: f64,
    /// `dL/dphi` (and `dL/da`), mean over the (whole) batch, in the order of [`Program::parameters`].
    pub gradients: Vec<Array2<f64>>,
    /// `fields[l][b]` is `U_l` of sample `b` as recorded, `l = 0..=L`.
    pub fields: Vec<Vec<Field>>,
}

/// What an engine runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// `"cpu"` or `"gpu"`.
    pub engine: &'static str,
    /// Device name, as a person knows it.
    pub name: String,
    /// `"f32"` or `"f64"`.
    pub precision: &'static str,
    /// Threads, driver, back end: whatever tells devices apart.
    pub detail: String,
}

impl DeviceInfo {
    /// One line about it.
    pub fn describe(&self) -> String {
        format!("{} ({} engine, {}, {})", self.name, self.engine, self.precision, self.detail)
    }
}

/// Runs a [`Program`] on batches. Between [`Engine::load`] and the next nothing is allocated per step, and
/// [`Engine::train`] reads nothing back (a [`fleet`] does: its members exchange gradients).
pub trait Engine: Send {
    /// The device.
    fn device(&self) -> &DeviceInfo;

    /// Every device it runs on: one, but for a [`fleet`].
    fn devices(&self) -> Vec<DeviceInfo> {
        vec![self.device().clone()]
    }

    /// The smallest supported transform length that is at least `minimum`.
    ///
    /// # Errors
    /// [`EngineError::Length`] when none is.
    fn transform_length(&self, minimum: usize) -> Result<usize, EngineError>;

    /// Bytes of device memory that [`Engine::load`] would take.
    fn memory_needed(&self, program: &Program, max_batch: usize) -> u64;

    /// The same for each of [`Engine::devices`].
    fn memory_by_device(&self, program: &Program, max_batch: usize) -> Vec<u64> {
        vec![self.memory_needed(program, max_batch)]
    }

    /// Uploads a program and allocates all that batches of up to `max_batch` samples need. Phases start at zero,
    /// amplitudes at 1.
    ///
    /// # Errors
    /// Unsupported lengths, too little memory, arrays of the wrong shape, NaN in an array.
    fn load(&mut self, program: &Program, max_batch: usize) -> Result<(), EngineError>;

    /// Puts a program in place of the loaded one that differs from it in the numbers of its arrays only. State, image
    /// sets, exposures and tally stay; nothing is allocated on a device. For systems that move while they are trained.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when anything but numbers differs; NaN in an array; a lost device.
    fn replace(&mut self, program: &Program) -> Result<(), EngineError>;

    /// Uploads an image set; it stays until [`Engine::clear_sets`].
    ///
    /// # Errors
    /// Too little memory.
    fn upload(&mut self, images: &ImageSet) -> Result<SetId, EngineError>;

    /// Forgets all image sets.
    fn clear_sets(&mut self);

    /// Replaces commands and moments.
    ///
    /// # Errors
    /// [`EngineError::Shape`] (of amplitudes outside 0..=1 as well), [`EngineError::NotFinite`] with layer and pixel.
    fn set_state(&mut self, state: &State) -> Result<(), EngineError>;

    /// Reads commands and moments.
    ///
    /// # Errors
    /// A lost device.
    fn state(&mut self) -> Result<State, EngineError>;

    /// The complex masks the phases give, one per [`Program::masks`] entry.
    ///
    /// # Errors
    /// A lost device.
    fn masks(&mut self) -> Result<Vec<Field>, EngineError>;

    /// Sets the exposures of the camera; all levels are 1 after [`Engine::load`].
    ///
    /// # Errors
    /// [`EngineError::Shape`] when the number of hops differs.
    fn set_exposure(&mut self, exposure: &Exposure) -> Result<(), EngineError>;

    /// One training step: data pass, loss, error pass, gradient, update, new masks. Adds to the tally.
    ///
    /// # Errors
    /// Wrong batch sizes, a lost device.
    fn train(&mut self, batch: Batch<'_>, update: Update) -> Result<(), EngineError>;

    /// The first half of a training step: data pass, loss, error pass. Returns the gradients, one for each of
    /// [`Program::parameters`]: sums over the
    /// samples of this batch, divided by the size of the whole one ([`Batch::of`]), so that the shares' add up to the
    /// mean. Adds to the tally, and waits for the device.
    ///
    /// # Errors
    /// Wrong batch sizes, a lost device.
    fn gradients(&mut self, batch: Batch<'_>) -> Result<Vec<Array2<f32>>, EngineError>;

    /// The second half of a training step: update by these gradients, new masks.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when they are not one for each of [`Program::parameters`], of its size; a lost device.
    fn apply(&mut self, gradients: &[Array2<f32>], update: Update) -> Result<(), EngineError>;

    /// Takes (and clears) the sums of the steps since the last call. This waits for the device.
    ///
    /// # Errors
    /// A lost device.
    fn take_tally(&mut self) -> Result<Tally, EngineError>;

    /// Data pass and readout only.
    ///
    /// # Errors
    /// Wrong batch sizes, a lost device.
    fn infer(&mut self, batch: Batch<'_>) -> Result<Inference, EngineError>;

    /// Data pass and error pass with everything kept; no update, no tally.
    ///
    /// # Errors
    /// Wrong batch sizes, a lost device.
    fn trace(&mut self, batch: Batch<'_>) -> Result<Trace, EngineError>;

    /// Data pass of given fields instead of images, noise-free whatever the camera: returns `U_L` of each.
    ///
    /// # Errors
    /// Wrong shapes or batch sizes, a lost device.
    fn propagate(&mut self, fields: &[Field]) -> Result<Vec<Field>, EngineError>;
}
