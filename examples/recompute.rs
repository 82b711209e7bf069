//! What `train.recompute` saves and costs: memory and time of a training step of a deep system, recorded whole and in segments.
//!
//! ```text
//! cargo run --release --example recompute [-- DEVICE [PIXELS [ROUNDS]]]
//! ```

use std::time::Instant;

use ffm_twin::data::{self, Limits};
use ffm_twin::engine::{Batch, Program, Update, open};
use ffm_twin::experiment::{Experiment, settings};
use ffm_twin::twin::{ErrorPass, System};

const LAYERS: usize = 8;
const BATCH: usize = 16;
/// Everything, then segments of this length.
const LENGTHS: [usize; 4] = [0, 2, 3, 4];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let device = arguments.first().map_or("cpu", String::as_str);
    let pixels = arguments.get(1).map_or(Ok(128), |a| a.parse())?;
    let rounds: u64 = arguments.get(2).map_or(Ok(21), |a| a.parse())?;

    let text = format!("[optics]\nlayers = {LAYERS}\npixels = {pixels}\n[imperfections]\npreset = 'bench'");
    let experiment: Experiment = settings(&text, "the example", &[])?;
    let images = data::load("strokes", Limits { train: Some(BATCH), test: Some(1) }, 1)?.train;
    let mut engine = open(device, 0)?;
    let system = System::new(experiment.system(), images.size, experiment.seed)?;
    let twin = system.compile_twin(ErrorPass::Forward, &|n| engine.transform_length(n))?;
    println!("{} layers of {pixels} x {pixels}, batch {BATCH}, {}", LAYERS, engine.device().name);

    let programs = LENGTHS.map(|recompute| Program { recompute, ..twin.clone() });
    let indices: Vec<u32> = (0..BATCH as u32).collect();
    // In turns, so that whatever else the machine does meets all alike.
    let mut seconds = vec![Vec::new(); LENGTHS.len()];
    for round in 0..rounds {
        for (program, seconds) in programs.iter().zip(&mut seconds) {
            engine.load(program, BATCH)?;
            engine.clear_sets();
            let set = engine.upload(&images)?;
            let mut steps = |count: u64| -> anyhow::Result<f64> {
                let begin = Instant::now();
                for t in 1..=count {
                    engine.train(Batch::whole(set, &indices, round, t), update(t))?;
                }
                engine.take_tally()?;
                Ok(begin.elapsed().as_secs_f64() / count as f64)
            };
            // The first step compiles kernels and warms caches.
            steps(1)?;
            seconds.push(steps(2)?);
        }
    }
    let memory =
        programs.each_ref().map(|program| engine.memory_needed(program, BATCH) as f64 / f64::from(1 << 20));
    for (k, length) in LENGTHS.iter().enumerate() {
        let ratios = seconds[k].iter().zip(&seconds[0]).map(|(a, b)| a / b).collect();
        println!(
            "recompute = {length}: {:8.1} MiB ({:5.1} %), {:8.2} ms a step, ratio {:.3}",
            memory[k],
            100.0 * memory[k] / memory[0],
            1e3 * median(seconds[k].clone()),
            median(ratios)
        );
    }
    Ok(())
}

/// Small steps of Adam.
fn update(t: u64) -> Update {
    Update::Adam { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, t }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
