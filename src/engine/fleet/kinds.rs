//! What a fleet is made of.

use crate::engine::DeviceInfo;

/// Whether two devices round alike. The CPU engine does, whatever the number of threads.
pub(super) fn alike(a: &DeviceInfo, b: &DeviceInfo) -> bool {
    let both_cpu = a.engine == "cpu" && b.engine == "cpu";
    (a.engine, &a.name, a.precision) == (b.engine, &b.name, b.precision) && (both_cpu || a.detail == b.detail)
}

/// What a fleet of these devices is called.
pub(super) fn summary(devices: &[DeviceInfo]) -> DeviceInfo {
    let names = counted(devices.iter().map(|d| d.name.as_str()));
    let name = |&(name, n): &(&str, usize)| if n > 1 { format!("{n} x {name}") } else { name.to_owned() };
    let precisions = counted(devices.iter().map(|d| d.precision));
    let details = counted(devices.iter().map(|d| d.detail.as_str()));
    DeviceInfo {
        engine: "fleet",
        name: names.iter().map(name).collect::<Vec<_>>().join(" + "),
        precision: if let [(one, _)] = precisions[..] { one } else { "mixed precision" },
        detail: details.iter().map(|d| d.0).collect::<Vec<_>>().join("; "),
    }
}

/// Different texts in the order of their first appearance, with their numbers.
fn counted<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut seen: Vec<(&str, usize)> = Vec::new();
    for text in texts {
        match seen.iter_mut().find(|(known, _)| *known == text) {
            Some((_, times)) => *times += 1,
            None => seen.push((text, 1)),
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(engine: &'static str, name: &str, detail: &str) -> DeviceInfo {
        DeviceInfo { engine, name: name.into(), precision: "f32", detail: detail.into() }
    }

    #[test]
    fn a_fleet_is_called_by_its_devices() {
        let devices = [
            device("cpu", "EPYC", "2 threads"),
            device("gpu", "H200", "Vulkan"),
            device("gpu", "H200", "Vulkan"),
        ];
        let summary = summary(&devices);
        assert_eq!((summary.name.as_str(), summary.precision), ("EPYC + 2 x H200", "f32"));
        assert_eq!((summary.engine, summary.detail.as_str()), ("fleet", "2 threads; Vulkan"));
    }

    #[test]
    fn drivers_and_engines_may_round_differently_but_threads_do_not() {
        let gpu = device("gpu", "H200", "driver 570");
        assert!(alike(&gpu, &gpu.clone()));
        assert!(!alike(&gpu, &device("gpu", "H200", "driver 580")));
        assert!(!alike(&gpu, &device("gpu", "H100", "driver 570")));
        let cpu = device("cpu", "EPYC", "2 threads");
        assert!(alike(&cpu, &device("cpu", "EPYC", "3 threads")));
        assert!(!alike(&cpu, &DeviceInfo { precision: "f64", ..cpu.clone() }));
        assert!(!alike(&cpu, &device("gpu", "EPYC", "2 threads")));
    }
}
