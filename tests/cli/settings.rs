//! Wrong settings, devices and arguments: refused before a folder is made, with the key, the value and what to do.

use crate::images::write_bars;
use crate::support::{CPU, ffm, folder, tiny, tiny_args};

/// Arguments, exit code, parts of the message.
type Case<'a> = (&'a [&'a str], i32, &'a [&'a str]);

#[test]
fn wrong_settings_are_named() {
    let cases: [Case<'_>; 41] = [
        (&["--set", "optics.pitc=1"], 2, &["unknown key `optics.pitc`", "did you mean `optics.pitch`?"]),
        (&["--set", "optics.layers=two"], 2, &["`optics.layers`", "\"two\"", "a whole number"]),
        (&["--set", "train.rate=[1]"], 2, &["`train.rate`", "a number"]),
        (&["--set", "nonsense"], 2, &["--set nonsense", "KEY=VALUE"]),
        (&["--set", "optics.pitch=8 parsec"], 2, &["`optics.pitch`", "\"8 parsec\" is not a length", "um, "]),
        (&["--set", "optics.distance=8 parsec"], 2, &["`optics.distance`", "\"8 parsec\" is not a length"]),
        (&["--set", "optics.pitch=-8 um"], 2, &["optics.pitch", "-0.000008", "positive"]),
        (&["--set", "optics.pitch=8"], 2, &["`optics.pitch`", "8 has no unit", "\"8 um\""]),
        (&["--set", "imperfections.all.roll=90"], 2, &["roll`", "90 has no unit", "\"90 deg\""]),
        (&["--set", "imperfections.all=3"], 2, &["`imperfections.all`", "expected a table"]),
        (&["--set", "train.epsilon=1e-35"], 2, &["train.epsilon = 1e-35", "1e-30 or more"]),
        (&["--set", "optics.pixels=-32"], 2, &["`optics.pixels`", "`-32`", "a whole number"]),
        (&["--set", "optics.pixels=[1,2,3]"], 2, &["`optics.pixels`", "[along y, along x]"]),
        (&["--set", "optics.layers=0"], 2, &["optics.layers = 0", "1 to 1000"]),
        (&["--set", "optics.padding=0.5"], 2, &["optics.padding = 0.5", "1 (periodic) to 8"]),
        (
            &["--set", "detectors.classes=2", "--set", "detectors.regions=[[0,0,8,8],[30,0,8,8]]"],
            2,
            &["detectors.classes = 2", "10 classes"],
        ),
        (&["--set", "detectors.size=40"], 2, &["detectors.size = 40", "32 x 32"]),
        (&["--set", "train.batch=0"], 2, &["train.batch = 0", "at least 1"]),
        (&["--set", "train.epochs=0"], 2, &["train.epochs = 0", "at least 1"]),
        (&["--set", "train.rate=-1"], 2, &["train.rate = -1", "positive"]),
        (&["--set", "train.momentum=1"], 2, &["train.momentum = 1", "below 1"]),
        (&["--set", "train.beta1=-0.5"], 2, &["train.beta1 = -0.5", "at least 0"]),
        (&["--set", "train.beta2=nan"], 2, &["train.beta2 = NaN", "below 1"]),
        (&["--set", "train.schedule=cosin"], 2, &["`train.schedule", "`cosin`", "cosine"]),
        (
            &["--set", "train.schedule={every=2}"],
            2,
            &["`train.schedule", "`every` belongs to kind = \"step\"", "\"cosine\""],
        ),
        (
            &["--set", "train.schedule={kind='step', evry=2}"],
            2,
            &["unknown key `train.schedule.evry`", "did you mean `train.schedule.every`?"],
        ),
        (
            &["--set", "train.schedule={warmup=2}"],
            2,
            &["train.schedule.warmup = 2", "the 2 steps of the run"],
        ),
        (&["--set", "train.patience=0"], 2, &["train.patience = 0", "at least 1 epoch"]),
        (&["--set", "train.keep=first"], 2, &["`train.keep`", "`first`", "`best`"]),
        (&["--set", "loss.scale=0"], 2, &["loss.scale", "0", "positive"]),
        (&["--set", "loss.efficiency=-1"], 2, &["loss.efficiency = -1", "0 (no term) or positive"]),
        (&["--set", "loss.smoothing=1"], 2, &["loss.smoothing = 1", "below 1"]),
        (&["--set", "loss.margin=3"], 2, &["loss.margin = 3", "0 (none) to 2"]),
        (&["--set", "loss.target=1"], 2, &["`loss`", "`target` belongs to kind = \"mse\""]),
        (
            &["--set", "loss.eficiency=1"],
            2,
            &["unknown key `loss.eficiency`", "did you mean `loss.efficiency`?"],
        ),
        (&["--set", "optics.pixels=16"], 2, &["optics.pixels = [16, 16]", "28 x 28", "larger than the grid"]),
        (&["--set", "input.size=64"], 2, &["input.size = [64, 64]", "32 x 32"]),
        (&["--set", "imperfections.preset=nope"], 2, &["imperfections.preset", "\"nope\"", "bench"]),
        (&["--set", "optics.propagation=magic"], 2, &["`magic`", "angular-spectrum"]),
        (&["--set", "train.start=5"], 2, &["`train.start`", "a text in quotes"]),
        (&["no-such-file.toml"], 2, &["cannot read experiment no-such-file.toml"]),
    ];
    let dir = folder();
    for (args, code, says) in cases {
        tiny(dir.path(), args).fails(code, says);
        assert!(!dir.path().join("run").exists(), "{args:?} made a run folder");
    }
}

/// Lengths that hardly can be meant are said, and trained with all the same.
#[test]
fn strange_lengths_are_said() {
    let dir = folder();
    let cases = [
        (
            "optics.pitch=50 mm",
            "warning: optics.pitch = 50 mm is too much for waves of 532 nm; did you mean 50 um?",
        ),
        ("optics.wavelength=532 um", "warning: optics.wavelength = 532 um is no light"),
        (
            "optics.distance=388 m",
            "light spreads more than a hundred times wider than the modulator; did you mean 388 mm?",
        ),
    ];
    for (set, says) in cases {
        let run = tiny(dir.path(), &["--set", set, "--dry-run"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(run.stderr.contains(says), "{set}: {}", run.stderr);
    }
    assert!(!tiny(dir.path(), &["--dry-run"]).stderr.contains("warning"));
    assert!(
        !tiny(dir.path(), &["--set", "optics.pitch=50 mm", "--dry-run", "-q"]).stderr.contains("warning")
    );
}

/// Where no light arrives no gradient has a direction: the run ends as one that learned nothing, and says why.
#[test]
fn a_network_without_light_is_trained_to_its_end() {
    let dir = folder();
    let run = tiny(dir.path(), &["--set", "optics.distance=1e30 m"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("gradient cosine  none: a gradient is zero"), "{}", run.stdout);
    assert!(!run.stdout.contains("SSIM"), "{}", run.stdout);
    // Pixels are fewer than the window of SSIM has.
    let few = ["--set", "optics.pixels=10", "--set", "detectors.size=2", "--data", "set", "--json"];
    write_bars(&dir.path().join("set"), 3, 8);
    std::fs::rename(dir.path().join("run"), dir.path().join("dark")).expect("a run folder");
    let run = tiny(dir.path(), &few);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.json()["ssim"]["ideal_vs_ffm"].is_null() && run.json()["gradient_cosine"][0].is_f64());
    let pages = ffm(dir.path(), &["report", "run", "dark", "--out", "both.html"]).done();
    assert!(!pages.stdout.contains("NaN"), "{}", pages.stdout);
}

#[test]
fn a_wrong_file_is_named_with_its_line() {
    let dir = folder();
    let write = |text: &str| std::fs::write(dir.path().join("a.toml"), text).expect("a file");
    let train = || ffm(dir.path(), &["train", "a.toml", "--device", "cpu"]);
    write("[optics]\nlayer = 3\n");
    train().fails(2, &["a.toml: unknown key `optics.layer`", "did you mean `optics.layers`?"]);
    write("[optics\nlayers = 3\n");
    train().fails(2, &["a.toml is not valid TOML", "line 1"]);
    write("[detectors]\nclasses = 2\nregions = [[0, 0, 8, 8], [125, 0, 8, 8]]\n[data]\nsource = 'two'\n");
    crate::images::write_set(&dir.path().join("two"), 2);
    train().fails(2, &["[125, 0, 8, 8]", "region 2 leaves the grid of 128 x 128"]);
}

#[test]
fn an_undersampled_method_needs_consent() {
    let dir = folder();
    let chosen = ["--set", "optics.propagation=angular-spectrum"];
    // 64 (25 um)^2 would be the default's; here the pitch is 50 um: 64 (50 um)^2 / 532 nm = 0.300752 m on both axes.
    tiny(dir.path(), &chosen).fails(
        2,
        &["angular-spectrum undersamples", "up to 0.300752 m", "from 0.300752 m", "allow_undersampled"],
    );
    let consent = [chosen[0], chosen[1], "--set", "optics.allow_undersampled=true"];
    tiny(dir.path(), &consent).done();
}

#[test]
fn a_device_that_is_not_there_is_named() {
    let dir = folder();
    for (device, says) in [("voodoo", "no device \"voodoo\""), ("99", "no device \"99\"")] {
        ffm(dir.path(), &tiny_args(&["--device", device], &[])).fails(4, &[says]);
    }
    assert!(!dir.path().join("run").exists());
}

#[test]
fn threads_beyond_reason_are_refused() {
    let dir = folder();
    let ran = ffm(dir.path(), &tiny_args(&["--device", "cpu", "--threads", "99999"], &[]));
    ran.fails(2, &["99999", "--threads", "1024"]);
}

#[test]
fn lengths_that_a_gpu_cannot_transform_are_named() {
    if ffm_twin::engine::gpu::adapters().is_empty() {
        println!("skipped: no adapter");
        return;
    }
    let dir = folder();
    let gpu = |more: &[&str]| ffm(dir.path(), &tiny_args(&["--device", "gpu"], more));
    gpu(&["--set", "optics.pixels=9000"]).fails(2, &["transform length 18000", "8 to 4096", "less padding"]);
    gpu(&["--set", "optics.pixels=101", "--set", "optics.padding=1"])
        .fails(2, &["optics.pixels = 101", "periodic", "the next is "]);
    assert!(!dir.path().join("run").exists());
}

/// Under a limit of 4 GB of addresses an attempt to allocate the arrays would abort.
#[cfg(target_os = "linux")]
#[test]
fn a_huge_system_is_refused_before_anything_is_allocated() {
    use crate::support::{Ran, command};

    let dir = folder();
    let huge = ["--set", "optics.pixels=16000", "--set", "optics.layers=1000"];
    let ffm = command(dir.path(), &tiny_args(&CPU, &huge));
    let mut limited = std::process::Command::new("sh");
    limited
        .args(["-c", "ulimit -v 4000000 && exec \"$0\" \"$@\""])
        .arg(ffm.get_program())
        .args(ffm.get_args());
    limited.current_dir(dir.path());
    let ran = Ran::of(&limited.output().expect("a shell"));
    ran.fails(4, &["bytes are needed", "are available", "lower optics.pixels"]);
    assert!(!dir.path().join("run").exists());
}
