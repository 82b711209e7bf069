//! The figures of a benchmark.

use serde::Serialize;

/// Everything that was measured, and with what.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// Program and version.
    pub version: String,
    /// Commit that was built.
    pub commit: String,
    /// When it was measured.
    pub date: String,
    /// Operating system, architecture, processors.
    pub system: String,
    /// The command that repeats it.
    pub command: String,
    /// Free-space hops of the propagation that is timed.
    pub chain: usize,
    /// The devices.
    pub devices: Vec<BenchDevice>,
    /// All cases, those that failed too.
    pub cases: Vec<BenchCase>,
    /// Passes of training steps, where they were asked for.
    pub profiles: Vec<Profile>,
    /// Whether it was stopped before the end.
    pub interrupted: bool,
}

impl BenchReport {
    /// Cases of a device and a kind of work.
    pub fn of(&self, device: usize, work: Work) -> impl Iterator<Item = &BenchCase> {
        self.cases.iter().filter(move |c| c.device == device && c.work == work)
    }

    /// How many times the noise-free step the step with camera noise takes.
    pub fn noise_ratio(&self, noisy: &BenchCase) -> Option<f64> {
        let plain = self.of(noisy.device, Work::Step).find(|c| c.same_size(noisy))?.timing.as_ref()?;
        Some(noisy.timing.as_ref()?.median_ms / plain.median_ms)
    }
}

/// A device that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct BenchDevice {
    /// Device name, as a person knows it.
    pub name: String,
    /// `"cpu"` or `"gpu"`.
    pub engine: &'static str,
    /// `"f32"`.
    pub precision: &'static str,
    /// Threads, driver, back end.
    pub detail: String,
}

impl BenchDevice {
    /// One line: name, engine, precision, driver or threads.
    pub fn line(&self) -> String {
        format!("{} ({} engine, {}, {})", self.name, self.engine, self.precision, self.detail)
    }
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Free-space propagation, forward only.
    Hop,
    /// A training step without noise.
    Step,
    /// A training step by fully forward mode whose fields are measured by a noisy camera.
    NoisyStep,
}

impl Work {
    /// All kinds, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Hop, Self::Step, Self::NoisyStep];

    /// Heading of its table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Hop => "Free-space propagation, forward only",
            Self::Step => "Training step: forward, error pass, gradients, Adam",
            Self::NoisyStep => "FFM training step with camera noise, ratio to the noise-free step",
        }
    }
}

/// A case: sizes, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct BenchCase {
    /// Index of the device.
    pub device: usize,
    /// What is timed.
    pub work: Work,
    /// Pixels along a side.
    pub pixels: usize,
    /// Padding factor; 1 is periodic.
    pub padding: usize,
    /// Samples of a batch.
    pub batch: usize,
    /// Phase layers; 0 where only propagation is timed.
    pub layers: usize,
    /// Transform length, once known.
    pub padded: Option<usize>,
    /// Bytes that the engine takes, once known.
    pub memory_bytes: Option<u64>,
    /// Times and rates; none where it failed.
    pub timing: Option<Timing>,
    /// Why there are none.
    pub failed: Option<String>,
}

impl BenchCase {
    /// Whether sizes, batch and layers are equal.
    pub fn same_size(&self, other: &Self) -> bool {
        (self.pixels, self.padding, self.batch, self.layers)
            == (other.pixels, other.padding, other.batch, other.layers)
    }

    /// Sizes in words.
    pub fn name(&self) -> String {
        let Self { pixels, padding, batch, layers, .. } = self;
        let sizes = format!("{pixels} x {pixels}, padding {padding}, batch {batch}");
        if self.work == Work::Hop { sizes } else { format!("{sizes}, {layers} layers") }
    }
}

/// Times of a case in milliseconds, and the rates that follow from the median.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// Median.
    pub median_ms: f64,
    /// Fastest repeat.
    pub min_ms: f64,
    /// Slowest repeat.
    pub max_ms: f64,
    /// Number of repeats.
    pub repeats: usize,
    /// Fields that pass a hop (propagation) or samples (training) a second.
    pub per_second: f64,
    /// Millions of pixels that pass a hop (propagation) or a layer (training) a second.
    pub megapixels_per_second: f64,
}

/// The passes of a training step on a GPU.
#[derive(Clone, Debug, Serialize)]
pub struct Profile {
    /// Index of the device.
    pub device: usize,
    /// Sizes in words.
    pub case: String,
    /// Bytes a second that a copy on the device reads and writes, where it was measured.
    pub copy_bytes_per_second: Option<f64>,
    /// One line a kind of pass, in the order of their first dispatch; none where it failed.
    pub passes: Vec<PassLine>,
    /// Why there are none.
    pub failed: Option<String>,
}

/// What all dispatches of one kind of pass do in a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassLine {
    /// Stage and variant.
    pub name: String,
    /// Dispatches.
    pub dispatches: usize,
    /// Bytes read.
    pub reads: u64,
    /// Bytes written.
    pub writes: u64,
    /// Time in milliseconds, where the device has a clock.
    pub ms: Option<f64>,
}

impl PassLine {
    /// Bytes read and written a second.
    pub fn bytes_per_second(&self) -> Option<f64> {
        Some((self.reads + self.writes) as f64 / (self.ms? / 1e3))
    }
}
