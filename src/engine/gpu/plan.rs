//! How a workgroup transforms lines of one length: radices, registers, threads, lines, exchange memory.
//!
//! `E` registers a thread, `T = N / E` threads a line, `C` lines a workgroup. Thread `t` holds `x[m] = line[t + m T]` before
//! and after a transform, so a pointwise product between two transforms needs no exchange (Stockham's natural order).

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
}

impl WorkgroupLimits {
    /// What every WebGPU device has.
    pub const PORTABLE: Self = Self { bytes: 16 << 10, threads: 256, software: false };
    /// What every desktop graphics processor has.
    pub const DESKTOP: Self = Self { bytes: 32 << 10, threads: 1024, software: false };
}

/// The plan of a line transform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Length `N`.
    pub length: usize,
    /// Radices in the order of the stages; their product is `length`, each divides `registers`.
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

/// Length, registers and radices. Sixteen to twenty-four registers keep stages few; where three stages are needed
/// anyway, fewer registers balance better. Of the products of 2, 3 and 5 those are listed that need few registers.
const TABLE: [(usize, usize, &[usize]); 27] = [
    (64, 8, &[8, 8]),
    (96, 24, &[24, 4]),
    (100, 10, &[10, 10]),
    (128, 16, &[16, 8]),
    (160, 20, &[20, 4, 2]),
    (192, 24, &[24, 8]),
    (200, 20, &[20, 10]),
    (256, 16, &[16, 16]),
    (300, 30, &[30, 10]),
    (320, 20, &[20, 4, 4]),
    (384, 24, &[24, 8, 2]),
    (400, 20, &[20, 20]),
    (500, 10, &[10, 10, 5]),
    (512, 8, &[8, 8, 8]),
    (600, 30, &[30, 10, 2]),
    (640, 20, &[20, 4, 4, 2]),
    (768, 24, &[24, 8, 4]),
    (800, 20, &[20, 20, 2]),
    (1000, 10, &[10, 10, 10]),
    (1024, 16, &[16, 16, 4]),
    (1200, 30, &[30, 10, 2, 2]),
    (1280, 20, &[20, 4, 4, 4]),
    (1536, 24, &[24, 8, 8]),
    (1600, 20, &[20, 20, 4]),
    (1800, 30, &[30, 30, 2]),
    (2000, 20, &[20, 10, 10]),
    (2048, 16, &[16, 16, 8]),
];

/// Row workgroups stay small so that several share a multiprocessor.
const ROW_BYTES: usize = 16 << 10;
/// Column workgroups may fill what every desktop device has.
const COLUMN_BYTES: usize = 32 << 10;
const BYTES_A_VALUE: usize = 8;

/// All supported lengths, rising.
pub(super) fn lengths() -> impl Iterator<Item = usize> {
    TABLE.iter().map(|entry| entry.0)
}

impl Plan {
    /// Plan for lines of `length` within the limits of a device.
    ///
    /// # Errors
    /// [`NoPlan`] when the length is not supported or a single line exceeds the limits.
    pub fn new(length: usize, order: LineOrder, limits: WorkgroupLimits) -> Result<Self, NoPlan> {
        let Some(&(_, registers, radices)) = TABLE.iter().find(|entry| entry.0 == length) else {
            let known: Vec<_> = lengths().map(|n| n.to_string()).collect();
            return Err(NoPlan {
                limit: format!("the GPU engine transforms lengths {}", known.join(", ")),
                remedy: "choose one of these, a smaller grid or less padding, or the CPU engine".to_owned(),
            });
        };
        let threads = length / registers;
        let (most_threads, most_bytes, most_lines) = match order {
            LineOrder::Rows => (128, ROW_BYTES, 16),
            LineOrder::Columns => (256, COLUMN_BYTES, 16),
        };
        let bytes = most_bytes.min(limits.bytes as usize);
        let most_threads = most_threads.min(limits.threads as usize).max(threads);
        if threads > limits.threads as usize {
            return Err(too_small("threads a workgroup", limits.threads as usize, threads));
        }
        if length * BYTES_A_VALUE > limits.bytes as usize {
            return Err(too_small(
                "bytes of workgroup memory",
                limits.bytes as usize,
                length * BYTES_A_VALUE,
            ));
        }
        let mut lines = 1;
        while 2 * lines <= most_lines
            && 2 * lines * threads <= most_threads
            && 2 * lines * length * BYTES_A_VALUE <= bytes
        {
            lines *= 2;
        }
        let mut plan = Self {
            length,
            radices: radices.to_vec(),
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

    /// The plan with so few lines a workgroup that they divide `count` lines evenly.
    pub(super) fn dividing(mut self, count: usize) -> Self {
        while !count.is_multiple_of(self.lines) {
            self.lines /= 2;
        }
        self
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
    NoPlan {
        limit: format!("it allows {available} {what}, {needed} are needed"),
        remedy: "choose a smaller grid or less padding, another device, or the CPU engine".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILES: [WorkgroupLimits; 4] = [
        WorkgroupLimits::PORTABLE,
        WorkgroupLimits { bytes: 32 << 10, threads: 1024, software: true },
        WorkgroupLimits::DESKTOP,
        WorkgroupLimits { bytes: 48 << 10, threads: 1024, software: false },
    ];

    #[test]
    fn plans_keep_within_the_limits_of_every_profile() {
        for limits in PROFILES {
            for length in lengths() {
                for order in [LineOrder::Rows, LineOrder::Columns] {
                    let plan = Plan::new(length, order, limits).expect("all lengths fit 16 KiB");
                    assert!(plan.exchange_bytes() <= limits.bytes as usize, "{plan:?}");
                    assert!(plan.workgroup() <= limits.threads as usize, "{plan:?}");
                    assert_eq!(plan.radices.iter().product::<usize>(), length);
                    assert!(plan.radices.iter().all(|r| plan.registers.is_multiple_of(*r)), "{plan:?}");
                }
            }
        }
    }

    #[test]
    fn lengths_rise_and_are_even() {
        let all: Vec<_> = lengths().collect();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        // Blocks of the work array are two rows high.
        assert!(all.iter().all(|n| n % 2 == 0));
    }

    #[test]
    fn impossible_lengths_name_the_limit() {
        let tiny = WorkgroupLimits { bytes: 8 << 10, threads: 64, software: false };
        let error = Plan::new(2048, LineOrder::Rows, tiny).expect_err("too long");
        assert!(error.limit.contains("64") && error.limit.contains("128"), "{error:?}");
        let error = Plan::new(4096, LineOrder::Rows, PROFILES[3]).expect_err("not in the table");
        assert!(error.limit.contains("2048"), "{error:?}");
    }
}
