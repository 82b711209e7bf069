//! Seconds that passes take on the device, by timestamps before and after each.

use wgpu::{
    Buffer, BufferUsages, CommandEncoder, ComputePassTimestampWrites, Features, QuerySet, QuerySetDescriptor,
    QueryType,
};

use crate::engine::EngineError;

use super::context::Context;

/// Timestamps of a number of passes.
pub(super) struct Timer {
    set: QuerySet,
    resolved: Buffer,
    passes: usize,
    /// Nanoseconds of a tick.
    period: f64,
}

impl Timer {
    /// Passes that one timer can time at most.
    pub(super) const MOST: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

    /// A timer of up to `passes` passes.
    pub(super) fn new(context: &Context, passes: usize) -> Result<Self, EngineError> {
        if !context.device.features().contains(Features::TIMESTAMP_QUERY) {
            let reason = "it has no timestamp queries, without which its passes cannot be timed; choose another \
                 device or a newer driver";
            return Err(context.failed(reason.to_owned()));
        }
        let passes = passes.clamp(1, Self::MOST);
        let descriptor = QuerySetDescriptor {
            label: Some("timestamps"),
            ty: QueryType::Timestamp,
            count: 2 * passes as u32,
        };
        let set = context
            .guarded(|| context.device.create_query_set(&descriptor))
            .map_err(|(_, reason)| context.failed(reason))?;
        let usage = BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC;
        let resolved = context.allocate("timestamps", 16 * passes as u64, usage)?;
        Ok(Self { set, resolved, passes, period: f64::from(context.queue.get_timestamp_period()) })
    }

    /// Passes between two readings.
    pub(super) fn passes(&self) -> usize {
        self.passes
    }

    /// What makes a pass write its timestamps.
    pub(super) fn around(&self, pass: usize) -> ComputePassTimestampWrites<'_> {
        ComputePassTimestampWrites {
            query_set: &self.set,
            beginning_of_pass_write_index: Some(2 * pass as u32),
            end_of_pass_write_index: Some(2 * pass as u32 + 1),
        }
    }

    /// Ends an encoder of `passes` timed passes.
    pub(super) fn resolve(&self, encoder: &mut CommandEncoder, passes: usize) {
        encoder.resolve_query_set(&self.set, 0..2 * passes as u32, &self.resolved, 0);
    }

    /// Seconds of the first `passes` passes; waits for the device.
    pub(super) fn seconds(&self, context: &Context, passes: usize) -> Result<Vec<f64>, EngineError> {
        let read = context.read(&[(&self.resolved, 16 * passes as u64)])?;
        let ticks: Vec<[u64; 2]> = bytemuck::pod_collect_to_vec(&read[0]);
        // A device may set its clock back in between.
        let seconds = |[start, end]: &[u64; 2]| end.saturating_sub(*start) as f64 * self.period * 1e-9;
        Ok(ticks.iter().map(seconds).collect())
    }
}

/// The median; the mean of the middle two of an even number. Zero of none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[middle],
        _ => 0.5 * (values[middle - 1] + values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 100.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 100.0]), 3.5);
    }
}
