//! Fleets against single engines: the same software adapter opened twice, the CPU twice, and both together.
//!
//! A machine without any adapter fails these tests: Mesa's software Vulkan is enough
//! (`apt-get install mesa-vulkan-drivers libvulkan1`).

use crate::common::watched::{Call, Watched, loss};
use crate::common::{self, Setup, batch, field_error, images, prepare, program, real_error};
use ffm_twin::engine::cpu::CpuEngine;
use ffm_twin::engine::fleet::Fleet;
use ffm_twin::engine::gpu::{GpuEngine, Selection};
use ffm_twin::engine::{Camera, Engine, EngineError, Program, SetId, State, Tally, Update};
use ndarray::Array2;

/// Relative L2 distance of sums that are rounded in another order.
const F32: f64 = 1e-5;

fn cpu() -> Box<dyn Engine> {
    Box::new(CpuEngine::<f32>::new(1).unwrap())
}

fn gpu() -> Box<dyn Engine> {
    Box::new(GpuEngine::new(Selection::Best).unwrap_or_else(|e| panic!("{e}")))
}

type Open = fn() -> Box<dyn Engine>;

/// Fleets, and what each is compared with.
const FLEETS: [(&str, &[Open], Open); 3] = [
    ("two GPUs", &[gpu, gpu], gpu),
    ("three CPUs", &[cpu, cpu, cpu], cpu),
    ("CPU and GPU", &[cpu, gpu], cpu),
];

fn fleet(members: &[Open]) -> Fleet {
    Fleet::new(members.iter().map(|open| open()).collect()).unwrap()
}

/// A program with a noisy camera, so that a wrong noise key is seen.
fn noisy() -> Program {
    let mut p = program(&Setup { padding: 1, shift: 9e-6, camera_aberration: 0.3, ..Setup::default() });
    // No converter: its steps would turn the last digit of one engine into a count of the other.
    p.camera = Some(Camera {
        electrons: 5000.0,
        reference: 2.0,
        read_noise: 5.0,
        full_well: 1e6,
        adc_bits: 0,
        pedestal: 1e3,
    });
    p
}

fn wide(arrays: &[Array2<f32>]) -> Vec<Array2<f64>> {
    arrays.iter().map(|a| a.mapv(f64::from)).collect()
}

fn sgd(rate: f64) -> Update {
    Update::Sgd { rate, momentum: 0.9 }
}

fn adam(t: u64) -> Update {
    Update::Adam { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t }
}

#[test]
fn fields_and_gradients_are_those_of_one_engine() {
    let p = noisy();
    for (name, members, open) in FLEETS {
        let (mut one, mut many) = (open(), fleet(members));
        for n in [7, 6, 1] {
            let indices: Vec<u32> = (0..n).rev().collect();
            let [expected, got] = [&mut *one, &mut many as &mut dyn Engine].map(|engine| {
                let set = prepare(engine, &p, 7, 3);
                let trace = engine.trace(batch(set, &indices)).unwrap();
                (
                    trace,
                    engine.gradients(batch(set, &indices)).unwrap(),
                    engine.infer(batch(set, &indices)).unwrap(),
                )
            });
            let what = format!("{name}, {n} samples");
            for (a, b) in got.0.fields.iter().zip(&expected.0.fields) {
                assert_eq!(a.len(), n as usize, "{what}");
                // One kind of device computes a sample in the same way wherever it stands in a share.
                let error = field_error(a, b);
                assert!(if name == "CPU and GPU" { error < F32 } else { error == 0.0 }, "{what}: {error:e}");
            }
            let error = real_error(&got.0.gradients, &expected.0.gradients);
            assert!(error < F32, "{what}: traced gradients: {error:e}");
            let error = real_error(&wide(&got.1), &expected.0.gradients);
            assert!(error < F32, "{what}: gradients: {error:e}");
            assert!(
                (got.0.loss / expected.0.loss - 1.0).abs() < F32,
                "{what}: {} {}",
                got.0.loss,
                expected.0.loss
            );
            assert_eq!(got.2.predictions, expected.2.predictions, "{what}");
            for (a, b) in [(&got.2.energies, &expected.2.energies), (&got.2.scores, &expected.2.scores)] {
                let error = real_error(std::slice::from_ref(a), std::slice::from_ref(b));
                assert!(error < F32, "{what}: readout: {error:e}");
            }
            assert_eq!(got.2.losses.len(), n as usize);
        }
    }
}

/// Three steps, with batches that divide evenly and not.
fn three_steps(engine: &mut dyn Engine, set: SetId, update: fn(u64) -> Update) -> (State, Tally) {
    for (t, indices) in [(1, &[6, 0, 3, 1, 5, 2, 4][..]), (2, &[2]), (3, &[1, 3, 5, 0])] {
        engine.train(batch(set, indices), update(t)).unwrap();
    }
    (engine.state().unwrap(), engine.take_tally().unwrap())
}

