//! Our own transform: eight rows at a time, each in its own lane; then columns, eight by eight lines at a time.
//!
//! The work array holds, for every block of eight rows, one packet per frequency. A column of `8 B` rows `y = 8 b + l` is
//! transformed where it lies: first over the blocks `b`, in the lanes that rows have anyway,
//!
//! ```text
//! X[k + B q] = sum_l w_8^(l q) w_8B^(l k) sum_b w_B^(b k) x[8 b + l],   k < B, q < 8
//! ```
//!
//! then over `l`: a tile of eight columns is transposed in registers, transformed, multiplied by the transfer function,
//! transformed back and transposed back, all between one read and one write. A column pass of 256 rows is three trips
//! through the first-level cache for each direction less the one that they share.

use super::Transform;
use super::kernels::{Edge, Kernels, Middle, Places, Width};
use super::lanes::Packet;
use super::plan::{Plan, root};
use crate::engine::cpu::buffer::Layout;
use crate::optics::Field;

/// Lines at a time.
const LANES: usize = 8;
/// Numbers of a packet.
const NUMBERS: usize = 2 * LANES;

/// Plans for one shape, and transfer functions column block by column block.
pub(super) struct Packed {
    layout: Layout,
    kernels: Kernels,
    row: Plan,
    column: Column,
    transfers: Vec<Vec<Packet>>,
}

/// How columns are transformed.
enum Column {
    /// `8 B` rows: the plan of the blocks, and `w_8B^(l k)` in lane `l` for the frequency at every place of the plan.
    Blocks { plan: Plan, turns: Vec<Packet> },
    /// Any other number of rows: tiles are transposed first and last.
    Whole(Plan),
}

impl Column {
    fn new(length: usize) -> Option<Self> {
        if !length.is_multiple_of(LANES) {
            return Plan::new(length).map(Self::Whole);
        }
        let plan = Plan::new(length / LANES)?;
        let mut turns = vec![Packet::ZERO; plan.length];
        for (packet, &k) in turns.iter_mut().zip(&plan.order) {
            for l in 0..LANES {
                [packet.re[l], packet.im[l]] = root(l * k, length);
            }
        }
        Some(Self::Blocks { plan, turns })
    }

    /// Packets of eight columns.
    fn packets(&self) -> usize {
        match self {
            Self::Blocks { plan, .. } => plan.length * LANES,
            Self::Whole(plan) => plan.length.next_multiple_of(LANES),
        }
    }

    /// Frequency at place `at` of a column's packets.
    fn frequency(&self, at: usize) -> usize {
        match self {
            Self::Blocks { plan, .. } => plan.order[at / LANES] + plan.length * (at % LANES),
            Self::Whole(plan) => plan.order[at],
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Blocks { plan, .. } => plan.length * LANES,
            Self::Whole(plan) => plan.length,
        }
    }
}

impl Packed {
    /// Plans, unless a length has other factors than 2, 3 and 5.
    pub(super) fn new(shape: [usize; 2], padded: [usize; 2], kernels: Kernels) -> Option<Self> {
        let (column, row) = (Column::new(padded[0])?, Plan::new(padded[1])?);
        let layout = Layout { rows: shape[0], cols: shape[1], lanes: LANES };
        Some(Self { layout, kernels, row, column, transfers: Vec::new() })
    }

    /// Blocks of eight columns.
    fn column_blocks(&self) -> usize {
        self.row.length.div_ceil(LANES)
    }

    /// Packets between row blocks: a packet more than the columns, against aliasing in the cache.
    fn pitch(&self) -> usize {
        self.column_blocks() * LANES + 1
    }

    /// Whether a transform has the lower half of its line lit, exactly.
    fn half(plan: &Plan, lit: usize) -> bool {
        2 * lit == plan.length && plan.halves()
    }

