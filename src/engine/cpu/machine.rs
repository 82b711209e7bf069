//! The CPU engine at work, in either precision.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ndarray::Array2;
use rayon::ThreadPool;
use rayon::prelude::*;

use super::loaded::{self, Loaded, SLOTS, Slot, Workspace};
use super::modulator::Spare;
use super::state::Arrays;
use super::{Measures, Real, pixelwise, sample, transform, update};
use crate::device::noise::step_key;
use crate::engine::{
    Batch, Camera, DeviceInfo, Engine, EngineError, Exposure, ImageSet, Inference, Parameter, Program, SetId,
    State, Tally, Trace, Update, check,
};
use crate::optics::Field;

/// The engine behind [`CpuEngine`](super::CpuEngine).
pub(super) struct Machine<T: Real> {
    info: DeviceInfo,
    pool: ThreadPool,
    sets: Vec<ImageSet>,
    run: Option<Run<T>>,
}

/// A loaded program and all memory its steps use.
struct Run<T: Real> {
    program: Program,
    loaded: Loaded<T>,
    workspaces: Vec<Mutex<Workspace<T>>>,
    slots: Vec<Slot<T>>,
    spare: Vec<Spare<T>>,
    state: Arrays,
    max_batch: usize,
    tally: Tally,
}

impl<T: Real> Machine<T> {
    /// An engine with `threads` threads (0: one per core).
    pub(super) fn new(threads: usize) -> Result<Self, EngineError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|e| EngineError::Device { device: "CPU".into(), reason: e.to_string() })?;
        let detail = format!("{} threads", pool.current_num_threads());
        let info = DeviceInfo { engine: "cpu", name: cpu_name(), precision: T::NAME, detail };
        Ok(Self { info, pool, sets: Vec::new(), run: None })
    }

    fn run(&mut self) -> Result<&mut Run<T>, EngineError> {
        let Self { info, run, .. } = self;
        run.as_mut().ok_or_else(|| check::nothing_loaded(&info.name))
    }

    /// The loaded run and the batch's images, both checked.
    fn parts(&mut self, batch: Batch<'_>) -> Result<(&mut Run<T>, &ImageSet), EngineError> {
        let Self { info, run, sets, .. } = self;
        let run = run.as_mut().ok_or_else(|| check::nothing_loaded(&info.name))?;
        let set = check::batch(sets, batch, &run.program, run.max_batch)?;
        Ok((run, set))
    }
}

impl<T: Real> Measures for Machine<T> {
    fn measure_exposure(&mut self, batch: Batch<'_>) -> Result<Exposure, EngineError> {
        let (run, set) = self.parts(batch)?;
        let hops = run.program.hops.len();
        let mut sums = Exposure { data: vec![0.0; hops], error: vec![0.0; hops] };
        // Largest intensities, in units of the mean one that the sample started with.
        let mut peaks = sums.clone();
        let (mut input, mut error) = (0.0, 0.0);
        let pixels = run.program.shape[0] * run.program.shape[1];
        let mut gradients = loaded::gradients(&run.program, run.loaded.layout);
        for b in 0..batch.indices.len() {
            let ws = &mut *lock(&run.workspaces[0]);
            let power = run.loaded.encode(set, batch.indices[b], ws);
            let places = &run.loaded;
            sample::data_pass(places, ws, power, None, |l, ws| {
                if l > 0 {
                    let field = &ws.fields[places.place(l)];
                    sums.data[l - 1] += pixelwise::mean_intensity(field, pixels);
                    let peak = pixelwise::peak_intensity(places.layout.lanes, field) / power;
                    peaks.data[l - 1] = peaks.data[l - 1].max(peak);
                }
            });
            input += power;
            let g = run.loaded.error_source(ws, set.labels[batch.indices[b] as usize], power, 1.0);
            sample::error_pass(&run.loaded, ws, [power, g], None, &mut gradients, true);
            error += g;
            for (sum, power) in sums.error.iter_mut().zip(&ws.error_power) {
                *sum += power;
            }
            for (peak, found) in peaks.error.iter_mut().zip(&ws.error_peak) {
                // The largest of numbers leaves out 0 / 0, which a dark start gives.
                *peak = peak.max(found / g);
            }
        }
        let brightest = run.program.camera.as_ref().and_then(Camera::brightest);
        let level = |(sum, peak): (&f64, &f64), start: f64| {
            let rms = if start > 0.0 && *sum > 0.0 { (sum / start).sqrt() } else { 1.0 };
            brightest.map_or(rms, |b| rms.max(peak.sqrt() / b))
        };
        Ok(Exposure {
            data: sums.data.iter().zip(&peaks.data).map(|s| level(s, input)).collect(),
            error: sums.error.iter().zip(&peaks.error).map(|s| level(s, error)).collect(),
        })
    }
}

