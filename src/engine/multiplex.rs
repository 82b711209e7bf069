//! Wavelength multiplexing: one set of masks, several wavelengths, each with an engine that runs the system as it is there.
//!
//! Image `j` of a set belongs to wavelength `j mod K`: sets are interleaved, so that a batch is a mixture, and a mean over it a mean
//! over wavelengths. Every engine takes the samples of its wavelength. A mask that is commanded the phase `phi` acts as
//! `s_k phi` at wavelength `k` ([`Channel`](super::Channel)), so that its gradient there is `s_k` times that of the phase that acts; amplitudes act as they are. The
//! gradients are added on the host, in `f64` and in the order of wavelengths, and every engine makes the same update: all hold
//! the same state.

use ndarray::Array2;

use super::{
    Batch, DeviceInfo, Engine, EngineError, Exposure, ImageSet, Inference, Program, Quantity, SetId, State,
    Tally, Trace, Update, check,
};
use crate::optics::Field;

/// Engines of one kind, one for each wavelength.
pub struct Multiplex {
    members: Vec<Box<dyn Engine>>,
    /// Numbers of the image sets at each member, and the images of the whole.
    sets: Vec<(Vec<SetId>, usize)>,
    loaded: Option<Loaded>,
}

/// What is loaded.
struct Loaded {
    /// Phase scales of the wavelengths.
    scales: Vec<f64>,
    /// What the arrays of commands set: amplitudes are the same at all wavelengths.
    quantities: Vec<Quantity>,
    classes: usize,
    regions: usize,
    hops: usize,
    max_batch: usize,
}

/// Samples of a batch that run at once at a member.
struct Piece {
    member: usize,
    /// Their places in the batch.
    places: Vec<usize>,
    /// Their numbers in the member's set.
    indices: Vec<u32>,
    /// How many samples of the batch run before them.
    before: usize,
}

impl Multiplex {
    /// As many engines as there are wavelengths, all of one kind: they must round alike, so that their copies of the masks stay
    /// equal.
    ///
    /// # Errors
    /// [`EngineError::NoDevice`] without any, or where they differ.
    pub fn new(members: Vec<Box<dyn Engine>>) -> Result<Self, EngineError> {
        let refuse =
            |reason: &str| EngineError::NoDevice { wanted: String::new(), reason: reason.to_owned() };
        let Some(first) = members.first() else {
            return Err(refuse("several wavelengths need an engine each"));
        };
        if members.iter().any(|m| m.device() != first.device()) {
            return Err(refuse("the engines of several wavelengths must be of one kind"));
        }
        Ok(Self { members, sets: Vec::new(), loaded: None })
    }

    fn loaded(&self) -> Result<&Loaded, EngineError> {
        self.loaded.as_ref().ok_or_else(|| check::nothing_loaded(&self.members[0].device().name))
    }

    /// Samples that a member takes at once: its share of a batch of all wavelengths alike.
    fn share(&self, max_batch: usize) -> usize {
        max_batch.div_ceil(self.members.len())
    }

    /// Who runs what of a batch, in the order of wavelengths.
    fn route(&self, batch: Batch<'_>) -> Result<Vec<Piece>, EngineError> {
        let (loaded, count) = (self.loaded()?, self.members.len());
        check::count("batch size", batch.indices.len(), loaded.max_batch)?;
        let Some((_, images)) = self.sets.get(batch.set.0) else {
            return Err(check::no_set(self.sets.len(), batch.set));
        };
        if let Some(&wrong) = batch.indices.iter().find(|&&i| i as usize >= *images) {
            return Err(check::image_number(*images, wrong));
        }
        let (mut pieces, mut before) = (Vec::new(), 0);
        for member in 0..count {
            let of_member = |&b: &usize| batch.indices[b] as usize % count == member;
            let places: Vec<usize> = (0..batch.indices.len()).filter(of_member).collect();
            for places in places.chunks(self.share(loaded.max_batch)) {
                let indices = places.iter().map(|&b| batch.indices[b] / count as u32).collect();
                pieces.push(Piece { member, places: places.to_vec(), indices, before });
                before += places.len();
            }
        }
        Ok(pieces)
    }

