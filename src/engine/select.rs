//! Which engine runs: by name, index, or what the machine has.

use super::cpu::CpuEngine;
use super::gpu::{self, GpuEngine, Selection};
use super::{Engine, EngineError};

/// Opens an engine.
///
/// * `auto`: the best real GPU, otherwise the CPU engine; never a software adapter;
/// * `cpu`: the CPU engine with `threads` threads (0: one per core);
/// * `gpu`: the best adapter, software included;
/// * a number: 0 is the CPU, others are adapters as `ffm devices` numbers them;
/// * anything else: an adapter by part of its name.
///
/// # Errors
/// [`EngineError::NoDevice`] when nothing matches.
pub fn open(wanted: &str, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
    let gpu = |selection| Ok(Box::new(GpuEngine::new(selection)?) as Box<dyn Engine>);
    let cpu = || Ok(Box::new(CpuEngine::<f32>::new(threads)?) as Box<dyn Engine>);
    match (wanted.trim().to_lowercase().as_str(), wanted.trim().parse::<usize>()) {
        ("auto", _) => match gpu::adapters().iter().any(|a| a.real_gpu) {
            true => gpu(Selection::RealGpu),
            false => cpu(),
        },
        ("cpu", _) | (_, Ok(0)) => cpu(),
        ("gpu", _) => gpu(Selection::Best),
        // Numbers are those of `ffm devices`, where the CPU is 0.
        (_, Ok(number)) => match gpu::adapters().len() {
            last if number <= last => gpu(Selection::Index(number - 1)),
            last => Err(EngineError::NoDevice {
                wanted: wanted.into(),
                reason: format!("the last one is {last}; list all with: ffm devices"),
            }),
        },
        (name, _) => gpu(Selection::Name(name.into())),
    }
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