    /// The line of a block in the work array.
    fn line<'a>(&self, block: usize, work: &'a mut [f32]) -> &'a mut [Packet] {
        &mut packets_mut(work)[block * self.pitch()..(block + 1) * self.pitch()]
    }

    /// Forward stages of a line in place, from stage number `first` on.
    ///
    /// # Safety
    /// As [`Kernels`].
    unsafe fn forward_stages(&self, plan: &Plan, first: usize, width: Width, line: Places) {
        for stage in plan.stages.iter().skip(first) {
            // SAFETY: the caller's.
            unsafe { self.kernels.forward(stage, width, line, line, Edge::NONE) }
        }
    }

    /// Inverse stages of a line in place, down to stage number `last`.
    ///
    /// # Safety
    /// As [`Kernels`].
    unsafe fn inverse_stages(&self, plan: &Plan, last: usize, width: Width, line: Places) {
        for stage in plan.stages.iter().skip(last).rev() {
            // SAFETY: the caller's.
            unsafe { self.kernels.inverse(stage, width, line, line, Edge::NONE) }
        }
    }

    /// Columns of `8 B` rows, where `blocks` is the plan over `B`.
    fn block_columns(
        &self,
        blocks: &Plan,
        turns: &[Packet],
        h: &[Packet],
        work: &mut [Packet],
        tile: &mut [Packet],
    ) {
        let (lit, pitch, packets) = (self.layout.blocks(), self.pitch(), blocks.length * LANES);
        let half = Self::half(blocks, lit);
        let direct = (half || lit == blocks.length) && !blocks.stages.is_empty();
        assert!(tile.len() >= packets && work.len() >= lit * pitch && turns.len() == blocks.length);
        assert!(h.len() == self.column_blocks() * packets && lit <= blocks.length);
        for block in 0..self.column_blocks() {
            let inside = Places { at: tile.as_mut_ptr(), stride: LANES };
            // SAFETY: eight packets at `8 block` of every one of `lit` lines `pitch` apart, see the assertions.
            let outside = Places { at: unsafe { work.as_mut_ptr().add(block * LANES) }, stride: pitch };
            let edge = Edge { half, ..Edge::NONE };
            if direct {
                // SAFETY: `outside` has the elements that the first stage reads (`lit` of them), `inside` all.
                unsafe { self.kernels.forward(&blocks.stages[0], Width::Eight, outside, inside, edge) };
            } else {
                for b in 0..lit {
                    let at = b * pitch + block * LANES;
                    tile[b * LANES..(b + 1) * LANES].copy_from_slice(&work[at..at + LANES]);
                }
                tile[lit * LANES..packets].fill(Packet::ZERO);
            }
            let inside = Places { at: tile.as_mut_ptr(), stride: LANES };
            let middle = Middle {
                tiles: tile.as_mut_ptr(),
                count: blocks.length,
                turns: turns.as_ptr(),
                transfer: h[block * packets..].as_ptr(),
            };
            let skip = usize::from(direct);
            // SAFETY: the tile has `length` elements of eight packets, the transfer function and the turns as many.
            unsafe {
                self.forward_stages(blocks, skip, Width::Eight, inside);
                self.kernels.middle(middle);
                self.inverse_stages(blocks, skip, Width::Eight, inside);
            }
            if direct {
                // SAFETY: as on the way in.
                unsafe { self.kernels.inverse(&blocks.stages[0], Width::Eight, inside, outside, edge) };
            } else {
                for b in 0..lit {
                    let at = b * pitch + block * LANES;
                    work[at..at + LANES].copy_from_slice(&tile[b * LANES..(b + 1) * LANES]);
                }
            }
        }
    }

    /// Columns of any other number of rows.
    fn whole_columns(&self, plan: &Plan, h: &[Packet], work: &mut [Packet], tile: &mut [Packet]) {
        let (lit, pitch, packets) = (self.layout.blocks(), self.pitch(), plan.length.next_multiple_of(LANES));
        assert!(tile.len() >= packets.max(lit * LANES) && work.len() >= lit * pitch);
        assert!(h.len() == self.column_blocks() * packets);
        for block in 0..self.column_blocks() {
            let inside = Places { at: tile.as_mut_ptr(), stride: LANES };
            // SAFETY: as in `block_columns`; the tile has `lit` times eight packets.
            unsafe {
                let outside = Places { at: work.as_mut_ptr().add(block * LANES), stride: pitch };
                self.kernels.transpose(outside, inside, lit);
            }
            tile[self.layout.rows..packets.max(self.layout.rows)].fill(Packet::ZERO);
            let line = Places { at: tile.as_mut_ptr(), stride: 1 };
            let h = h[block * packets..].as_ptr();
            // SAFETY: the tile has a line of packets, the transfer function as many.
            unsafe {
                self.forward_stages(plan, 0, Width::One, line);
                self.kernels.product(tile.as_ptr(), h, tile.as_mut_ptr(), plan.length);
                self.inverse_stages(plan, 0, Width::One, line);
                let outside = Places { at: work.as_mut_ptr().add(block * LANES), stride: pitch };
                self.kernels.transpose(Places { at: tile.as_mut_ptr(), stride: LANES }, outside, lit);
            }
        }
    }
}