    /// Runs the pieces of a batch one after the other.
    fn run<R>(
        &mut self,
        batch: Batch<'_>,
        mut job: impl FnMut(&mut dyn Engine, Batch<'_>) -> Result<R, EngineError>,
    ) -> Result<Vec<(Piece, R)>, EngineError> {
        let pieces = self.route(batch)?;
        let Self { members, sets, .. } = self;
        let numbers = &sets[batch.set.0].0;
        let one = |piece: Piece| {
            let (set, first) = (numbers[piece.member], batch.first + piece.before);
            let share = Batch { set, indices: &piece.indices, first, ..batch };
            let result = job(&mut *members[piece.member], share)?;
            Ok((piece, result))
        };
        pieces.into_iter().map(one).collect()
    }

    /// Gradients of the commanded phase from those of the phases that act.
    fn sum<T: Copy + Into<f64>, V>(
        &self,
        parts: &[(usize, Vec<Array2<T>>)],
        narrow: impl Fn(f64) -> V,
    ) -> Result<Vec<Array2<V>>, EngineError> {
        let Loaded { scales, quantities, .. } = self.loaded()?;
        let masks = parts.iter().map(|(_, gradients)| gradients.len()).min().unwrap_or(0);
        let one = |m: usize| {
            let mut sum = Array2::<f64>::zeros(parts[0].1[m].raw_dim());
            for (member, gradients) in parts {
                let scale = if quantities[m] == Quantity::Phase { scales[*member] } else { 1.0 };
                sum.zip_mut_with(&gradients[m], |sum, &g| *sum += scale * g.into());
            }
            sum.map(|&v| narrow(v))
        };
        Ok((0..masks).map(one).collect())
    }

    fn each<R>(
        &mut self,
        mut job: impl FnMut(usize, &mut dyn Engine) -> Result<R, EngineError>,
    ) -> Result<Vec<R>, EngineError> {
        self.members.iter_mut().enumerate().map(|(k, member)| job(k, &mut **member)).collect()
    }

    /// Refuses a program of another number of wavelengths.
    fn check(&self, program: &Program) -> Result<(), EngineError> {
        match program.channels.len() == self.members.len() {
            true => Ok(()),
            false => Err(check::wavelengths(self.members.len(), program.channels.len())),
        }
    }
}

impl Engine for Multiplex {
    fn device(&self) -> &DeviceInfo {
        self.members[0].device()
    }

    fn devices(&self) -> Vec<DeviceInfo> {
        self.members[0].devices()
    }

    fn transform_length(&self, minimum: usize) -> Result<usize, EngineError> {
        self.members[0].transform_length(minimum)
    }

    fn memory_needed(&self, program: &Program, max_batch: usize) -> u64 {
        self.memory_by_device(program, max_batch).into_iter().fold(0, u64::saturating_add)
    }

    fn memory_by_device(&self, program: &Program, max_batch: usize) -> Vec<u64> {
        let mut sums = vec![0_u64; self.devices().len()];
        for (k, member) in self.members.iter().enumerate().take(program.channels.len()) {
            let needed = member.memory_by_device(&program.channel(k), self.share(max_batch));
            sums.iter_mut().zip(needed).for_each(|(sum, bytes)| *sum = sum.saturating_add(bytes));
        }
        sums
    }

    fn load(&mut self, program: &Program, max_batch: usize) -> Result<(), EngineError> {
        self.check(program)?;
        check::count("batch size", max_batch, usize::MAX)?;
        self.loaded = None;
        let share = self.share(max_batch);
        self.each(|k, member| member.load(&program.channel(k), share))?;
        self.loaded = Some(Loaded {
            scales: program.channels.iter().map(|c| c.phase_scale).collect(),
            quantities: program.parameters().iter().map(|p| p.quantity).collect(),
            classes: program.readout.classes,
            regions: program.readout.regions,
            hops: program.hops.len(),
            max_batch,
        });
        Ok(())
    }

    fn replace(&mut self, program: &Program) -> Result<(), EngineError> {
        self.check(program)?;
        self.each(|k, member| member.replace(&program.channel(k))).map(drop)
    }

    fn upload(&mut self, images: &ImageSet) -> Result<SetId, EngineError> {
        let count = self.members.len();
        let numbers = self.each(|k, member| member.upload(&every(images, k, count)))?;
        self.sets.push((numbers, images.len()));
        Ok(SetId(self.sets.len() - 1))
    }

    fn clear_sets(&mut self) {
        self.sets.clear();
        self.members.iter_mut().for_each(|member| member.clear_sets());
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        self.each(|_, member| member.set_state(state)).map(drop)
    }

