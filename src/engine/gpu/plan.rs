//! How a workgroup transforms lines of one length: radices, registers, threads, lines, exchange memory.
//!
//! `E` registers a thread, `T = N / E` threads a line, `C` lines a workgroup. Thread `t` holds `x[m] = line[t + m T]` before
//! and after a transform, so a pointwise product between two transforms needs no exchange (Stockham's natural order).

use crate::engine::next_fast_length;

use super::radices::{LONGEST, Mix, SHORTEST, choose, fewest_threads, supported};

/// Which lines a workgroup transforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOrder {
    /// Rows: neighbouring threads hold neighbouring values of one line.
    Rows,
    /// Columns: neighbouring threads hold one value of neighbouring lines.
    Columns,
}

/// Limits of a device that bound a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkgroupLimits {
    /// Bytes of workgroup memory.
    pub bytes: u32,
    /// Threads of a workgroup.
    pub threads: u32,
    /// Whether shaders run on the processor: no memory banks, and registers cost nothing.
    pub software: bool,
    /// Whether threads of a workgroup can add across a subgroup without memory.
    pub subgroups: bool,
}

impl WorkgroupLimits {
    /// What every WebGPU device has.
    pub const PORTABLE: Self = Self { bytes: 16 << 10, threads: 256, software: false, subgroups: false };
    /// What every desktop graphics processor has.
    pub const DESKTOP: Self = Self { bytes: 32 << 10, threads: 1024, software: false, subgroups: true };
}

/// The plan of a line transform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Length `N`.
    pub length: usize,
    /// Radices in the order of the stages; their product is `length`, the first and the last divide `registers`.
    pub radices: Vec<usize>,
    /// Complex registers a thread, `E`.
    pub registers: usize,
    /// Threads a line, `T`.
    pub threads: usize,
    /// Lines a workgroup, `C`.
    pub lines: usize,
    /// Rows or columns.
    pub order: LineOrder,
    /// Whether the exchange leaves every 17th place empty, against bank conflicts of strides of 16.
    pub spread: bool,
    /// Whether two transforms of a kernel are one loop: half the registers on a GPU, slower on a processor.
    pub looped: bool,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPlan {
    /// The limit that stands against it.
    pub limit: String,
    /// What to do.
    pub remedy: String,
}

/// Row workgroups stay small so that several share a multiprocessor.
const ROW_BYTES: usize = 16 << 10;
/// Column workgroups may fill what every desktop device has.
const COLUMN_BYTES: usize = 32 << 10;
const BYTES_A_VALUE: usize = 8;
const SMALLER: &str = "choose a smaller grid or less padding, another device, or the CPU engine";

impl Plan {
    /// Plan for lines of `length` within the limits of a device.
    ///
    /// # Errors
    /// [`NoPlan`] when the length is not supported or a single line exceeds the limits.
    pub fn new(length: usize, order: LineOrder, limits: WorkgroupLimits) -> Result<Self, NoPlan> {
        if !supported(length) {
            return Err(NoPlan {
                limit: format!("the GPU engine transforms lengths 2^a 3^b 5^c from {SHORTEST} to {LONGEST}"),
                remedy: match next_fast_length(length) {
                    next if supported(next) => format!("choose {next}, or the CPU engine"),
                    _ => SMALLER.to_owned(),
                },
            });
        }
        let Some(Mix { registers, radices }) = choose(length, limits.threads as usize) else {
            return Err(too_small("threads a workgroup", limits.threads as usize, fewest_threads(length)));
        };
        if length * BYTES_A_VALUE > limits.bytes as usize {
            return Err(too_small(
                "bytes of workgroup memory",
                limits.bytes as usize,
                length * BYTES_A_VALUE,
            ));
        }
        let threads = length / registers;
        let (most_threads, most_bytes, most_lines) = match order {
            LineOrder::Rows => (128, ROW_BYTES, 16),
            LineOrder::Columns => (256, COLUMN_BYTES, 16),
        };
        let bytes = most_bytes.min(limits.bytes as usize);
        let most_threads = most_threads.min(limits.threads as usize).max(threads);
        let mut lines = 1;
        while 2 * lines <= most_lines
            && 2 * lines * threads <= most_threads
            && 2 * lines * length * BYTES_A_VALUE <= bytes
        {
            lines *= 2;
        }
        let mut plan = Self {
            length,
            radices,
            registers,
            threads,
            lines,
            order,
            spread: !limits.software,
            looped: !limits.software,
        };
        plan.spread &= plan.exchange_bytes() <= limits.bytes as usize;
        Ok(plan)
    }