/// Numbers as packets; they come from buffers, which begin with a cache line.
fn packets(numbers: &[f32]) -> &[Packet] {
    bytemuck::cast_slice(numbers)
}

fn packets_mut(numbers: &mut [f32]) -> &mut [Packet] {
    bytemuck::cast_slice_mut(numbers)
}

impl Transform<f32> for Packed {
    fn layout(&self) -> Layout {
        self.layout
    }

    fn work_len(&self) -> usize {
        self.layout.blocks() * self.pitch() * NUMBERS
    }

    fn scratch_len(&self) -> usize {
        self.column.packets().max(self.layout.blocks() * LANES) * NUMBERS
    }

    fn add_transfer(&mut self, h: &Field) -> usize {
        let (n, scale) = (self.column.packets(), 1.0 / h.len() as f64);
        let mut packed = vec![Packet::ZERO; self.column_blocks() * n];
        for (x, &fx) in self.row.order.iter().enumerate() {
            for y in 0..self.column.length() {
                let v = h[[self.column.frequency(y), fx]];
                let packet = &mut packed[x / LANES * n + y];
                packet.re[x % LANES] = (v.re * scale) as f32;
                packet.im[x % LANES] = (v.im * scale) as f32;
            }
        }
        self.transfers.push(packed);
        self.transfers.len() - 1
    }

    fn forward(
        &self,
        block: usize,
        rows: &[f32],
        times: Option<&[f32]>,
        work: &mut [f32],
        _scratch: &mut [f32],
    ) {
        let (cols, rows, times) = (self.layout.cols, packets(rows), times.map(packets));
        let line = self.line(block, work);
        assert!(rows.len() == cols && times.is_none_or(|t| t.len() == cols) && line.len() >= self.row.length);
        let to = Places { at: line.as_mut_ptr(), stride: 1 };
        let half = Self::half(&self.row, cols);
        if (half || cols == self.row.length) && !self.row.stages.is_empty() {
            let from = Places { at: rows.as_ptr().cast_mut(), stride: 1 };
            let times = times.map_or(std::ptr::null(), <[Packet]>::as_ptr);
            // SAFETY: rows and factors have the `cols` elements that are read, the line all that are written; stages do not
            // write to where they read from when the places differ.
            unsafe {
                self.kernels.forward(&self.row.stages[0], Width::One, from, to, Edge { half, times });
                self.forward_stages(&self.row, 1, Width::One, to);
            }
            return;
        }
        match times {
            // SAFETY: all three have `cols` packets.
            Some(times) => unsafe {
                self.kernels.product(rows.as_ptr(), times.as_ptr(), line.as_mut_ptr(), cols)
            },
            None => line[..cols].copy_from_slice(rows),
        }
        line[cols..].fill(Packet::ZERO);
        let to = Places { at: line.as_mut_ptr(), stride: 1 };
        // SAFETY: the line has all elements.
        unsafe { self.forward_stages(&self.row, 0, Width::One, to) }
    }

    fn dark(&self, block: usize, work: &mut [f32]) {
        self.line(block, work).fill(Packet::ZERO);
    }

    fn columns(&self, transfer: usize, work: &mut [f32], scratch: &mut [f32]) {
        let (h, work, tile) = (&self.transfers[transfer], packets_mut(work), packets_mut(scratch));
        match &self.column {
            Column::Blocks { plan, turns } => self.block_columns(plan, turns, h, work, tile),
            Column::Whole(plan) => self.whole_columns(plan, h, work, tile),
        }
    }

    fn inverse(&self, block: usize, work: &mut [f32], rows: &mut [f32], _scratch: &mut [f32]) {
        let (cols, rows) = (self.layout.cols, packets_mut(rows));
        let line = self.line(block, work);
        assert!(rows.len() == cols && line.len() >= self.row.length);
        let from = Places { at: line.as_mut_ptr(), stride: 1 };
        let half = Self::half(&self.row, cols);
        if (half || cols == self.row.length) && !self.row.stages.is_empty() {
            let to = Places { at: rows.as_mut_ptr(), stride: 1 };
            // SAFETY: as in `forward`.
            unsafe {
                self.inverse_stages(&self.row, 1, Width::One, from);
                self.kernels.inverse(&self.row.stages[0], Width::One, from, to, Edge { half, ..Edge::NONE });
            }
        } else {
            // SAFETY: the line has all elements.
            unsafe { self.inverse_stages(&self.row, 0, Width::One, from) }
            rows.copy_from_slice(&line[..cols]);
        }
        self.layout.darken::<f32>(bytemuck::cast_slice_mut(rows), block);
    }
}
