//! Which engines run: by name, index, or what the machine has.

use super::cpu::CpuEngine;
use super::fleet::Fleet;
use super::gpu::{self, AdapterSummary, GpuEngine, Selection};
use super::{Engine, EngineError};

/// What the name of one device means: a GPU, or the CPU engine (`None`).
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

/// Opens the engine that [`select`] names; the CPU engine has `threads` threads (0: one per core). Several names with commas
/// between them open a [`Fleet`]: every further `gpu` is the next best adapter of the same kind (real or software), and a number
/// may be repeated, which opens one adapter several times.
///
/// # Errors
/// [`EngineError::NoDevice`] when nothing matches.
pub fn open(wanted: &str, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
    let parts = parts(wanted, &gpu::adapters());
    if let [one] = parts[..] {
        return open_one(one, threads, 0);
    }
    let mut engines = Vec::new();
    for (k, part) in parts.iter().enumerate() {
        let before = parts[..k].iter().filter(|p| p.eq_ignore_ascii_case(part)).count();
        if part.eq_ignore_ascii_case("auto") || part.is_empty() {
            let reason = "a list names its devices: cpu, gpu, numbers or names from: ffm devices".to_owned();
            return Err(EngineError::NoDevice { wanted: wanted.to_owned(), reason });
        }
        engines.push(open_one(part, threads, before)?);
    }
    Ok(Box::new(Fleet::new(engines)?))
}

/// The devices of a list. Names of adapters may hold commas themselves.
fn parts<'a>(wanted: &'a str, adapters: &[AdapterSummary]) -> Vec<&'a str> {
    let whole = wanted.trim();
    let list: Vec<&str> = whole.split(',').map(str::trim).collect();
    let numbers = list.iter().all(|part| part.parse::<usize>().is_ok());
    let name = whole.to_lowercase();
    match !numbers && !list.contains(&"") && adapters.iter().any(|a| a.name.to_lowercase().contains(&name)) {
        true => vec![whole],
        false => list,
    }
}

/// Opens one device; `before` is how often the same was asked for earlier in the list.
fn open_one(wanted: &str, threads: usize, before: usize) -> Result<Box<dyn Engine>, EngineError> {
    let selection = match before {
        more @ 1.. if wanted.eq_ignore_ascii_case("gpu") => {
            Some(Selection::Index(nth_gpu(more, &gpu::adapters())?))
        }
        _ => select(wanted)?,
    };
    Ok(match selection {
        Some(selection) => Box::new(GpuEngine::new(selection)?),
        None => Box::new(CpuEngine::<f32>::new(threads)?),
    })
}

/// The adapter that comes `before` places after the best. A program that imitates a GPU does not stand in for a missing one.
fn nth_gpu(before: usize, adapters: &[AdapterSummary]) -> Result<usize, EngineError> {
    let real = adapters.iter().any(|a| a.real_gpu);
    let ranked = gpu::best_first(adapters);
    let alike: Vec<_> = ranked.into_iter().filter(|&a| adapters[a].real_gpu == real).collect();
    alike.get(before).copied().ok_or_else(|| {
        let kind = if real { "graphics processors" } else { "adapters" };
        EngineError::NoDevice {
            wanted: vec!["gpu"; before + 1].join(","),
            reason: format!(
                "the number of {kind} here is {}; list all with: ffm devices. One adapter can be opened several times by its \
                 number: 1,1",
                alike.len()
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(index: usize, name: &str, device_type: &str) -> AdapterSummary {
        AdapterSummary {
            index,
            name: name.into(),
            backend: "Vulkan".into(),
            device_type: device_type.into(),
            driver: String::new(),
            real_gpu: device_type.ends_with("Gpu"),
            workgroup_bytes: 32 << 10,
            workgroup_threads: 1024,
            binding_bytes: 128 << 20,
            buffer_bytes: 256 << 20,
        }
    }

    #[test]
    fn the_cpu_can_be_named_in_two_ways() {
        for name in ["cpu", "CPU", "0", " cpu "] {
            assert_eq!(open(name, 1).unwrap().device().engine, "cpu");
        }
    }

    #[test]
    fn a_device_that_is_not_there_is_named() {
        let message = open("no such card", 1).err().unwrap().to_string();
        assert!(message.contains("no such card"), "{message}");
        for list in ["999", "cpu,999"] {
            let message = open(list, 1).err().unwrap().to_string();
            assert!(message.contains("\"999\"") && message.contains("ffm devices"), "{message}");
        }
    }

    #[test]
    fn a_list_is_a_fleet() {
        let fleet = open("cpu, 0", 1).unwrap();
        assert_eq!((fleet.device().engine, fleet.devices().len()), ("fleet", 2));
        for list in ["cpu,auto", "cpu,", ","] {
            let message = open(list, 1).err().unwrap().to_string();
            assert!(message.contains("a list names its devices"), "{list}: {message}");
        }
    }

    #[test]
    fn names_with_commas_are_names() {
        let adapters = [adapter(0, "llvmpipe (LLVM 15.0.6, 256 bits)", "Cpu")];
        assert_eq!(parts("LLVM 15.0.6, 256", &adapters), ["LLVM 15.0.6, 256"]);
        assert_eq!(parts("llvmpipe, 256", &adapters), ["llvmpipe", "256"]);
        assert_eq!(parts("6, 256", &adapters), ["6", "256"]);
        assert_eq!(parts(",", &adapters), ["", ""]);
    }

    #[test]
    fn further_gpus_are_the_next_best_of_the_same_kind() {
        let adapters = [
            adapter(0, "llvmpipe", "Cpu"),
            adapter(1, "Iris", "IntegratedGpu"),
            adapter(2, "H200", "DiscreteGpu"),
            adapter(3, "H200", "DiscreteGpu"),
        ];
        assert_eq!(nth_gpu(1, &adapters).unwrap(), 3);
        assert_eq!(nth_gpu(2, &adapters).unwrap(), 1);
        let message = nth_gpu(3, &adapters).unwrap_err().to_string();
        assert!(message.contains("graphics processors here is 3") && message.contains("1,1"), "{message}");
        assert!(nth_gpu(1, &adapters[..1]).is_err());
    }
}
