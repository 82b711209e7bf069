//! Line transforms against rustfft in `f64`: delta, plane wave, noise; forward and inverse; checked and trusted;
//! unrolled and looped, one on a full grid and the other on a padded one (compiling every product would take minutes).

use ffm_fft::Planned;
use num_complex::{Complex32, Complex64};

use super::super::geometry::Geometry;
use super::super::kernel::Stage;
use super::super::plan::{LineOrder, Plan};
use super::bench::{Bench, noise, plain_params};
use super::distance;

/// Lengths of one, two and three stages, even and odd, with and without stages that leave threads idle, of all prime
/// factors, up to the longest.
const LENGTHS: [usize; 32] = [
    8, 9, 15, 32, 60, 64, 75, 81, 125, 240, 400, 405, 480, 500, 512, 540, 625, 640, 720, 800, 960, 1000,
    1024, 1080, 1125, 1200, 1920, 2048, 2187, 3125, 3840, 4096,
];

/// One `f32` transform of length 2048 has a relative rounding error of about 2.5e-7; pairs of transforms 5e-7.
const TOLERANCE: f64 = 8e-7;

/// Lengths that also run with checked indices: an access out of bounds would show as a wrong result.
const CHECKED: [usize; 6] = [64, 400, 405, 512, 1920, 2048];

/// The variants of a plan that devices of different kinds run.
fn variants(length: usize, order: LineOrder, bench: &Bench) -> Vec<Plan> {
    let plan = Plan::new(length, order, bench.limits()).expect("the test device allows these lengths");
    let mut gpu = Plan { spread: true, looped: true, ..plan.clone() };
    gpu.spread = gpu.exchange_bytes() <= bench.limits().bytes as usize;
    vec![Plan { spread: false, looped: false, ..plan }, gpu]
}

fn transform(line: &mut [Complex64], inverse: bool) {
    f64::plan(line.len(), inverse).process(line);
}

fn geometry(shape: [usize; 2], padded: [usize; 2], bench: &Bench) -> Geometry {
    Geometry {
        shape,
        padded,
        image: [8, 8],
        regions: 2,
        classes: 2,
        subgroups: false,
        row: Plan::new(padded[1], LineOrder::Rows, bench.limits()).expect("possible"),
        column: Plan::new(padded[0], LineOrder::Columns, bench.limits())
            .expect("possible")
            .dividing(padded[1]),
    }
}

/// Rows of a test: a delta, a plane wave, noise.
fn rows(count: usize, cols: usize) -> (Vec<Complex32>, Vec<Complex64>) {
    let (mut narrow, _) = noise(count * cols, cols as u64);
    for (c, value) in narrow[..cols].iter_mut().enumerate() {
        *value = if c == 3 { Complex32::new(1.0, 0.0) } else { Complex32::default() };
    }
    for (c, value) in narrow[cols..2 * cols].iter_mut().enumerate() {
        let wave = Complex64::cis(std::f64::consts::TAU * 5.0 * c as f64 / cols as f64);
        *value = Complex32::new(wave.re as f32, wave.im as f32);
    }
    let wide = narrow.iter().map(|z| Complex64::new(z.re.into(), z.im.into())).collect();
    (narrow, wide)
}

fn check_rows(bench: &mut Bench, geometry: &Geometry, what: &str) {
    let [count, cols] = geometry.shape;
    let padded = geometry.padded[1];
    let samples = 2;
    let (narrow, wide) = rows(samples * count, cols);
    bench.put("given", &narrow);
    bench.poison("work", 2 * samples * geometry.work());
    bench.run(Stage::RowFirst, &["GIVEN"], geometry, plain_params(), [geometry.row_groups(), samples]);
    let work: Vec<Complex32> = bench.get("work");
    for (number, line) in wide.chunks(cols).enumerate() {
        let mut expected = line.to_vec();
        expected.resize(padded, Complex64::default());
        transform(&mut expected, false);
        let base = number / count * geometry.work();
        let got: Vec<_> = (0..padded).map(|c| work[base + geometry.work_index(number % count, c)]).collect();
        let error = distance(&got, &expected);
        assert!(error < TOLERANCE, "{what}: forward row {number}: {error:e}");
    }
    bench.poison("record", 2 * samples * geometry.pixels());
    bench.run(Stage::RowLast, &["RECORD"], geometry, plain_params(), [geometry.row_groups(), samples]);
    let back: Vec<Complex32> = bench.get("record");
    let scaled: Vec<_> = back.iter().map(|z| z / padded as f32).collect();
    let error = distance(&scaled, &wide);
    assert!(error < TOLERANCE, "{what}: there and back: {error:e}");
}

