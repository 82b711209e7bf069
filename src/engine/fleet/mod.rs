//! A fleet: several devices as one engine, for training with data in parallel.
//!
//! A batch is cut into contiguous shares of equal size. Every member runs data and error pass of its share, with the noise
//! that the samples have in the whole batch; the sums of gradients are added on the host in `f64`, in the order of the
//! members, and every member makes the same update on its own copy of masks and moments. So a fleet gives what one engine
//! gives, up to the rounding of sums, and the same fleet gives the same bits every time: shares depend on numbers of samples
//! only, never on speed.
//!
//! Devices of different kinds round an update differently. There the first member makes it and the others copy its state, so
//! that all copies are equal at every step, whatever the fleet is made of.

mod kinds;
mod member;
mod shares;

use std::sync::Arc;

use ndarray::{Array2, Axis, concatenate};

use super::{
    Batch, DeviceInfo, Engine, EngineError, Exposure, ImageSet, Inference, Program, SetId, State, Tally,
    Trace, Update, check,
};
use crate::optics::Field;
use kinds::{alike, summary};
use member::{Answer, Member};
use shares::{add, largest, shares};

/// Several engines that train as one.
pub struct Fleet {
    members: Vec<Member>,
    info: DeviceInfo,
    /// Numbers of the image sets at each member.
    sets: Vec<Vec<SetId>>,
    /// The largest batch of the loaded program.
    loaded: Option<usize>,
}

impl Fleet {
    /// A fleet of these engines; the first is the one whose state is read.
    ///
    /// # Errors
    /// [`EngineError::NoDevice`] without any engine; [`EngineError::Device`] when a thread cannot be started.
    pub fn new(engines: Vec<Box<dyn Engine>>) -> Result<Self, EngineError> {
        let infos: Vec<DeviceInfo> = engines.iter().map(|e| e.device().clone()).collect();
        let Some(lead) = infos.first() else {
            let reason = "a fleet needs at least one device".to_owned();
            return Err(EngineError::NoDevice { wanted: String::new(), reason });
        };
        let start = |(k, engine): (usize, Box<dyn Engine>)| {
            Member::start(engine, (k, infos.len()), alike(lead, &infos[k]))
        };
        let members = engines.into_iter().enumerate().map(start).collect::<Result<_, _>>()?;
        Ok(Self { members, info: summary(&infos), sets: Vec::new(), loaded: None })
    }

    /// Runs a job on all members at once; results in their order.
    fn all<R: Send + 'static>(
        &self,
        job: impl Fn(&mut dyn Engine) -> Result<R, EngineError> + Send + Sync + 'static,
    ) -> Result<Vec<R>, EngineError> {
        let job = Arc::new(job);
        let ask = |member: &Member| {
            let job = Arc::clone(&job);
            member.ask(move |engine| job(engine))
        };
        collect(self.members.iter().map(ask).collect())
    }

    /// Runs the shares of a batch; results of the members that have one, in their order.
    fn spread<R: Send + 'static>(
        &self,
        batch: Batch<'_>,
        job: impl Fn(&mut dyn Engine, Batch<'_>) -> Result<R, EngineError> + Copy + Send + 'static,
    ) -> Result<Vec<R>, EngineError> {
        check::count("batch size", batch.indices.len(), self.max_batch()?)?;
        let Some(sets) = self.sets.get(batch.set.0) else {
            return Err(check::no_set(self.sets.len(), batch.set));
        };
        let ranges = shares(batch.indices.len(), self.members.len());
        let ask = |((member, &set), range)| {
            let Batch { indices, seed, step, first, of, .. } = batch.share(range);
            let indices = indices.to_vec();
            let run = move |engine: &mut dyn Engine| {
                job(engine, Batch { set, indices: &indices, seed, step, first, of })
            };
            Member::ask(member, run)
        };
        collect(self.members.iter().zip(sets).zip(ranges).map(ask).collect())
    }

    fn max_batch(&self) -> Result<usize, EngineError> {
        self.loaded.ok_or_else(|| check::nothing_loaded(&self.info.name))
    }

    /// Samples that a member has to hold.
    fn largest_share(&self, max_batch: usize) -> usize {
        largest(max_batch, self.members.len())
    }

    /// Asks the first member.
    fn lead<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut dyn Engine) -> Result<R, EngineError> + Send + 'static,
    ) -> Result<R, EngineError> {
        self.members[0].ask(job).wait()
    }
}

/// All answers, or the most telling error: a loss before anything else, then the first. Waits for all, so that no member is
/// still at work.
fn collect<R>(answers: Vec<Answer<R>>) -> Result<Vec<R>, EngineError> {
    let (mut results, mut error) = (Vec::with_capacity(answers.len()), None);
    for answer in answers {
        match answer.wait() {
            Ok(result) => results.push(result),
            Err(lost @ EngineError::Lost { .. }) if !matches!(error, Some(EngineError::Lost { .. })) => {
                error = Some(lost);
            }
            Err(other) => error = error.or(Some(other)),
        }
    }
    error.map_or(Ok(results), Err)
}

impl Engine for Fleet {
    fn device(&self) -> &DeviceInfo {
        &self.info
    }

    fn devices(&self) -> Vec<DeviceInfo> {
        self.members.iter().map(|m| m.info().clone()).collect()
    }

    fn transform_length(&self, minimum: usize) -> Result<usize, EngineError> {
        // The smallest length that is every member's answer to itself.
        let mut length = minimum;
        loop {
            let answers = self.all(move |engine| engine.transform_length(length))?;
            match answers.into_iter().max() {
                Some(longer) if longer > length => length = longer,
                _ => return Ok(length),
            }
        }
    }

    fn memory_needed(&self, program: &Program, max_batch: usize) -> u64 {
        self.memory_by_device(program, max_batch).into_iter().fold(0, u64::saturating_add)
    }

