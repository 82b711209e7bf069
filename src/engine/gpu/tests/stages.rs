//! The shared functions of the shaders against their twins on the host.

use super::super::adapters::Selection;
use super::super::cache::KernelCache;
use super::super::context::Context;
use super::super::kernel::Kernel;
use super::super::params::Params;
use super::bench::{Bench, plain_params};
use crate::device::noise;
use crate::engine::EngineError;

#[test]
fn a_broken_kernel_is_an_error_with_the_reason_and_the_device_goes_on() {
    let mut context =
        Context::open(&Selection::Best, false, &KernelCache::Off).unwrap_or_else(|e| panic!("{e}"));
    let broken = Kernel {
        name: "broken".to_owned(),
        text: "@compute @workgroup_size(1) fn main() { let x = nothing; }".to_owned(),
        bindings: Vec::new(),
    };
    let error = context.compile(&broken).expect_err("not valid").to_string();
    assert!(error.contains("broken") && error.contains("nothing"), "{error}");
    context.check().expect("an error inside a scope leaves no trace");
    let huge = context.buffer("huge", 1 << 60).expect_err("no device has that");
    assert!(matches!(huge, EngineError::Memory { .. } | EngineError::Device { .. }), "{huge}");
}

/// Numbers of a test: workgroups of 64.
const COUNT: usize = 64 * 64;

/// Normal numbers are equal up to the contraction of products and sums, which shader compilers may do.
const NORMAL: f32 = 1e-5;

#[test]
fn noise_is_that_of_the_host() {
    let source = "//@use params noise\n\
        //@bind write numbers: array<vec4<f32>>\n\
        @compute @workgroup_size(64)\n\
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {\n\
            numbers[id.x] = normals(p.key, id.x * 977u, p.first, p.stage);\n\
        }\n";
    let mut bench = Bench::new(true);
    for (seed, step, sample, hop) in [(1, 2, 3, 4), (u64::MAX, 1 << 40, 65_535, 0), (0, 0, 0, 0)] {
        let key = noise::step_key(seed, step);
        let stage = noise::stage_word(hop, noise::Pass::Error);
        bench.poison("numbers", 4 * COUNT);
        let params = Params { key, stage, first: sample, ..plain_params() };
        bench.run_text("noise", source, params, [COUNT / 64, 1]);
        let numbers: Vec<[f32; 4]> = bench.get("numbers");
        for (id, got) in numbers.iter().enumerate() {
            let expected = noise::normals(key, id as u32 * 977, sample, stage);
            for (a, b) in got.iter().zip(expected) {
                assert!((a - b).abs() < NORMAL * (1.0 + b.abs()), "pixel {id}: {got:?} for {expected:?}");
            }
        }
    }
}

#[test]
fn the_exponential_and_the_logarithm_are_accurate() {
    let source = "//@use params exp_ln\n\
        //@bind write numbers: array<vec2<f32>>\n\
        @compute @workgroup_size(64)\n\
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {\n\
            let x = -0.025 * f32(id.x);\n\
            numbers[id.x] = vec2<f32>(exp_negative(x), ln(1.0 - x));\n\
        }\n";
    let mut bench = Bench::new(true);
    bench.poison("numbers", 2 * COUNT);
    bench.run_text("exp_ln", source, plain_params(), [COUNT / 64, 1]);
    let numbers: Vec<[f32; 2]> = bench.get("numbers");
    for (id, [exponential, logarithm]) in numbers.iter().enumerate() {
        let x = -0.025_f32 * id as f32;
        let exact = f64::from(x).exp();
        let error = (f64::from(*exponential) - exact).abs();
        // Below exp(-86) the function is 0: e^-86 is 4e-38.
        assert!(error < 1e-6 * exact + 5e-38, "exp {x}: {exponential} for {exact}");
        let exact = (1.0 - f64::from(x)).ln();
        assert!((f64::from(*logarithm) - exact).abs() < 3e-7 * (1.0 + exact), "ln {}: {logarithm}", 1.0 - x);
    }
}
