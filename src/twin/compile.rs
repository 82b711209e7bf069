//! From a description to arrays: the ideal system, and the twin with everything that is wrong with it.

use std::sync::Arc;

use ndarray::Array3;

use super::config::{EncodingConfig, ErrorPath, HardwareKind, Layout, SourceConfig};
use super::detectors;
use super::errors::{ConfigError, value};
use super::hops::{Shelf, corrected};
use super::limits;
use super::loss::LossConfig;
use super::memory;
use super::modulator::{self, Draw};
use super::system::System;
use crate::calibrate::{Aberration, CameraConfig, Drift, LayerErrors};
use crate::device::noise;
use crate::engine::{
    Camera, Encoding, EngineError, Input, Loss, Modulator, Program, Readout, Relay, Scoring, Store,
};
use crate::optics::{Length, Method, Propagation, source};

/// How the error travels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ErrorPass {
    /// Forward through the same hardware (fully forward mode).
    Forward,
    /// By the exact transpose of the same hardware: light that runs backwards, or a computer that knows everything.
    Transposed,
    /// Forward through the same hardware, with loaded and measured fields corrected for what was measured of its one-sided
    /// errors.
    Registered(Registration),
    /// On a computer, through the ideal model with ideal masks, from the fields that the hardware had.
    Model,
}

/// How well the one-sided errors of the hardware are known where they are corrected.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Registration {
    /// Error of the measured shift along x and along y, metres.
    pub shift: f64,
    /// Error of the measured camera aberration, radians rms: a smooth draw, one for each layer.
    pub aberration: f64,
}

/// Misalignment that is drawn anew while a network is trained on a model: uniform up to these limits, each layer its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Misalignment {
    /// Largest shift along x and along y, metres.
    pub shift: f64,
    /// Largest axial error, metres.
    pub axial: f64,
    /// Largest rms of a smooth aberration of the modulator, radians.
    pub aberration: f64,
}

/// The transform lengths an engine offers: the smallest that is at least the argument.
pub type Lengths<'a> = &'a dyn Fn(usize) -> Result<usize, EngineError>;

impl System {
    /// The perfect system, measured exactly.
    ///
    /// # Errors
    /// Undersampling, or no transform of the length needed.
    pub fn compile_ideal(&self, lengths: Lengths<'_>) -> Result<Program, ConfigError> {
        let perfect = self.model();
        self.compile(lengths, ErrorPass::Forward, |_| perfect.clone(), None, (self.seed, false))
    }

    /// The perfect system with other distances after its masks, metres. Programs of all distances have the same structure.
    ///
    /// # Errors
    /// As [`System::compile_ideal`] and [`System::with_distances`].
    pub fn compile_ideal_at(&self, distances: &[f64], lengths: Lengths<'_>) -> Result<Program, ConfigError> {
        let (system, model) = (self.with_distances(distances)?, self.model());
        system.compile(lengths, ErrorPass::Forward, |_| model.clone(), None, (self.seed, true))
    }

    /// A layer of a model: perfect but for the levels that masks are designed for.
    fn model(&self) -> LayerErrors {
        LayerErrors { bits: self.config.optics.bits, ..LayerErrors::default() }
    }

    /// The ideal system with misalignment number `draw`, measured exactly, errors by the exact transpose. Programs of all
    /// draws have the same structure.
    ///
    /// # Errors
    /// As [`System::compile_ideal`], and limits out of range.
    pub fn compile_misaligned(
        &self,
        limits: &Misalignment,
        draw: u64,
        lengths: Lengths<'_>,
    ) -> Result<Program, ConfigError> {
        let errors: Vec<_> = (1..=self.config.optics.layers)
            .map(|l| drawn(limits, self.seed, draw, l).over(&self.model()))
            .collect();
        for (number, e) in (1..).zip(&errors) {
            limits::check(e, number, &self.grid, self.distances[number - 1])?;
        }
        let [low, high] = noise::step_key(self.seed, draw);
        let seed = u64::from(high) << 32 | u64::from(low);
        let errors = |layer: usize| errors[layer - 1].clone();
        self.compile(lengths, ErrorPass::Transposed, errors, None, (seed, false))
    }

