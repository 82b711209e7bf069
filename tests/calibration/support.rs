//! What several of these tests begin with.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use ffm_twin::lab::{Asked, Extent, Recorded, Truth, record};
use ffm_twin::twin::SystemConfig;

/// 64 x 64 pixels before a near camera.
pub(crate) const BENCH: &str = "[optics]\npixels = 64\npitch = '25 um'\nlayers = 1\ndistance = '0.2 m'\n";

/// Nobody stops the laboratory.
static NEVER: AtomicBool = AtomicBool::new(false);

/// What the laboratory records of a bench with a hidden truth, or of the frames that `plan` has in place of `extent`.
pub(crate) fn record_all(
    dir: &Path,
    system: &SystemConfig,
    truth: &str,
    seed: u64,
    (extent, plan): (Extent, Option<&Path>),
) -> Recorded {
    let truth: Truth = toml::from_str(truth).unwrap();
    let asked = Asked { name: "bench", system, truth: &truth, seed, fine: 3, plan, extent, stop: &NEVER };
    record(&asked, dir, &dir.join("truth.toml"), &mut |_, _| {}).unwrap()
}

/// The same of a bench that is a text.
pub(crate) fn observe(dir: &Path, bench: &str, truth: &str, seed: u64, extent: Extent) -> Recorded {
    record_all(dir, &toml::from_str(bench).unwrap(), truth, seed, (extent, None))
}
