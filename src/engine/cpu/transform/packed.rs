//! Our own transform: eight rows, then eight columns, at a time, each line in its own lane.
//!
//! The work array holds, for every block of eight rows, one packet per frequency. The column pass turns eight by eight
//! tiles, so that lanes become columns, and turns them back. Lines stay in the first-level cache through all stages.

use num_complex::Complex;

use super::Transform;
use super::avx2::{self, Packet, eight, load, pack, product, store, transpose_packets, unpack};
use super::stockham::{Ends, Part, Stockham};
use crate::optics::Field;

/// Lines at a time.
const LANES: usize = 8;
/// Complex numbers of a packet.
const PACKET: usize = size_of::<Packet>() / size_of::<Complex<f32>>();

/// Plans for one shape, and transfer functions column block by column block.
pub(super) struct Packed {
    rows: usize,
    cols: usize,
    row: Stockham,
    col: Stockham,
    transfers: Vec<Vec<Packet>>,
}

impl Packed {
    /// Plans, unless the processor lacks AVX2 or a length has other factors than 2, 3 and 5.
    pub(super) fn new(shape: [usize; 2], padded: [usize; 2]) -> Option<Self> {
        if !avx2::available() {
            return None;
        }
        let (col, row) = (Stockham::new(padded[0])?, Stockham::new(padded[1])?);
        Some(Self { rows: shape[0], cols: shape[1], row, col, transfers: Vec::new() })
    }

    /// Blocks of eight columns.
    fn column_blocks(&self) -> usize {
        self.row.length.div_ceil(LANES)
    }

    /// Packets between row blocks: a packet more than the columns, against aliasing in the cache.
    fn pitch(&self) -> usize {
        self.column_blocks() * LANES + 1
    }

    fn row_blocks(&self) -> usize {
        self.rows.div_ceil(LANES)
    }

    /// Packets of one of the two line buffers.
    fn line_packets(&self) -> usize {
        self.row.length.max(self.col.length).next_multiple_of(LANES) + LANES
    }

    /// Whether only the lower half of a padded line carries light.
    fn part(plan: &Stockham, used: usize) -> Part {
        if 2 * used <= plan.length && plan.prunes() { Part::Half } else { Part::Whole }
    }

    #[target_feature(enable = "avx2,fma")]
    fn forward_avx2(&self, rows: &[Complex<f32>], line: &mut [Packet], a: &mut [Packet], b: &mut [Packet]) {
        let part = Self::part(&self.row, self.cols);
        self.pack_rows(rows, a);
        let end = if part == Part::Half { self.row.length / 2 } else { self.row.length };
        a[self.cols..end.max(self.cols)].fill(Packet::ZERO);
        let ends = Ends { from: None, to: Some(line), input: part, output: Part::Whole };
        self.row.run::<false>(a, b, ends);
    }

    #[target_feature(enable = "avx2,fma")]
    fn inverse_avx2(&self, line: &[Packet], rows: &mut [Complex<f32>], a: &mut [Packet], b: &mut [Packet]) {
        let output = Self::part(&self.row, self.cols);
        let in_b =
            self.row.run::<true>(a, b, Ends { from: Some(line), to: None, input: Part::Whole, output });
        self.unpack_rows(if in_b { b } else { a }, rows);
    }

    #[target_feature(enable = "avx2,fma")]
    fn columns_avx2(&self, h: &[Packet], work: &mut [Packet], a: &mut [Packet], b: &mut [Packet]) {
        let (n, part) = (self.col.length, Self::part(&self.col, self.rows));
        let lit = self.row_blocks() * LANES;
        for block in 0..self.column_blocks() {
            for y in 0..self.row_blocks() {
                let tile = y * self.pitch() + block * LANES;
                transpose_packets(chunk(work, tile), chunk_mut(a, y * LANES));
            }
            a[lit.min(n)..n].fill(Packet::ZERO);
            let in_b = self.col.run::<false>(a, b, Ends::inside(part, Part::Whole));
            let (x, y) = if in_b { (&mut *b, &mut *a) } else { (&mut *a, &mut *b) };
            for (x, h) in x[..n].iter_mut().zip(&h[block * n..(block + 1) * n]) {
                let v = product(load::<false>(x), load::<false>(h));
                store::<false>(x, v);
            }
            let in_y = self.col.run::<true>(x, y, Ends::inside(Part::Whole, part));
            let result = if in_y { &*y } else { &*x };
            for y in 0..self.row_blocks() {
                let tile = y * self.pitch() + block * LANES;
                transpose_packets(chunk(result, y * LANES), chunk_mut(work, tile));
            }
        }
    }