    /// The plan with the most lines a workgroup, of those it allows, that divide `count` lines evenly.
    pub(super) fn dividing(mut self, count: usize) -> Self {
        while !count.is_multiple_of(self.lines) {
            self.lines -= 1;
        }
        self
    }

    /// Butterflies of a stage that a thread does, the last of which some threads may leave out.
    pub(super) fn rounds(&self, radix: usize) -> usize {
        (self.length / radix).div_ceil(self.threads)
    }

    /// Threads of a workgroup.
    pub fn workgroup(&self) -> usize {
        self.threads * self.lines
    }

    /// Places of one line in the exchange.
    pub fn slots(&self) -> usize {
        self.length + if self.spread { self.length / 16 } else { 0 }
    }

    /// Bytes of workgroup memory.
    pub fn exchange_bytes(&self) -> usize {
        self.slots() * self.lines * BYTES_A_VALUE
    }
}

fn too_small(what: &str, available: usize, needed: usize) -> NoPlan {
    NoPlan { limit: format!("it allows {available} {what}, {needed} are needed"), remedy: SMALLER.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::radices::lengths;
    use super::*;

    const PROFILES: [WorkgroupLimits; 4] = [
        WorkgroupLimits::PORTABLE,
        WorkgroupLimits { bytes: 32 << 10, threads: 1024, software: true, subgroups: true },
        WorkgroupLimits::DESKTOP,
        WorkgroupLimits { bytes: 48 << 10, threads: 1024, software: false, subgroups: true },
    ];

    #[test]
    fn plans_keep_within_the_limits_of_every_profile() {
        for limits in PROFILES {
            for length in lengths() {
                let fits = length * BYTES_A_VALUE <= limits.bytes as usize;
                for order in [LineOrder::Rows, LineOrder::Columns] {
                    let plan = match Plan::new(length, order, limits) {
                        Ok(plan) => plan,
                        Err(why) => {
                            assert!(!fits && why.limit.contains("workgroup memory"), "{length}: {why:?}");
                            continue;
                        }
                    };
                    assert!(fits && plan.exchange_bytes() <= limits.bytes as usize, "{plan:?}");
                    assert!(plan.workgroup() <= limits.threads as usize, "{plan:?}");
                    assert_eq!(plan.threads * plan.registers, length);
                }
            }
        }
    }

    #[test]
    fn columns_share_workgroups_wherever_their_number_allows() {
        for (count, lines) in [(400, 16), (405, 15), (100, 10), (500, 10), (64, 16), (81, 9)] {
            let plan = Plan::new(128, LineOrder::Columns, WorkgroupLimits::DESKTOP).expect("supported");
            assert_eq!(plan.dividing(count).lines, lines, "{count}");
        }
    }

    #[test]
    fn impossible_lengths_name_the_limit() {
        let tiny = WorkgroupLimits { bytes: 64 << 10, threads: 64, software: false, subgroups: false };
        let error = Plan::new(4096, LineOrder::Rows, tiny).expect_err("too many threads");
        assert!(error.limit.contains("64 threads") && error.limit.contains("256"), "{error:?}");
        let error = Plan::new(2160, LineOrder::Rows, WorkgroupLimits::PORTABLE).expect_err("too long");
        assert!(error.limit.contains("16384 bytes") && error.limit.contains("17280"), "{error:?}");
        let error = Plan::new(4320, LineOrder::Rows, PROFILES[3]).expect_err("too long for all");
        assert!(error.limit.contains("to 4096") && error.remedy.contains("smaller grid"), "{error:?}");
        let error = Plan::new(97, LineOrder::Rows, PROFILES[3]).expect_err("a prime");
        assert!(error.remedy.contains("100"), "{error:?}");
    }
}