impl<T: Real> Loaded<T> {
    /// `U_0` of an image; returns the mean of its intensity.
    fn encode(&self, set: &ImageSet, index: u32, ws: &mut Workspace<T>) -> f64 {
        let size = set.size[0] * set.size[1];
        let start = index as usize * size;
        self.encoder.encode(&set.pixels[start..start + size], &mut ws.fields[0], &mut ws.gray)
    }

    /// Reads the last field and writes `g`; returns the mean of `|g|^2`.
    fn error_source(&self, ws: &mut Workspace<T>, label: u8, power: f64, share: f64) -> f64 {
        let y = &ws.fields[ws.fields.len() - 1];
        self.detectors.read(y, label, power, share, &mut ws.reading);
        self.detectors.source(y, &ws.reading, label, power, share, &mut ws.source);
        ws.reading.error_power
    }
}

impl<T: Real> Run<T> {
    /// Data and error pass of all samples; gradients and sums end in the slots. `keep` sees every field of every
    /// sample (its number in the batch, that of the field) when it is recorded.
    fn passes(
        &mut self,
        set: &ImageSet,
        batch: Batch<'_>,
        keep: impl Fn(usize, usize, &Workspace<T>) + Sync,
    ) {
        let (loaded, workspaces) = (&self.loaded, &self.workspaces);
        let key = step_key(batch.seed, batch.step);
        let share = 1.0 / batch.of as f64;
        let used = batch.indices.len().min(self.slots.len());
        self.slots[..used].par_iter_mut().enumerate().for_each(|(s, slot)| {
            (slot.loss, slot.correct) = (0.0, 0);
            let ws = &mut *lock(&workspaces[thread()]);
            for b in (s..batch.indices.len()).step_by(SLOTS) {
                let index = batch.indices[b];
                let label = set.labels[index as usize];
                let noise = Some((key, (batch.first + b) as u32));
                let power = loaded.encode(set, index, ws);
                sample::data_pass(loaded, ws, power, noise, |l, ws| keep(b, l, ws));
                let g = loaded.error_source(ws, label, power, share);
                sample::error_pass(loaded, ws, [power, g], noise, &mut slot.gradients, b == s);
                slot.loss += ws.reading.loss;
                slot.correct += u64::from(ws.reading.prediction == label);
            }
        });
    }

    /// Adds the last passes, of `samples` samples, to the tally.
    fn count(&mut self, samples: usize) {
        self.tally.loss += self.used(samples).iter().map(|s| s.loss).sum::<f64>();
        self.tally.correct += self.used(samples).iter().map(|s| s.correct).sum::<u64>();
        self.tally.samples += samples as u64;
    }

    /// The slots that passes of `samples` samples fill.
    fn used(&self, samples: usize) -> &[Slot<T>] {
        &self.slots[..samples.min(self.slots.len())]
    }

    /// Gradients of the last passes, of `samples` samples, summed over the slots in their order.
    fn summed<V>(&self, samples: usize, narrow: impl Fn(f64) -> V) -> Vec<Array2<V>> {
        let layout = self.loaded.layout;
        let sum = |m: usize, at: usize| self.used(samples).iter().map(|s| s.gradients[m][at].wide()).sum();
        let gradient = |(m, p): (usize, &Parameter)| {
            Array2::from_shape_fn((layout.rows, layout.cols), |(r, c)| {
                narrow(if p.trained { sum(m, layout.place(r, c)) } else { 0.0 })
            })
        };
        self.state.parameters.iter().enumerate().map(gradient).collect()
    }

    fn rebuild_masks(&mut self) {
        update::masks(&mut self.loaded, &self.state, &mut self.spare);
    }
}

impl<T: Real> Engine for Machine<T> {
    fn device(&self) -> &DeviceInfo {
        &self.info
    }

    fn transform_length(&self, minimum: usize) -> Result<usize, EngineError> {
        Ok(check::next_fast_length(minimum))
    }

    fn memory_needed(&self, program: &Program, max_batch: usize) -> u64 {
        let complex = 2 * size_of::<T>();
        let pixels = transform::transform::<T>(program.shape, program.padded).layout().pixels();
        let parameters = program.parameters();
        let trained = parameters.iter().filter(|p| p.trained).count();
        let padded = program.padded[0] * program.padded[1];
        let factors = check::pixel_arrays(program) * pixels * complex;
        let stretched = program.modulators().filter(|m| m.stretch.is_some()).count();
        let factors = factors + stretched * pixels * size_of::<T>();
        let slots = max_batch.min(SLOTS) * trained * pixels * size_of::<T>();
        let spare: usize = program.modulators().map(|m| Spare::<T>::bytes(m, pixels)).sum();
        let arrays = program.modulators().count() + program.carriers().iter().filter(|there| **there).count();
        let state = parameters.len() * pixels * 3 * size_of::<f32>() + arrays * pixels * complex + spare;
        let threads = self.pool.current_num_threads() * Workspace::<T>::bytes(program);
        (program.transfers.len() * padded * complex + factors + slots + state + threads) as u64
    }