#[test]
fn rows_of_every_length_agree_with_f64() {
    for checked in [false, true] {
        let mut bench = Bench::new(checked);
        for length in LENGTHS.into_iter().filter(|length| !checked || CHECKED.contains(length)) {
            for (plan, cols) in
                variants(length, LineOrder::Rows, &bench).into_iter().zip([length, length - 3])
            {
                let mut geometry = geometry([5, cols], [64, length], &bench);
                let what = format!("{cols} in {length}, looped {}, checked {checked}", plan.looped);
                geometry.row = plan;
                check_rows(&mut bench, &geometry, &what);
            }
        }
    }
}

/// `crop IFFT (H FFT pad)` of every column, by rustfft.
fn columns(geometry: &Geometry, values: &[Complex64], transfer: &[Complex64]) -> Vec<Complex64> {
    let [height, width] = geometry.padded;
    let mut out = vec![Complex64::default(); values.len()];
    for col in 0..width {
        let mut line = vec![Complex64::default(); height];
        for row in 0..geometry.shape[0] {
            line[row] = values[row * width + col];
        }
        transform(&mut line, false);
        for (row, value) in line.iter_mut().enumerate() {
            *value *= transfer[row * width + col];
        }
        transform(&mut line, true);
        for row in 0..geometry.shape[0] {
            out[row * width + col] = line[row];
        }
    }
    out
}

fn check_columns(bench: &mut Bench, geometry: &Geometry, what: &str) {
    let [height, width] = geometry.padded;
    let rows = geometry.shape[0];
    let (values, wide) = noise(rows * width, height as u64);
    let (transfer, wide_transfer) = noise(height * width, 7);
    let mut work = vec![Complex32::new(f32::NAN, f32::NAN); geometry.work()];
    let mut blocked = vec![Complex32::default(); geometry.transfer()];
    for (index, value) in values.iter().enumerate() {
        work[geometry.work_index(index / width, index % width)] = *value;
    }
    for (index, value) in transfer.iter().enumerate() {
        blocked[geometry.work_index(index / width, index % width)] = value / height as f32;
    }
    // The second sample holds the same: its place in memory must not matter.
    bench.put("work", &[work.clone(), work].concat());
    bench.put("transfer", &blocked);
    let groups = [width / geometry.column.lines, 2];
    bench.run(Stage::Column, &[], geometry, plain_params(), groups);
    let result: Vec<Complex32> = bench.get("work");
    let scale = 1.0 / height as f64;
    let expected: Vec<_> = columns(geometry, &wide, &wide_transfer).iter().map(|z| z * scale).collect();
    for sample in result.chunks(geometry.work()) {
        let got: Vec<_> =
            (0..rows * width).map(|i| sample[geometry.work_index(i / width, i % width)]).collect();
        let error = distance(&got, &expected);
        assert!(error < TOLERANCE, "{what}: {error:e}");
    }
}

#[test]
fn columns_of_every_length_agree_with_f64() {
    for checked in [false, true] {
        let mut bench = Bench::new(checked);
        for length in LENGTHS.into_iter().filter(|length| !checked || CHECKED.contains(length)) {
            let heights = [length / 2 - 1, length];
            for (plan, rows) in variants(length, LineOrder::Columns, &bench).into_iter().zip(heights) {
                let mut geometry = geometry([rows, 64], [length, 64], &bench);
                let what = format!("{rows} in {length}, looped {}, checked {checked}", plan.looped);
                geometry.column = plan;
                check_columns(&mut bench, &geometry, &what);
            }
        }
    }
}
