//! What a device complains of outside of any error scope, and its loss.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wgpu::{Device, PollType};

/// A complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Too little memory.
    Memory(String),
    /// Anything else that leaves the device alive.
    Device(String),
    /// The device is gone.
    Lost(String),
}

/// The complaints of a device. When an engine is dropped they go with it: nobody takes the intended end of a device for a
/// loss.
#[derive(Debug)]
pub(super) struct Faults(Arc<Mutex<Record>>);

/// The first complaint, or the loss: the rest follow from it.
type Record = Option<Fault>;

fn note(record: &Mutex<Record>, new: Fault) {
    let mut record = lock(record);
    let loss = matches!(new, Fault::Lost(_));
    let known = matches!(*record, Some(Fault::Lost(_)));
    if !known && (loss || record.is_none()) {
        *record = Some(new);
    }
}

impl Faults {
    /// Listens to a device.
    pub(super) fn of(device: &Device) -> Self {
        let faults = Self(Arc::default());
        let record = Arc::clone(&faults.0);
        device.on_uncaptured_error(Arc::new(move |error| {
            let new = match error {
                wgpu::Error::OutOfMemory { .. } => Fault::Memory("while running".to_owned()),
                other => Fault::Device(other.to_string()),
            };
            note(&record, new);
        }));
        let record = Arc::clone(&faults.0);
        device.set_device_lost_callback(move |reason, message| {
            let text = match (reason, message.is_empty()) {
                (wgpu::DeviceLostReason::Destroyed, _) => "it was destroyed".to_owned(),
                (_, true) => "the driver gives no reason".to_owned(),
                (_, false) => message,
            };
            note(&record, Fault::Lost(text));
        });
        faults
    }

    /// What was complained of since the last call; a loss stays for ever.
    pub(super) fn take(&self) -> Option<Fault> {
        let mut record = lock(&self.0);
        match *record {
            Some(Fault::Lost(_)) => record.clone(),
            _ => record.take(),
        }
    }

    /// Why the device was lost, if it was.
    pub(super) fn loss(&self) -> Option<String> {
        match &*lock(&self.0) {
            Some(Fault::Lost(reason)) => Some(reason.clone()),
            _ => None,
        }
    }

    /// Polls a device.
    ///
    /// # Errors
    /// What it says when it cannot; a loss is noted besides.
    pub(super) fn poll(&self, device: &Device, what: PollType) -> Result<(), String> {
        self.survive(|| device.poll(what).map(drop).map_err(|e| e.to_string()))
    }

    /// wgpu panics where a driver reports the loss of its device to a poll; here that is a loss like any other.
    fn survive(&self, poll: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
        // Nothing of ours is changed by the closure, and wgpu panics after it has put its own house in order.
        catch_unwind(AssertUnwindSafe(poll)).unwrap_or_else(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("wgpu panicked");
            let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            note(&self.0, Fault::Lost(one_line.clone()));
            Err(one_line)
        })
    }
}

/// A poisoned lock only means that another thread stopped; the record is whole.
fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults() -> Faults {
        Faults(Arc::default())
    }

    #[test]
    fn a_loss_outranks_other_complaints_and_stays() {
        let faults = faults();
        for complaint in ["first", "second"] {
            note(&faults.0, Fault::Device(complaint.to_owned()));
        }
        assert_eq!(faults.take(), Some(Fault::Device("first".to_owned())));
        assert_eq!(faults.take(), None);
        note(&faults.0, Fault::Memory("full".to_owned()));
        for reason in ["gone", "gone again"] {
            note(&faults.0, Fault::Lost(reason.to_owned()));
        }
        for _ in 0..2 {
            assert_eq!(faults.take(), Some(Fault::Lost("gone".to_owned())));
        }
        assert_eq!(faults.loss().as_deref(), Some("gone"));
    }

    #[test]
    fn a_panic_of_a_poll_is_a_loss() {
        let faults = faults();
        assert_eq!(faults.survive(|| Err("not yet".to_owned())), Err("not yet".to_owned()));
        assert_eq!(faults.loss(), None);
        let said = faults.survive(|| panic!("Error in Device::poll:\n  Parent device is lost"));
        assert_eq!(said, Err("Error in Device::poll: Parent device is lost".to_owned()));
        assert_eq!(faults.loss(), said.err());
    }
}