    fn load(&mut self, program: &Program, max_batch: usize) -> Result<(), EngineError> {
        check::program(program, max_batch)?;
        let needed = self.memory_needed(program, max_batch);
        check::host_memory(&self.info.name, needed)?;
        self.run = None;
        let loaded = Loaded::new(program);
        let layout = loaded.layout;
        let slot = || Slot { gradients: loaded::gradients(program, layout), loss: 0.0, correct: 0 };
        let mut run = Run {
            workspaces: (0..self.pool.current_num_threads())
                .map(|_| Mutex::new(Workspace::new(program, &loaded)))
                .collect(),
            slots: (0..max_batch.min(SLOTS)).map(|_| slot()).collect(),
            spare: spare(&loaded),
            state: Arrays::start(program.parameters(), layout),
            program: program.clone(),
            loaded,
            max_batch,
            tally: Tally::default(),
        };
        self.pool.install(|| run.rebuild_masks());
        self.run = Some(run);
        Ok(())
    }

    fn replace(&mut self, program: &Program) -> Result<(), EngineError> {
        let run = self.run()?;
        check::replacement(&run.program, program, run.max_batch)?;
        let exposure = std::mem::replace(&mut run.loaded, Loaded::new(program)).exposure;
        run.loaded.exposure = exposure;
        run.spare = spare(&run.loaded);
        run.program = program.clone();
        let pool = &self.pool;
        if let Some(run) = &mut self.run {
            pool.install(|| run.rebuild_masks());
        }
        Ok(())
    }

    fn upload(&mut self, images: &ImageSet) -> Result<SetId, EngineError> {
        self.sets.push(images.clone());
        Ok(SetId(self.sets.len() - 1))
    }

    fn clear_sets(&mut self) {
        self.sets.clear();
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        let run = self.run()?;
        check::state(state, &run.program)?;
        run.state = Arrays::new(state, run.program.parameters(), run.loaded.layout);
        let pool = &self.pool;
        if let Some(run) = &mut self.run {
            pool.install(|| run.rebuild_masks());
        }
        Ok(())
    }

    fn state(&mut self) -> Result<State, EngineError> {
        let run = self.run()?;
        Ok(run.state.state(run.loaded.layout))
    }

    fn masks(&mut self) -> Result<Vec<Field>, EngineError> {
        let run = self.run()?;
        let masks = &run.loaded.masks[..run.program.masks.len()];
        Ok(masks.iter().map(|m| run.loaded.layout.field(m)).collect())
    }

    fn set_exposure(&mut self, exposure: &Exposure) -> Result<(), EngineError> {
        let run = self.run()?;
        check::exposure(exposure, run.program.hops.len())?;
        run.loaded.exposure = exposure.clone();
        Ok(())
    }

    fn train(&mut self, batch: Batch<'_>, update: Update) -> Result<(), EngineError> {
        self.parts(batch)?;
        let set = &self.sets[batch.set.0];
        let Some(run) = &mut self.run else { return Err(check::nothing_loaded(&self.info.name)) };
        self.pool.install(|| {
            run.passes(set, batch, |_, _, _| ());
            let used = batch.indices.len().min(run.slots.len());
            update::apply(&run.slots[..used], update, &mut run.state);
            run.rebuild_masks();
        });
        run.count(batch.indices.len());
        Ok(())
    }

    fn gradients(&mut self, batch: Batch<'_>) -> Result<Vec<Array2<f32>>, EngineError> {
        self.parts(batch)?;
        let set = &self.sets[batch.set.0];
        let Some(run) = &mut self.run else { return Err(check::nothing_loaded(&self.info.name)) };
        self.pool.install(|| run.passes(set, batch, |_, _, _| ()));
        run.count(batch.indices.len());
        Ok(run.summed(batch.indices.len(), |g| g as f32))
    }

    fn apply(&mut self, gradients: &[Array2<f32>], update: Update) -> Result<(), EngineError> {
        let run = self.run()?;
        check::gradients(gradients, &run.program)?;
        let given = run.slots[0].gradients.iter_mut().zip(gradients).zip(&run.state.parameters);
        for ((to, from), _) in given.filter(|(_, p)| p.trained) {
            run.loaded.layout.write_real(from, to);
        }
        let pool = &self.pool;
        if let Some(run) = &mut self.run {
            pool.install(|| {
                update::apply(&run.slots[..1], update, &mut run.state);
                run.rebuild_masks();
            });
        }
        Ok(())
    }

