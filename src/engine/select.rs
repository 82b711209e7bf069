//! Which engine runs: by name, index, or what the machine has.

use super::cpu::CpuEngine;
use super::gpu::{self, GpuEngine, Selection};
use super::{Engine, EngineError};

/// What a name means: a GPU, or the CPU engine (`None`).
///
/// * `auto`: the best real GPU, otherwise the CPU engine; never a software adapter;
/// * `cpu`: the CPU engine;
/// * `gpu`: the best adapter, software included;
/// * a number: 0 is the CPU, others are adapters as `ffm devices` numbers them;
/// * anything else: an adapter by part of its name.
///
/// # Errors
/// [`EngineError::NoDevice`] when a number is too large.
pub fn select(wanted: &str) -> Result<Option<Selection>, EngineError> {
    match (wanted.trim().to_lowercase().as_str(), wanted.trim().parse::<usize>()) {
        ("auto", _) => Ok(gpu::adapters().iter().any(|a| a.real_gpu).then_some(Selection::RealGpu)),
        ("cpu", _) | (_, Ok(0)) => Ok(None),
        ("gpu", _) => Ok(Some(Selection::Best)),
        // Numbers are those of `ffm devices`, where the CPU is 0.
        (_, Ok(number)) => match gpu::adapters().len() {
            last if number <= last => Ok(Some(Selection::Index(number - 1))),
            last => Err(EngineError::NoDevice {
                wanted: wanted.into(),
                reason: format!("the last one is {last}; list all with: ffm devices"),
            }),
        },
        (name, _) => Ok(Some(Selection::Name(name.into()))),
    }
}

/// Opens the engine that [`select`] names; the CPU engine has `threads` threads (0: one per core).
///
/// # Errors
/// [`EngineError::NoDevice`] when nothing matches.
pub fn open(wanted: &str, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
    Ok(match select(wanted)? {
        Some(selection) => Box::new(GpuEngine::new(selection)?),
        None => Box::new(CpuEngine::<f32>::new(threads)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_can_be_named_in_two_ways() {
        for name in ["cpu", "CPU", "0"] {
            assert_eq!(open(name, 1).unwrap().device().engine, "cpu");
        }
    }

    #[test]
    fn a_device_that_is_not_there_is_named() {
        let message = open("no such card", 1).err().unwrap().to_string();
        assert!(message.contains("no such card"), "{message}");
        let message = open("999", 1).err().unwrap().to_string();
        assert!(message.contains("ffm devices"), "{message}");
    }
}
