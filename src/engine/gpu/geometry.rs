//! The sizes that are written into the text of kernels.

use crate::engine::{Encoding, Loss, Program, Scoring};

use super::plan::{LineOrder, NoPlan, Plan, WorkgroupLimits};

/// Threads of a workgroup of the kernels without a transform: a power of two for sums.
pub(super) const FLAT_THREADS: usize = 128;
/// Largest dispatch of a dimension that WebGPU promises.
pub(super) const MOST_GROUPS: usize = 65_535;
/// Rows of a block of the work array.
pub(super) const BLOCK_ROWS: usize = 2;

/// Sizes of a program, and the plans of its transforms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) shape: [usize; 2],
    pub(super) padded: [usize; 2],
    pub(super) image: [usize; 2],
    pub(super) regions: usize,
    pub(super) classes: usize,
    /// Whether sums use subgroups.
    pub(super) subgroups: bool,
    pub(super) row: Plan,
    pub(super) column: Plan,
}

impl Geometry {
    /// The geometry of a program on a device with these limits.
    pub(super) fn new(program: &Program, limits: WorkgroupLimits) -> Result<Self, (usize, NoPlan)> {
        let [rows, cols] = program.padded;
        Ok(Self {
            shape: program.shape,
            padded: program.padded,
            image: program.input.image,
            regions: program.readout.regions,
            classes: program.readout.classes,
            subgroups: limits.subgroups,
            row: Plan::new(cols, LineOrder::Rows, limits).map_err(|why| (cols, why))?,
            column: Plan::new(rows, LineOrder::Columns, limits).map_err(|why| (rows, why))?.dividing(cols),
        })
    }

    /// Pixels that hold light.
    pub(super) fn pixels(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// Columns of a block: a divisor of the columns of a workgroup, so that no block straddles two. Two rows of four fill
    /// two memory sectors.
    pub(super) fn block_cols(&self) -> usize {
        let lines = self.column.lines;
        [4, 5, 3, 2].into_iter().find(|&wide| lines.is_multiple_of(wide)).unwrap_or(1)
    }

    /// Values of one sample in the work array: whole blocks, though the last row may have no partner.
    pub(super) fn work(&self) -> usize {
        self.shape[0].next_multiple_of(BLOCK_ROWS) * self.padded[1]
    }

    /// Values of a transfer function, in whole blocks, too.
    pub(super) fn transfer(&self) -> usize {
        self.padded[0].next_multiple_of(BLOCK_ROWS) * self.padded[1]
    }

    /// Workgroups along x of a kernel of a thread a pixel, and the planes of them that it takes.
    pub(super) fn flat_groups(&self) -> [usize; 2] {
        let groups = self.pixels().div_ceil(FLAT_THREADS);
        let planes = groups.div_ceil(MOST_GROUPS);
        [groups.div_ceil(planes), planes]
    }

    /// Bytes of an image in a set: whole words.
    pub(super) fn image_bytes(&self) -> usize {
        (self.image[0] * self.image[1]).next_multiple_of(4)
    }

    /// Words of a sample in the sheet; twin of `SHEET` in shaders/shared/sheet.wgsl.
    pub(super) fn sheet(&self) -> usize {
        8 + 2 * self.regions + self.classes
    }

    /// Workgroups of a row kernel along the rows.
    pub(super) fn row_groups(&self) -> usize {
        self.shape[0].div_ceil(self.row.lines)
    }

    /// Place of a value in the work array or in a transfer function; twin of shaders/shared/layout.wgsl.
    pub(super) fn work_index(&self, row: usize, col: usize) -> usize {
        let wide = self.block_cols();
        let block = (row / BLOCK_ROWS) * (self.padded[1] / wide) + col / wide;
        block * BLOCK_ROWS * wide + (row % BLOCK_ROWS) * wide + col % wide
    }

    /// The constants at the head of a kernel whose workgroups have `threads` threads and, with a transform, this plan.
    pub(super) fn constants(&self, plan: Option<&Plan>) -> String {
        let [rows, cols] = self.shape;
        let mut out = String::new();
        let mut number = |name: &str, value: usize| out.push_str(&format!("const {name}: u32 = {value}u;\n"));
        number("ROWS", rows);
        number("COLS", cols);
        number("PIXELS", rows * cols);
        number("PADDED_ROWS", self.padded[0]);
        number("PADDED_COLS", self.padded[1]);
        number("BLOCK_ROWS", BLOCK_ROWS);
        number("BLOCK_COLS", self.block_cols());
        number("WORK", self.work());
        number("IMAGE_ROWS", self.image[0]);
        number("IMAGE_COLS", self.image[1]);
        number("IMAGE_BYTES", self.image_bytes());
        number("FLAT_PLANE", self.flat_groups()[0] * FLAT_THREADS);
        number("REGIONS", self.regions);
        number("CLASSES", self.classes);
        number("THREADS", plan.map_or(FLAT_THREADS, Plan::workgroup));
        if let Some(plan) = plan {
            number("T", plan.threads);
            number("LINES", plan.lines);
        }
        let full_rows = rows.is_multiple_of(self.row.lines);
        let full = [
            ("FULL_ROWS", full_rows),
            ("FULL_COLS", cols == self.padded[1]),
            ("FULL_HEIGHT", rows == self.padded[0]),
        ];
        for (name, value) in full {
            out.push_str(&format!("const {name}: bool = {value};\n"));
        }
        out
    }
}

/// Flags of the kernels that follow from a program.
pub(super) fn loss_flags(program: &Program) -> Vec<&'static str> {
    let mut flags = Vec::new();
    match program.readout.loss {
        Loss::Mse { .. } => flags.push("MSE"),
        Loss::CrossEntropy { efficiency, smoothing, margin, .. } => {
            flags.extend((efficiency > 0.0).then_some("EFFICIENCY"));
            flags.extend((smoothing > 0.0).then_some("SMOOTHING"));
            flags.extend((margin > 0.0).then_some("MARGIN"));
        }
    }
    if program.readout.scoring == Scoring::Differential {
        flags.push("DIFFERENTIAL");
    }
    flags
}

/// Flag of the encoder.
pub(super) fn encode_flag(program: &Program) -> Option<&'static str> {
    matches!(program.input.encoding, Encoding::Phase { .. }).then_some("PHASE")
}