    /// Rows, row-major, to packets. Rows that are missing in the last block are dark.
    #[target_feature(enable = "avx2,fma")]
    fn pack_rows(&self, rows: &[Complex<f32>], to: &mut [Packet]) {
        let floats: &[f32] = bytemuck::cast_slice(rows);
        let (width, whole) = (2 * self.cols, self.cols / LANES);
        let count = rows.len() / self.cols;
        for x in 0..whole {
            let dark = &[0.0; 16];
            let tile = eight!(R => match floats.get(R * width + 16 * x..).and_then(|f| f.first_chunk()) {
                Some(row) if R < count => row,
                _ => dark,
            });
            pack(tile, chunk_mut(to, x * LANES));
        }
        for x in whole * LANES..self.cols {
            to[x] = Packet::ZERO;
            for r in 0..count {
                to[x].re[r] = rows[r * self.cols + x].re;
                to[x].im[r] = rows[r * self.cols + x].im;
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn unpack_rows(&self, from: &[Packet], rows: &mut [Complex<f32>]) {
        let whole = self.cols / LANES;
        let count = rows.len() / self.cols;
        let mut tile = [[0.0; 16]; LANES];
        for x in 0..whole {
            unpack(chunk(from, x * LANES), &mut tile);
            for (r, tile) in tile.iter().enumerate().take(count) {
                let start = r * self.cols + x * LANES;
                rows[start..start + LANES].copy_from_slice(bytemuck::cast_slice(tile));
            }
        }
        for x in whole * LANES..self.cols {
            for r in 0..count {
                rows[r * self.cols + x] = Complex::new(from[x].re[r], from[x].im[r]);
            }
        }
    }

    /// The line of a block in the work array.
    fn line<'a>(&self, block: usize, work: &'a mut [Complex<f32>]) -> &'a mut [Packet] {
        let start = block * self.pitch();
        &mut packets(work)[start..start + self.pitch()]
    }

    /// The two line buffers.
    fn buffers<'a>(&self, scratch: &'a mut [Complex<f32>]) -> (&'a mut [Packet], &'a mut [Packet]) {
        packets(scratch).split_at_mut(self.line_packets())
    }
}

/// The aligned packets in a plain array, which is one packet longer than they need.
fn packets(plain: &mut [Complex<f32>]) -> &mut [Packet] {
    bytemuck::pod_align_to_mut(plain).1
}

fn chunk(p: &[Packet], at: usize) -> &[Packet; LANES] {
    p[at..].first_chunk().expect("buffers are whole multiples of eight packets")
}

fn chunk_mut(p: &mut [Packet], at: usize) -> &mut [Packet; LANES] {
    p[at..].first_chunk_mut().expect("buffers are whole multiples of eight packets")
}

impl Transform<f32> for Packed {
    fn block_rows(&self) -> usize {
        LANES
    }

    fn work_len(&self) -> usize {
        (self.row_blocks() * self.pitch() + LANES) * PACKET
    }

    fn scratch_len(&self) -> usize {
        (2 * self.line_packets() + 1) * PACKET
    }

    fn add_transfer(&mut self, h: &Field) -> usize {
        let (n, scale) = (self.col.length, 1.0 / h.len() as f64);
        let mut packed = vec![Packet::ZERO; self.column_blocks() * n];
        for ((y, x), v) in h.indexed_iter() {
            let packet = &mut packed[x / LANES * n + y];
            packet.re[x % LANES] = (v.re * scale) as f32;
            packet.im[x % LANES] = (v.im * scale) as f32;
        }
        self.transfers.push(packed);
        self.transfers.len() - 1
    }

    fn forward(
        &self,
        block: usize,
        rows: &[Complex<f32>],
        work: &mut [Complex<f32>],
        scratch: &mut [Complex<f32>],
    ) {
        let (a, b) = self.buffers(scratch);
        // SAFETY: `new` has found AVX2 and FMA.
        unsafe { self.forward_avx2(rows, self.line(block, work), a, b) }
    }

    fn dark(&self, block: usize, work: &mut [Complex<f32>]) {
        self.line(block, work).fill(Packet::ZERO);
    }

    fn columns(&self, transfer: usize, work: &mut [Complex<f32>], scratch: &mut [Complex<f32>]) {
        let (a, b) = self.buffers(scratch);
        // SAFETY: `new` has found AVX2 and FMA.
        unsafe { self.columns_avx2(&self.transfers[transfer], packets(work), a, b) }
    }

    fn inverse(
        &self,
        block: usize,
        work: &mut [Complex<f32>],
        rows: &mut [Complex<f32>],
        scratch: &mut [Complex<f32>],
    ) {
        let (a, b) = self.buffers(scratch);
        // SAFETY: `new` has found AVX2 and FMA.
        unsafe { self.inverse_avx2(self.line(block, work), rows, a, b) }
    }
}
