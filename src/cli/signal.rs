//! Ctrl-C: the first asks the run to stop after the step in flight, the second ends at once.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

/// Set by the first Ctrl-C (or TERM).
pub(super) static STOP: AtomicBool = AtomicBool::new(false);

/// Installs the handler.
///
/// # Errors
/// When the system refuses.
pub(super) fn install() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(super::exit::INTERRUPTED));
        }
        eprintln!("\nstopping after this step; press Ctrl-C again to stop at once");
    })
    .context("cannot listen for Ctrl-C")
}