    fn memory_by_device(&self, program: &Program, max_batch: usize) -> Vec<u64> {
        let (program, share) = (program.clone(), self.largest_share(max_batch));
        let needed = self.all(move |engine| Ok(engine.memory_needed(&program, share)));
        // A member that cannot answer cannot hold it either; `load` says why.
        needed.unwrap_or_else(|_| vec![u64::MAX; self.members.len()])
    }

    fn load(&mut self, program: &Program, max_batch: usize) -> Result<(), EngineError> {
        check::program(program, max_batch)?;
        self.loaded = None;
        let (program, share) = (program.clone(), self.largest_share(max_batch));
        self.all(move |engine| engine.load(&program, share))?;
        self.loaded = Some(max_batch);
        Ok(())
    }

    fn replace(&mut self, program: &Program) -> Result<(), EngineError> {
        let program = program.clone();
        self.all(move |engine| engine.replace(&program)).map(drop)
    }

    fn upload(&mut self, images: &ImageSet) -> Result<SetId, EngineError> {
        let images = images.clone();
        let numbers = self.all(move |engine| engine.upload(&images))?;
        self.sets.push(numbers);
        Ok(SetId(self.sets.len() - 1))
    }

    fn clear_sets(&mut self) {
        self.sets.clear();
        let forget = |engine: &mut dyn Engine| {
            engine.clear_sets();
            Ok(())
        };
        // A member whose thread has ended has no sets; whatever is asked of it next says so.
        let _gone = self.all(forget);
    }

    fn set_state(&mut self, state: &State) -> Result<(), EngineError> {
        let state = state.clone();
        self.all(move |engine| engine.set_state(&state)).map(drop)
    }

    fn state(&mut self) -> Result<State, EngineError> {
        self.lead(|engine| engine.state())
    }

    fn masks(&mut self) -> Result<Vec<Field>, EngineError> {
        self.lead(|engine| engine.masks())
    }

    fn set_exposure(&mut self, exposure: &Exposure) -> Result<(), EngineError> {
        let exposure = exposure.clone();
        self.all(move |engine| engine.set_exposure(&exposure)).map(drop)
    }

    fn train(&mut self, batch: Batch<'_>, update: Update) -> Result<(), EngineError> {
        let gradients = self.gradients(batch)?;
        self.apply(&gradients, update)
    }

    fn gradients(&mut self, batch: Batch<'_>) -> Result<Vec<Array2<f32>>, EngineError> {
        let parts = self.spread(batch, |engine, share| engine.gradients(share))?;
        Ok(add(&parts, |sum| sum as f32))
    }

    fn apply(&mut self, gradients: &[Array2<f32>], update: Update) -> Result<(), EngineError> {
        let gradients: Arc<[_]> = gradients.into();
        let ask = |member: &Member| {
            let gradients = Arc::clone(&gradients);
            member.ask(move |engine| engine.apply(&gradients, update))
        };
        collect(self.members.iter().filter(|m| m.like_lead).map(ask).collect())?;
        if self.members.iter().all(|m| m.like_lead) {
            return Ok(());
        }
        let state = Arc::new(self.state()?);
        let copy = |member: &Member| {
            let state = Arc::clone(&state);
            member.ask(move |engine| engine.set_state(&state))
        };
        collect(self.members.iter().filter(|m| !m.like_lead).map(copy).collect()).map(drop)
    }

    fn take_tally(&mut self) -> Result<Tally, EngineError> {
        let mut sum = Tally::default();
        for tally in self.all(|engine| engine.take_tally())? {
            sum.loss += tally.loss;
            sum.correct += tally.correct;
            sum.samples += tally.samples;
        }
        Ok(sum)
    }

    fn infer(&mut self, batch: Batch<'_>) -> Result<Inference, EngineError> {
        let parts = self.spread(batch, |engine, share| engine.infer(share))?;
        let rows = |of: fn(&Inference) -> &Array2<f64>| {
            let views: Vec<_> = parts.iter().map(|p| of(p).view()).collect();
            concatenate(Axis(0), &views).expect("members run one program: as many columns")
        };
        Ok(Inference {
            energies: rows(|p| &p.energies),
            input_energies: parts.iter().flat_map(|p| &p.input_energies).copied().collect(),
            scores: rows(|p| &p.scores),
            losses: parts.iter().flat_map(|p| &p.losses).copied().collect(),
            predictions: parts.iter().flat_map(|p| &p.predictions).copied().collect(),
        })
    }

    fn trace(&mut self, batch: Batch<'_>) -> Result<Trace, EngineError> {
        let mut parts = self.spread(batch, |engine, share| engine.trace(share))?;
        let gradients: Vec<_> = parts.iter_mut().map(|p| std::mem::take(&mut p.gradients)).collect();
        let mut whole = Trace {
            loss: parts.iter().map(|p| p.loss).sum(),
            gradients: add(&gradients, |sum| sum),
            fields: Vec::new(),
        };
        for part in parts {
            whole.fields.resize_with(part.fields.len(), Vec::new);
            for (all, some) in whole.fields.iter_mut().zip(part.fields) {
                all.extend(some);
            }
        }
        Ok(whole)
    }

    fn propagate(&mut self, fields: &[Field]) -> Result<Vec<Field>, EngineError> {
        check::count("number of fields", fields.len(), self.max_batch()?)?;
        let ask = |(member, range): (&Member, std::ops::Range<usize>)| {
            let share = fields[range].to_vec();
            member.ask(move |engine| engine.propagate(&share))
        };
        let parts = self.members.iter().zip(shares(fields.len(), self.members.len())).map(ask).collect();
        Ok(collect(parts)?.into_iter().flatten().collect())
    }
}
