//! Timed passes: every pass of the traffic list is there, and the steps that are timed train as others do.

use crate::common::{Setup, batch, prepare, program};
use ffm_twin::engine::gpu::{GpuEngine, GpuOptions, KernelCache};
use ffm_twin::engine::{Engine, Update};

const ADAM: Update = Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t: 1 };

fn engine() -> GpuEngine {
    // Portions of two, two and one.
    let options =
        GpuOptions { portion_bytes: 150_000, kernel_cache: KernelCache::Off, ..GpuOptions::default() };
    GpuEngine::with_options(options).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_profile_times_every_pass_of_the_traffic_list() {
    let mut gpu = engine();
    let p = program(&Setup { layers: 2, ..Setup::default() });
    let set = prepare(&mut gpu, &p, 5, 3);
    let indices = [0, 1, 2, 3, 4];
    let profile = gpu.profile(batch(set, &indices), ADAM, 3).unwrap();
    let traffic = gpu.traffic(&p, 5).unwrap();
    assert_eq!((profile.passes.len(), profile.repeats), (traffic.len(), 3));
    for (time, traffic) in profile.passes.iter().zip(&traffic) {
        let bytes = (traffic.reads, traffic.writes);
        assert_eq!(
            (&time.name, time.dispatches, (time.reads, time.writes)),
            (&traffic.name, traffic.dispatches, bytes)
        );
        assert!(time.seconds > 0.0 && time.seconds < 60.0, "{time:?}");
    }
    assert_eq!(profile.passes[0].dispatches, 3);
    let sum: f64 = profile.passes.iter().map(|pass| pass.seconds).sum();
    assert_eq!(profile.seconds(), sum);
    assert!(gpu.profile(batch(set, &indices), ADAM, 0).unwrap_err().to_string().contains("at least 1"));
}

#[test]
fn timed_steps_train_like_others() {
    let p = program(&Setup { layers: 2, ..Setup::default() });
    let indices = [4, 1, 0];
    let mut states = Vec::new();
    for timed in [false, true] {
        let mut gpu = engine();
        let set = prepare(&mut gpu, &p, 5, 3);
        if timed {
            gpu.profile(batch(set, &indices), ADAM, 2).unwrap();
        } else {
            gpu.train(batch(set, &indices), ADAM).unwrap();
            gpu.train(batch(set, &indices), ADAM).unwrap();
        }
        states.push((gpu.state().unwrap(), gpu.take_tally().unwrap()));
    }
    assert_eq!(states[0], states[1]);
}

#[test]
fn a_copy_has_a_bandwidth() {
    let bandwidth = engine().copy_bandwidth().unwrap();
    // Memory of a slow laptop, and more than any device has.
    assert!((1e8..1e14).contains(&bandwidth), "{bandwidth:e}");
}
