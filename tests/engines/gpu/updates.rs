//! Updates of masks, sums over steps and over portions of a batch, and that all repeats.

use ffm_twin::engine::gpu::{GpuEngine, GpuOptions};
use ffm_twin::engine::{Engine, Update};

use super::cameras::camera;
use super::{ADAM, F32, compare, compare_steps, gpu, resting, with};
use crate::common::{Setup, batch, images, prepare, program};

#[test]
fn one_update_agrees() {
    let mut gpu = gpu();
    let p = program(&Setup { layers: 2, ..Setup::default() });
    compare_steps(&mut gpu, &p, 6, ADAM, "Adam");
    // A rate that moves phases by tenths of radians.
    compare_steps(&mut gpu, &p, 6, Update::Sgd { rate: 1e3, momentum: 0.9 }, "SGD");
}

#[test]
fn the_tally_sums_over_steps() {
    let mut gpu = gpu();
    let p = program(&Setup { padding: 1, ..Setup::default() });
    let id = prepare(&mut gpu, &p, 5, 3);
    let said = gpu.infer(batch(id, &[0, 1, 2, 3, 4])).unwrap();
    // Labels that are what the system says, but for one.
    let mut set = images(5, 10);
    set.labels = said.predictions.clone();
    set.labels[3] = (set.labels[3] + 1) % 10;
    let id = gpu.upload(&set).unwrap();
    for indices in [&[0, 1, 2][..], &[3], &[4, 3, 1, 0, 2]] {
        gpu.train(batch(id, indices), resting(ADAM)).unwrap();
    }
    let losses = gpu.infer(batch(id, &[0, 1, 2, 3, 4])).unwrap().losses;
    let tally = gpu.take_tally().unwrap();
    assert_eq!((tally.correct, tally.samples), (7, 9));
    let expected = 2.0 * losses.iter().sum::<f64>() - losses[4];
    assert!((tally.loss / expected - 1.0).abs() < F32, "{} for {expected}", tally.loss);
}

#[test]
fn portions_give_the_gradients_of_the_whole_batch() {
    // One sample of 64 x 64 in 128 x 128 takes 64 KiB: three portions of two, two and one.
    let mut gpu = with(GpuOptions { portion_bytes: 150_000, ..GpuOptions::default() });
    let p = program(&Setup::default());
    compare(&mut gpu, &p, 5, "portions");
    compare_steps(&mut gpu, &p, 5, ADAM, "portions");
}

#[test]
fn steps_repeat_bit_for_bit() {
    let mut p = program(&Setup { padding: 1, ..Setup::default() });
    p.camera = Some(camera(8));
    let run = |gpu: &mut GpuEngine| {
        let set = prepare(gpu, &p, 5, 3);
        for t in 1..=3 {
            let Update::Adam { rate, beta1, beta2, epsilon, .. } = ADAM else { unreachable!() };
            gpu.train(batch(set, &[4, 1, 0, 3]), Update::Adam { rate, beta1, beta2, epsilon, t }).unwrap();
        }
        (gpu.state().unwrap(), gpu.take_tally().unwrap())
    };
    let mut gpu = gpu();
    let first = run(&mut gpu);
    assert_eq!(first, run(&mut gpu));
    let mut trusted = with(GpuOptions { checked: false, ..GpuOptions::default() });
    assert_eq!(first.0, run(&mut trusted).0, "checked and trusted kernels compute the same");
}
