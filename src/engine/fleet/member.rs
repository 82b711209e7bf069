//! A member of a fleet: an engine on a thread of its own.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use crate::engine::{DeviceInfo, Engine, EngineError};

type Job = Box<dyn FnOnce(&mut dyn Engine) + Send>;

/// An engine on a thread of its own, which does what it is asked one after the other.
pub(super) struct Member {
    info: DeviceInfo,
    /// Device and number, for errors.
    label: String,
    /// Whether it rounds as the first member does.
    pub(super) like_lead: bool,
    /// Taken when the member is dropped: that ends its thread.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    /// Starts member `k` (from 0) of `n`.
    pub(super) fn start(
        mut engine: Box<dyn Engine>,
        (k, n): (usize, usize),
        like_lead: bool,
    ) -> Result<Self, EngineError> {
        let info = engine.device().clone();
        let label = format!("{} (device {} of {n})", info.name, k + 1);
        let (jobs, todo) = mpsc::channel::<Job>();
        let work = move || {
            for job in todo {
                job(&mut *engine);
            }
        };
        let thread =
            std::thread::Builder::new().name(format!("device {}", k + 1)).spawn(work).map_err(|e| {
                let reason = format!("no thread can be started for it: {e}");
                EngineError::Device { device: label.clone(), reason }
            })?;
        Ok(Self { info, label, like_lead, jobs: Some(jobs), thread: Some(thread) })
    }

    pub(super) fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// Hands it a job and does not wait.
    pub(super) fn ask<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut dyn Engine) -> Result<R, EngineError> + Send + 'static,
    ) -> Answer<R> {
        let (reply, result) = mpsc::channel();
        let run: Job = Box::new(move |engine| {
            // Whoever asked may have stopped waiting.
            let _unheard = reply.send(job(engine));
        });
        if let Some(jobs) = &self.jobs {
            // A thread that has ended takes no job; the answer, never given, tells.
            let _ended = jobs.send(run);
        }
        Answer { result, label: self.label.clone() }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told as a missing answer.
            let _panicked = thread.join();
        }
    }
}

/// What a member will answer.
pub(super) struct Answer<R> {
    result: Receiver<Result<R, EngineError>>,
    label: String,
}

impl<R> Answer<R> {
    /// Waits for the answer; errors name the member.
    pub(super) fn wait(self) -> Result<R, EngineError> {
        let ended = || EngineError::Device {
            device: self.label.clone(),
            reason: "its thread ended unexpectedly; see the messages above".to_owned(),
        };
        self.result.recv().unwrap_or_else(|_| Err(ended())).map_err(|error| error.on(&self.label))
    }
}