    fn state(&mut self) -> Result<State, EngineError> {
        self.members[0].state()
    }

    fn masks(&mut self) -> Result<Vec<Field>, EngineError> {
        self.members[0].masks()
    }

    fn set_exposure(&mut self, exposure: &Exposure) -> Result<(), EngineError> {
        let (hops, count) = (self.loaded()?.hops, self.members.len());
        check::exposure(exposure, hops * count)?;
        let part = |levels: &[f64], k: usize| levels[k * hops..(k + 1) * hops].to_vec();
        self.each(|k, member| {
            let own = Exposure { data: part(&exposure.data, k), error: part(&exposure.error, k) };
            member.set_exposure(&own)
        })
        .map(drop)
    }

    fn train(&mut self, batch: Batch<'_>, update: Update) -> Result<(), EngineError> {
        let gradients = self.gradients(batch)?;
        self.apply(&gradients, update)
    }

    fn gradients(&mut self, batch: Batch<'_>) -> Result<Vec<Array2<f32>>, EngineError> {
        let parts = self.run(batch, |engine, share| engine.gradients(share))?;
        let parts: Vec<_> = parts.into_iter().map(|(piece, g)| (piece.member, g)).collect();
        self.sum(&parts, |v| v as f32)
    }

    fn apply(&mut self, gradients: &[Array2<f32>], update: Update) -> Result<(), EngineError> {
        self.each(|_, member| member.apply(gradients, update)).map(drop)
    }

    fn take_tally(&mut self) -> Result<Tally, EngineError> {
        let mut sum = Tally::default();
        for tally in self.each(|_, member| member.take_tally())? {
            sum.loss += tally.loss;
            sum.correct += tally.correct;
            sum.samples += tally.samples;
        }
        Ok(sum)
    }

    fn infer(&mut self, batch: Batch<'_>) -> Result<Inference, EngineError> {
        let parts = self.run(batch, |engine, share| engine.infer(share))?;
        let (loaded, n) = (self.loaded()?, batch.indices.len());
        let mut whole = Inference {
            energies: Array2::zeros((n, loaded.regions)),
            input_energies: vec![0.0; n],
            scores: Array2::zeros((n, loaded.classes)),
            losses: vec![0.0; n],
            predictions: vec![0; n],
        };
        for (piece, part) in parts {
            for (at, &b) in piece.places.iter().enumerate() {
                whole.energies.row_mut(b).assign(&part.energies.row(at));
                whole.scores.row_mut(b).assign(&part.scores.row(at));
                whole.input_energies[b] = part.input_energies[at];
                whole.losses[b] = part.losses[at];
                whole.predictions[b] = part.predictions[at];
            }
        }
        Ok(whole)
    }

    fn trace(&mut self, batch: Batch<'_>) -> Result<Trace, EngineError> {
        let parts = self.run(batch, |engine, share| engine.trace(share))?;
        let (mut loss, mut gradients) = (0.0, Vec::new());
        let mut fields = vec![vec![Field::zeros((0, 0)); batch.indices.len()]; self.loaded()?.hops + 1];
        for (piece, part) in parts {
            loss += part.loss;
            gradients.push((piece.member, part.gradients));
            for (all, some) in fields.iter_mut().zip(part.fields) {
                piece.places.iter().zip(some).for_each(|(&b, field)| all[b] = field);
            }
        }
        Ok(Trace { loss, gradients: self.sum(&gradients, |v| v)?, fields })
    }

    /// At the first wavelength.
    fn propagate(&mut self, fields: &[Field]) -> Result<Vec<Field>, EngineError> {
        let share = self.share(self.loaded()?.max_batch);
        check::count("number of fields", fields.len(), self.loaded()?.max_batch)?;
        let mut results = Vec::with_capacity(fields.len());
        for some in fields.chunks(share) {
            results.extend(self.members[0].propagate(some)?);
        }
        Ok(results)
    }
}

/// Every `count`th image from `k` on.
fn every(images: &ImageSet, k: usize, count: usize) -> ImageSet {
    let size = images.size[0] * images.size[1];
    let chosen = || (k..images.len()).step_by(count);
    ImageSet {
        size: images.size,
        pixels: chosen().flat_map(|j| &images.pixels[j * size..(j + 1) * size]).copied().collect(),
        labels: chosen().map(|j| images.labels[j]).collect(),
    }
}