    fn take_tally(&mut self) -> Result<Tally, EngineError> {
        Ok(std::mem::take(&mut self.run()?.tally))
    }

    fn infer(&mut self, batch: Batch<'_>) -> Result<Inference, EngineError> {
        self.parts(batch)?;
        let set = &self.sets[batch.set.0];
        let Some(run) = &self.run else { return Err(check::nothing_loaded(&self.info.name)) };
        let key = step_key(batch.seed, batch.step);
        let readings: Vec<_> = self.pool.install(|| {
            let one = |(b, &index): (usize, &u32)| {
                let ws = &mut *lock(&run.workspaces[thread()]);
                let power = run.loaded.encode(set, index, ws);
                let noise = Some((key, (batch.first + b) as u32));
                sample::data_pass(&run.loaded, ws, power, noise, |_, _| ());
                let y = &ws.fields[ws.fields.len() - 1];
                run.loaded.detectors.read(y, set.labels[index as usize], power, 1.0, &mut ws.reading);
                let r = &ws.reading;
                (r.energies.clone(), r.scores.clone(), r.loss, r.prediction, power)
            };
            batch.indices.par_iter().enumerate().map(one).collect()
        });
        let readout = &run.program.readout;
        let n = readings.len();
        let pixels = (run.program.shape[0] * run.program.shape[1]) as f64;
        Ok(Inference {
            input_energies: readings.iter().map(|r| r.4 * pixels).collect(),
            energies: Array2::from_shape_fn((n, readout.regions), |(b, r)| readings[b].0[r]),
            scores: Array2::from_shape_fn((n, readout.classes), |(b, c)| readings[b].1[c]),
            losses: readings.iter().map(|r| r.2).collect(),
            predictions: readings.iter().map(|r| r.3).collect(),
        })
    }

    fn trace(&mut self, batch: Batch<'_>) -> Result<Trace, EngineError> {
        self.parts(batch)?;
        let set = &self.sets[batch.set.0];
        let Some(run) = &mut self.run else { return Err(check::nothing_loaded(&self.info.name)) };
        let (layout, segments) = (run.loaded.layout, run.loaded.segments);
        let (hops, n) = (run.loaded.hops.len(), batch.indices.len());
        let kept: Vec<Mutex<Vec<Field>>> = (0..n).map(|_| Mutex::new(Vec::new())).collect();
        self.pool.install(|| {
            run.passes(set, batch, |b, l, ws| lock(&kept[b]).push(ws.field(l, layout, segments)));
        });
        let samples: Vec<Vec<Field>> =
            kept.into_iter().map(|m| m.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();
        Ok(Trace {
            loss: run.used(n).iter().map(|s| s.loss).sum::<f64>() / batch.of as f64,
            gradients: run.summed(n, |g| g),
            fields: (0..=hops).map(|l| samples.iter().map(|s| s[l].clone()).collect()).collect(),
        })
    }

    fn propagate(&mut self, fields: &[Field]) -> Result<Vec<Field>, EngineError> {
        let run = self.run()?;
        check::fields(fields, &run.program, run.max_batch)?;
        let Some(run) = &self.run else { return Err(check::nothing_loaded(&self.info.name)) };
        let one = |u: &Field| {
            let ws = &mut *lock(&run.workspaces[thread()]);
            run.loaded.layout.write(u, &mut ws.fields[0]);
            let power = pixelwise::mean_intensity(&ws.fields[0], u.len());
            sample::data_pass(&run.loaded, ws, power, None, |_, _| ());
            run.loaded.layout.field(ws.last())
        };
        Ok(self.pool.install(|| fields.par_iter().map(one).collect()))
    }
}

/// Scratch of every modulator.
fn spare<T: Real>(loaded: &Loaded<T>) -> Vec<Spare<T>> {
    let pixels = loaded.layout.rows * loaded.layout.cols;
    loaded.responses.iter().map(|r| Spare::new(r, pixels)).collect()
}

/// The number of the calling thread in the engine's pool.
fn thread() -> usize {
    rayon::current_thread_index().unwrap_or(0)
}

/// A lock whose poison does not matter: workspaces are overwritten by every sample.
fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The processor's model name, where the system tells it.
fn cpu_name() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|l| l.strip_prefix("model name")?.split_once(':').map(|(_, v)| v.trim().to_owned()));
    model.unwrap_or_else(|| format!("{} CPU", std::env::consts::ARCH))
}