#[test]
fn training_is_that_of_one_engine_and_repeats_to_the_bit() {
    let p = noisy();
    for (name, members, open) in FLEETS {
        // Rates that move phases by hundredths of radians: few steps that amplify no rounding.
        for update in [adam as fn(u64) -> Update, |_| sgd(100.0)] {
            let run = |engine: &mut dyn Engine| {
                let set = prepare(engine, &p, 7, 3);
                three_steps(engine, set, update)
            };
            let (expected, tally) = run(&mut *open());
            let (got, sums) = run(&mut fleet(members));
            let moved =
                real_error(&wide(&expected.phases), &wide(&common::phases(p.shape, p.masks.len(), 3)));
            assert!(moved > 1e-3, "{name}: {moved:e}");
            for (a, b) in [(&got.phases, &expected.phases), (&got.first, &expected.first)] {
                let error = real_error(&wide(a), &wide(b));
                assert!(error < F32, "{name}: {error:e}");
            }
            assert_eq!((sums.correct, sums.samples), (tally.correct, 12), "{name}");
            assert!((sums.loss / tally.loss - 1.0).abs() < F32, "{name}: {sums:?} for {tally:?}");
            assert_eq!(run(&mut fleet(members)), (got, sums), "{name}");
        }
    }
}

#[test]
fn halves_of_a_step_are_the_step() {
    let p = noisy();
    for (name, open) in [("CPU", cpu as Open), ("GPU", gpu)] {
        let [(whole, tally), (halves, sums)] = [false, true].map(|cut| {
            let mut engine = open();
            let set = prepare(&mut *engine, &p, 5, 3);
            for indices in [&[0, 1, 2, 3, 4][..], &[4, 2]] {
                match cut {
                    false => engine.train(batch(set, indices), sgd(1e3)).unwrap(),
                    true => {
                        let gradients = engine.gradients(batch(set, indices)).unwrap();
                        engine.apply(&gradients, sgd(1e3)).unwrap();
                    }
                }
            }
            (engine.state().unwrap(), engine.take_tally().unwrap())
        });
        let error = real_error(&wide(&halves.phases), &wide(&whole.phases));
        assert!(error < F32, "{name}: {error:e}");
        assert_eq!((sums.correct, sums.samples), (tally.correct, 7), "{name}");
        assert!((sums.loss / tally.loss - 1.0).abs() < F32, "{name}: {sums:?} for {tally:?}");
    }
}

/// Members whose copies differed would go on from different states than the one that is read.
#[test]
fn all_members_hold_the_state_that_is_read() {
    let p = noisy();
    for (name, members, _) in FLEETS {
        let mut through = fleet(members);
        let set = prepare(&mut through, &p, 7, 3);
        let (between, _) = three_steps(&mut through, set, adam);
        let mut resumed = fleet(members);
        let again = prepare(&mut resumed, &p, 7, 3);
        resumed.set_state(&between).unwrap();
        let [a, b] = [(&mut through, set), (&mut resumed, again)].map(|(fleet, set)| {
            fleet.train(batch(set, &[0, 1, 2, 3, 4, 5, 6]), adam(4)).unwrap();
            fleet.state().unwrap()
        });
        assert!(a == b, "{name}: the resumed fleet differs");
    }
}

#[test]
fn given_fields_come_back_in_order() {
    let p = program(&Setup { padding: 1, ..Setup::default() });
    for (name, members, open) in FLEETS {
        let fields: Vec<_> = (0..4).map(|k| common::screen(p.shape, 1.0, k)).collect();
        let [expected, got] = [&mut *open(), &mut fleet(members) as &mut dyn Engine].map(|engine| {
            prepare(engine, &p, 4, 3);
            (engine.propagate(&fields).unwrap(), engine.masks().unwrap())
        });
        assert!(field_error(&got.0, &expected.0) < F32, "{name}");
        assert!(field_error(&got.1, &expected.1) < F32, "{name}");
        let rest = got.0.iter().skip(1).chain(&got.0[..1]);
        assert!(field_error(rest, &expected.0) > 1e3 * F32, "{name}: the fields are told apart");
    }
}

