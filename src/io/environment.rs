//! Where and with what a run was made.

use serde::Serialize;

#[derive(Serialize)]
struct Environment<'a> {
    version: &'static str,
    commit: &'static str,
    command: &'a str,
    /// All devices, each as it was opened.
    devices: &'a [String],
    seed: u64,
    system: String,
    processors: usize,
    time: String,
}

/// Commit that was built; `unknown` outside a repository.
pub const COMMIT: &str = env!("FFM_COMMIT");

/// `env.json` of a run.
pub fn environment_json(devices: &[String], seed: u64, command: &str) -> String {
    let environment = Environment {
        version: env!("CARGO_PKG_VERSION"),
        commit: COMMIT,
        command,
        devices,
        seed,
        system: system(),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        time: jiff::Timestamp::now().to_string(),
    };
    serde_json::to_string_pretty(&environment).unwrap_or_default()
}

/// Operating system and architecture.
pub fn system() -> String {
    format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)
}
