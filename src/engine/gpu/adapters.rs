//! Which devices there are, and which one is meant.

use wgpu::{Adapter, Backends, DeviceType, Features, Instance, InstanceDescriptor, InstanceFlags};

use crate::engine::EngineError;

use super::plan::WorkgroupLimits;

/// What to do when there is no device at all.
const INSTALL: &str = "install your graphics card's driver with Vulkan (or Metal, Direct3D 12) support, or Mesa's \
     software Vulkan (Debian, Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1), or use the CPU engine";

/// A device as `ffm devices` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterSummary {
    /// Number by which it can be chosen.
    pub index: usize,
    /// Device name.
    pub name: String,
    /// `Vulkan`, `Metal`, `Dx12`.
    pub backend: String,
    /// `DiscreteGpu`, `IntegratedGpu`, `VirtualGpu`, `Cpu`, `Other`.
    pub device_type: String,
    /// Driver and its version.
    pub driver: String,
    /// Whether it is a graphics processor, not a program that imitates one.
    pub real_gpu: bool,
    /// Bytes of workgroup memory, which bounds transform lengths.
    pub workgroup_bytes: u32,
    /// Threads of a workgroup.
    pub workgroup_threads: u32,
    /// Largest array a shader can see, in bytes; bounds the samples that run at once.
    pub binding_bytes: u64,
    /// Largest buffer, bytes.
    pub buffer_bytes: u64,
}

/// Which device is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// The best: discrete before integrated before virtual before software.
    #[default]
    Best,
    /// The best graphics processor; software does not count.
    RealGpu,
    /// By number in [`adapters`].
    Index(usize),
    /// By a part of the name, upper and lower case alike.
    Name(String),
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Best => f.write_str("any"),
            Self::RealGpu => f.write_str("any graphics processor"),
            Self::Index(index) => write!(f, "number {index}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// All devices that compute shaders can run on.
pub fn adapters() -> Vec<AdapterSummary> {
    enumerate().iter().enumerate().map(|(index, adapter)| summary(index, adapter)).collect()
}

/// Numbers of adapters, the best first.
pub(crate) fn best_first(found: &[AdapterSummary]) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..found.len()).collect();
    numbers.sort_by_key(|&k| (rank(&found[k].device_type), k));
    numbers
}

/// The device that a selection means.
pub(super) fn choose(selection: &Selection) -> Result<Adapter, EngineError> {
    let found = enumerate();
    let summaries: Vec<_> = found.iter().enumerate().map(|(index, a)| summary(index, a)).collect();
    let index = pick(selection, &summaries)?;
    Ok(found.into_iter().nth(index).expect("picked from these"))
}

fn enumerate() -> Vec<Adapter> {
    let flags = if cfg!(debug_assertions) { InstanceFlags::VALIDATION } else { InstanceFlags::empty() };
    let descriptor = InstanceDescriptor {
        backends: Backends::VULKAN | Backends::METAL | Backends::DX12,
        flags,
        ..InstanceDescriptor::new_without_display_handle()
    };
    pollster::block_on(Instance::new(descriptor).enumerate_adapters(Backends::all()))
}

fn rank(device_type: &str) -> usize {
    let order = ["DiscreteGpu", "IntegratedGpu", "VirtualGpu", "Other", "Cpu"];
    order.iter().position(|&name| name == device_type).unwrap_or(order.len())
}

fn pick(selection: &Selection, found: &[AdapterSummary]) -> Result<usize, EngineError> {
    let refuse = |reason: String| EngineError::NoDevice { wanted: selection.to_string(), reason };
    if found.is_empty() {
        return Err(refuse(format!("no device can run compute shaders; {INSTALL}")));
    }
    let best = |candidates: &mut dyn Iterator<Item = &AdapterSummary>| {
        candidates.min_by_key(|a| (rank(&a.device_type), a.index)).map(|a| a.index)
    };
    let listed = || {
        let names: Vec<_> = found.iter().map(|a| format!("{} ({})", a.name, a.backend)).collect();
        names.join("; ")
    };
    let picked = match selection {
        Selection::Best => best(&mut found.iter()),
        Selection::RealGpu => best(&mut found.iter().filter(|a| a.real_gpu)),
        Selection::Index(index) => found.get(*index).map(|a| a.index),
        Selection::Name(part) => {
            let part = part.to_lowercase();
            best(&mut found.iter().filter(|a| a.name.to_lowercase().contains(&part)))
        }
    };
    picked.ok_or_else(|| refuse(format!("there are: {}; choose one of these, or the CPU engine", listed())))
}

fn summary(index: usize, adapter: &Adapter) -> AdapterSummary {
    let info = adapter.get_info();
    let limits = adapter.limits();
    AdapterSummary {
        index,
        name: info.name,
        backend: format!("{:?}", info.backend),
        device_type: format!("{:?}", info.device_type),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        real_gpu: is_real(info.device_type),
        workgroup_bytes: limits.max_compute_workgroup_storage_size,
        workgroup_threads: limits.max_compute_invocations_per_workgroup,
        binding_bytes: limits.max_storage_buffer_binding_size,
        buffer_bytes: limits.max_buffer_size,
    }
}

fn is_real(device_type: DeviceType) -> bool {
    matches!(device_type, DeviceType::DiscreteGpu | DeviceType::IntegratedGpu | DeviceType::VirtualGpu)
}

/// What bounds the plans of a device.
pub(super) fn workgroup_limits(adapter: &Adapter) -> WorkgroupLimits {
    let limits = adapter.limits();
    let across = limits.max_compute_workgroup_size_x;
    WorkgroupLimits {
        bytes: limits.max_compute_workgroup_storage_size,
        threads: limits.max_compute_invocations_per_workgroup.min(across),
        software: adapter.get_info().device_type == DeviceType::Cpu,
        subgroups: adapter.features().contains(Features::SUBGROUP),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(index: usize, name: &str, device_type: &str) -> AdapterSummary {
        AdapterSummary {
            index,
            name: name.to_owned(),
            backend: "Vulkan".to_owned(),
            device_type: device_type.to_owned(),
            driver: String::new(),
            real_gpu: device_type.ends_with("Gpu"),
            workgroup_bytes: 32 << 10,
            workgroup_threads: 1024,
            binding_bytes: 128 << 20,
            buffer_bytes: 256 << 20,
        }
    }

    #[test]
    fn the_best_device_comes_first_and_software_last() {
        let found = [
            device(0, "llvmpipe", "Cpu"),
            device(1, "Iris", "IntegratedGpu"),
            device(2, "H200", "DiscreteGpu"),
        ];
        assert_eq!(pick(&Selection::Best, &found).expect("there is one"), 2);
        assert_eq!(pick(&Selection::Best, &found[..1]).expect("software counts"), 0);
        assert_eq!(pick(&Selection::Name("IRIS".to_owned()), &found).expect("case is ignored"), 1);
        assert_eq!(pick(&Selection::Index(1), &found).expect("it is listed"), 1);
        assert!(pick(&Selection::RealGpu, &found[..1]).is_err());
    }

    #[test]
    fn refusals_say_what_there_is_or_what_to_install() {
        let error = pick(&Selection::Best, &[]).expect_err("nothing there").to_string();
        assert!(error.contains("mesa-vulkan-drivers"), "{error}");
        let found = [device(0, "llvmpipe", "Cpu")];
        let error = pick(&Selection::Name("h200".to_owned()), &found).expect_err("not there").to_string();
        assert!(error.contains("h200") && error.contains("llvmpipe"), "{error}");
    }
}