    /// The imperfect twin, at bench step 0 where it drifts.
    ///
    /// # Errors
    /// As [`System::compile_ideal`], and imperfections out of range.
    pub fn compile_twin(&self, pass: ErrorPass, lengths: Lengths<'_>) -> Result<Program, ConfigError> {
        self.compile_twin_at(pass, 0, lengths)
    }

    /// The imperfect twin at a bench step. Programs of all steps have the same structure.
    ///
    /// # Errors
    /// As [`System::compile_twin`]: a parameter may have drifted out of its range.
    pub fn compile_twin_at(
        &self,
        pass: ErrorPass,
        step: u64,
        lengths: Lengths<'_>,
    ) -> Result<Program, ConfigError> {
        let layers = 1..=self.config.optics.layers;
        let errors = layers.map(|l| self.errors_at(l, step)).collect::<Result<Vec<_>, ConfigError>>()?;
        let errors = |layer: usize| errors[layer - 1].clone();
        let apart = self.errors.drift.as_ref().is_some_and(Drift::moves_hops);
        self.compile(lengths, pass, errors, self.errors.camera.as_ref(), (self.seed, apart))
    }

    /// The propagation method that the layers use on a padded grid.
    ///
    /// # Errors
    /// Undersampling.
    pub fn method(&self, padded: [usize; 2]) -> Result<Method, ConfigError> {
        Ok(self.space(self.distances[0]).resolve(padded, self.grid.dy, self.grid.dx)?)
    }

    pub(super) fn space(&self, distance: f64) -> Propagation {
        let o = &self.config.optics;
        Propagation {
            wavelength: o.wavelength.0,
            index: o.index,
            distance,
            method: o.propagation,
            allow_undersampled: o.allow_undersampled,
        }
    }

    fn compile(
        &self,
        lengths: Lengths<'_>,
        pass: ErrorPass,
        errors: impl Fn(usize) -> LayerErrors,
        camera: Option<&CameraConfig>,
        // Of random draws; whether equal hops keep transfer functions of their own.
        (seed, apart): (u64, bool),
    ) -> Result<Program, ConfigError> {
        let o = &self.config.optics;
        let padded = self.padded(lengths)?;
        let layers: Vec<LayerErrors> = (1..=o.layers).map(errors).collect();
        memory::check(&self.config, padded, &layers)?;
        let mut shelf = Shelf::new(self, (seed, apart), padded);
        let (mut hops, mut masks, mut error_masks) = (Vec::new(), Vec::new(), Vec::new());
        if o.input_distance.0 > 0.0 {
            hops.push(shelf.hop(&LayerErrors::default(), o.input_distance.0, 0, pass)?);
        }
        for (layer, e) in (1..).zip(&layers) {
            let draw = Draw { seed, layer };
            let kind = self.config.masks.kind_of(layer);
            let mask = Modulator {
                kind,
                frozen: !self.config.masks.of(layer).trainable,
                ..modulator::modulator(e, &self.grid, o.wavelength.0 / o.index, draw)?
            };
            let mask = mask.scaled(self.phase_scale);
            let mut hop = shelf.hop(e, self.distances[layer - 1], layer, pass)?;
            hop.mask = Some(masks.len());
            // The last field is detected as it arrives.
            hop.activation = self.config.activation.compile()?.filter(|_| layer < o.layers);
            if self.config.hardware.error_path == ErrorPath::Through && pass == ErrorPass::Forward {
                hop.error.before = modulator::flat_response(&mask, &self.grid).map(Arc::new);
            }
            match pass {
                ErrorPass::Registered(_) => error_masks.push(corrected(&mask, &hop)),
                ErrorPass::Model => {
                    let model = modulator::modulator(&self.model(), &self.grid, 1.0, draw)?;
                    error_masks.push(Modulator { kind, ..model }.scaled(self.phase_scale));
                }
                ErrorPass::Forward | ErrorPass::Transposed => {}
            }
            hops.push(hop);
            masks.push(mask);
        }
        let own_masks = match pass {
            ErrorPass::Model => true,
            ErrorPass::Registered(_) => hops.iter().any(|h| h.error.before.is_some()),
            ErrorPass::Forward | ErrorPass::Transposed => false,
        };
        Ok(Program {
            shape: self.grid.shape(),
            padded,
            input: self.input()?,
            transfers: shelf.transfers,
            hops,
            masks,
            error_masks: own_masks.then_some(error_masks),
            readout: self.readout(),
            camera: camera.map(sensor),
            error_measured: pass != ErrorPass::Model,
            relay: match self.config.hardware.kind {
                HardwareKind::Reload => Relay::Measured,
                HardwareKind::Cascade => Relay::Optical,
            },
            store: Store::F32,
            recompute: 0,
            channels: Vec::new(),
        })
    }

