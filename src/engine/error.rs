//! What can go wrong in an engine.

/// An engine's refusal or failure; the text says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No device matches.
    #[error("no device {wanted:?}: {reason}")]
    NoDevice {
        /// What was asked for.
        wanted: String,
        /// Why there is none, and what to do.
        reason: String,
    },
    /// A transform length that the device cannot do.
    #[error("transform length {length} is not possible on {device}: {limit}; {remedy}")]
    Length {
        /// The length asked for.
        length: usize,
        /// The device.
        device: String,
        /// The limit that stands against it.
        limit: String,
        /// What to do.
        remedy: String,
    },
    /// Too little memory.
    #[error(
        "{device} cannot hold this: {needed} bytes are needed ({what}), {available} are available; {remedy}"
    )]
    Memory {
        /// The device.
        device: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes available.
        available: u64,
        /// What needs them.
        what: String,
        /// Which setting to lower.
        remedy: String,
    },
    /// An array of the wrong shape.
    #[error("{what}: expected {expected}, got {actual}")]
    Shape {
        /// Which array.
        what: String,
        /// Expected shape.
        expected: String,
        /// Actual shape.
        actual: String,
    },
    /// NaN or infinity where a number must be.
    #[error("{what} of layer {layer} is {value} at row {row}, column {col}")]
    NotFinite {
        /// Phase, mask, transfer function, field, ...
        what: &'static str,
        /// Layer, from 1 (0: the input).
        layer: usize,
        /// Row.
        row: usize,
        /// Column.
        col: usize,
        /// The value.
        value: f64,
    },
    /// The device is gone, and with it all that it held.
    #[error("{device} was lost: {reason}")]
    Lost {
        /// The device.
        device: String,
        /// What is known of the cause.
        reason: String,
    },
    /// The device failed while running.
    #[error("{device} failed: {reason}")]
    Device {
        /// The device.
        device: String,
        /// What it said.
        reason: String,
    },
}

impl EngineError {
    /// The same error of a device that is named more fully.
    pub(super) fn on(mut self, name: &str) -> Self {
        match &mut self {
            Self::Length { device, .. }
            | Self::Memory { device, .. }
            | Self::Lost { device, .. }
            | Self::Device { device, .. } => name.clone_into(device),
            Self::NoDevice { .. } | Self::Shape { .. } | Self::NotFinite { .. } => {}
        }
        self
    }
}