#[test]
fn a_fleet_takes_lengths_and_memory_that_its_members_have() {
    let (mixed, one) = (fleet(&[cpu, gpu]), gpu());
    for minimum in [64, 65, 129, 1100] {
        assert_eq!(mixed.transform_length(minimum).unwrap(), one.transform_length(minimum).unwrap());
    }
    assert!(matches!(mixed.transform_length(5000), Err(EngineError::Length { .. })));
    let p = program(&Setup::default());
    let pair = fleet(&[gpu, gpu]);
    assert_eq!(pair.memory_by_device(&p, 7), [one.memory_needed(&p, 4); 2]);
    assert_eq!(pair.memory_needed(&p, 7), 2 * one.memory_needed(&p, 4));
    assert_eq!(mixed.devices(), [cpu().device().clone(), one.device().clone()]);
}

#[test]
fn bad_input_is_refused_as_by_one_engine() {
    let p = program(&Setup { padding: 1, ..Setup::default() });
    let (mut one, mut many) = (cpu(), fleet(&[cpu, cpu]));
    assert!(Fleet::new(Vec::new()).is_err());
    assert!(many.infer(batch(SetId(0), &[0])).is_err(), "nothing is loaded");
    for set in [prepare(&mut *one, &p, 3, 1), prepare(&mut many, &p, 3, 1)] {
        assert_eq!(set, SetId(0));
    }
    let said = |engine: &mut dyn Engine, set, indices: &[u32]| {
        engine.train(batch(SetId(set), indices), adam(1)).unwrap_err().to_string()
    };
    for (set, indices) in [(0, &[][..]), (0, &[0, 1, 2, 0]), (0, &[0, 3]), (1, &[0])] {
        assert_eq!(said(&mut many, set, indices), said(&mut *one, set, indices));
    }
    let mut differing = images(2, 10);
    differing.size = [14, 56];
    let set = many.upload(&differing).unwrap();
    assert!(many.infer(batch(set, &[0])).unwrap_err().to_string().contains("image size"));
    let wrong = vec![Array2::zeros(p.shape); 2];
    assert!(many.apply(&wrong, adam(1)).unwrap_err().to_string().contains("number of gradients"));
    let wrong = vec![Array2::zeros((3, 4)); 3];
    assert!(many.apply(&wrong, adam(1)).unwrap_err().to_string().contains("gradient of mask 1"));
}

#[test]
fn a_program_that_a_member_cannot_load_is_not_loaded() {
    let p = program(&Setup { padding: 1, ..Setup::default() });
    let full = |_: &mut CpuEngine<f32>| {
        let text = || "test".to_owned();
        Err(EngineError::Memory { device: text(), needed: 2, available: 1, what: text(), remedy: text() })
    };
    let second = Watched::at(CpuEngine::<f32>::new(1).unwrap(), (Call::Load, 2), full);
    let mut fleet = Fleet::new(vec![cpu(), Box::new(second)]).unwrap();
    let set = prepare(&mut fleet, &p, 4, 3);
    fleet.infer(batch(set, &[0, 1])).unwrap();
    let error = fleet.load(&p, 4).unwrap_err().to_string();
    assert!(error.contains("(device 2 of 2) cannot hold this: 2 bytes"), "{error}");
    let error = fleet.infer(batch(set, &[0, 1])).unwrap_err().to_string();
    assert!(error.contains("no program is loaded"), "{error}");
}

#[test]
fn the_loss_of_a_member_names_it() {
    let p = program(&Setup { padding: 1, ..Setup::default() });
    let lost_at = |k: usize| -> Box<dyn Engine> {
        let engine = CpuEngine::<f32>::new(1).unwrap();
        Box::new(Watched::at(engine, (Call::Gradients, k), |_| Err(loss())))
    };
    let mut fleet = Fleet::new(vec![cpu(), lost_at(2), cpu()]).unwrap();
    let set = prepare(&mut fleet, &p, 6, 3);
    fleet.train(batch(set, &[0, 1, 2, 3, 4, 5]), adam(1)).unwrap();
    let error = fleet.train(batch(set, &[0, 1, 2, 3, 4, 5]), adam(2)).unwrap_err();
    assert!(matches!(error, EngineError::Lost { .. }));
    let name = cpu().device().name.clone();
    assert_eq!(error.to_string(), format!("{name} (device 2 of 3) was lost: the cable was pulled"));
}

#[test]
fn a_member_that_panics_is_an_error_from_then_on() {
    let p = program(&Setup { padding: 1, ..Setup::default() });
    let engine = CpuEngine::<f32>::new(1).unwrap();
    let panics = Watched::at(engine, (Call::Gradients, 1), |_| panic!("on purpose"));
    let mut fleet = Fleet::new(vec![cpu(), Box::new(panics)]).unwrap();
    let set = prepare(&mut fleet, &p, 4, 3);
    for t in 1..3 {
        let error = fleet.train(batch(set, &[0, 1, 2, 3]), adam(t)).unwrap_err().to_string();
        assert!(error.contains("(device 2 of 2) failed: its thread ended"), "{error}");
    }
}