    pub(super) fn padded(&self, lengths: Lengths<'_>) -> Result<[usize; 2], ConfigError> {
        let padding = self.config.optics.padding;
        let one = |n: usize| -> Result<usize, ConfigError> {
            let wanted = (n as f64 * padding).ceil() as usize;
            let length = lengths(wanted)?;
            // A periodic grid has exactly the length of the field; anything longer is another system.
            if padding == 1.0 && length != n {
                let remedy =
                    format!("a periodic grid (padding 1) must be a transform length; the next is {length}");
                return Err(value("optics.pixels", n, remedy));
            }
            Ok(length)
        };
        Ok([one(self.grid.rows)?, one(self.grid.cols)?])
    }

    fn input(&self) -> Result<Input, ConfigError> {
        let (origin, window) = self.window()?;
        let field = match self.config.source {
            SourceConfig::Plane => source::plane(&self.grid),
            SourceConfig::Gaussian { waist } => {
                source::gaussian(&self.grid, self.config.optics.wavelength.0, waist.0, 0.0)
            }
        };
        let encoding = match self.config.input.encoding {
            EncodingConfig::Amplitude => Encoding::Amplitude,
            EncodingConfig::Phase => Encoding::Phase { range: self.config.input.phase_range.0 },
        };
        Ok(Input { source: Arc::new(field), image: self.image, origin, window, encoding })
    }

    fn readout(&self) -> Readout {
        let shape = self.grid.shape();
        let classes = self.config.detectors.count();
        let differential = self.config.detectors.layout == Layout::Differential;
        let map = detectors::map(&self.regions, shape);
        let loss = match self.config.loss {
            LossConfig::CrossEntropy { scale, efficiency, smoothing } => {
                Loss::CrossEntropy { scale, efficiency, smoothing }
            }
            LossConfig::Mse { target } => {
                // The label's (positive) region is to be bright.
                let bright = |class: usize| (class * if differential { 2 } else { 1 }) as u16 + 1;
                let targets = Array3::from_shape_fn((classes, shape[0], shape[1]), |(k, r, c)| {
                    if map[[r, c]] == bright(k) { target as f32 } else { 0.0 }
                });
                Loss::Mse { targets: Arc::new(targets) }
            }
        };
        let scoring = if differential { Scoring::Differential } else { Scoring::Normalised };
        Readout { map: Arc::new(map), regions: self.regions.len(), classes, scoring, loss }
    }
}

/// The camera in the engine's terms.
fn sensor(c: &CameraConfig) -> Camera {
    Camera {
        electrons: c.photons * c.quantum_efficiency,
        reference: c.reference,
        read_noise: c.read_noise,
        full_well: c.full_well,
        adc_bits: c.adc_bits,
        pedestal: c.pedestal,
    }
}

/// The errors of a layer in a draw.
fn drawn(limits: &Misalignment, seed: u64, draw: u64, layer: usize) -> LayerErrors {
    let [a, b] = noise::step_key(seed, draw);
    let uniform = |kind: u32| {
        let word = noise::pcg4d([a, b, layer as u32, kind])[0];
        f64::from(word) / f64::from(u32::MAX)
    };
    let length = |kind, most: f64| Length((2.0 * uniform(kind) - 1.0) * most);
    let shift = (limits.shift > 0.0).then(|| [length(1, limits.shift), length(2, limits.shift)]);
    let rms = limits.aberration * uniform(4);
    LayerErrors {
        shift,
        axial: (limits.axial > 0.0).then(|| length(3, limits.axial)),
        modulator_aberration: (limits.aberration > 0.0).then(|| Aberration {
            zernike: Vec::new(),
            rms: rms.max(f64::MIN_POSITIVE),
            terms: 28,
            common: false,
        }),
        ..LayerErrors::default()
    }
}
