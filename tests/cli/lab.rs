//! `ffm lab`: a hidden truth in, a measurement folder out.

use std::time::{Duration, Instant};

use ffm_twin::measure::Measurement;

use crate::support::{Ran, command, ffm, folder, text};

const BENCH: &str =
    "name = 'bench'\n[optics]\npixels = 32\nlayers = 1\npitch = '50 um'\ndistance = '0.2 m'\n";

#[test]
fn a_measurement_folder_is_written() {
    let dir = folder();
    std::fs::write(dir.path().join("bench.toml"), BENCH).expect("a file");
    std::fs::write(dir.path().join("hidden.toml"), "[imperfections.all]\nshift = ['9 um', '0 um']\n")
        .expect("a file");
    let args = ["lab", "bench.toml", "--truth", "hidden.toml", "--out", "m"];
    let few = ["--frames", "2", "--sweep", "3", "--transfer", "2", "--reference", "1", "--seed", "4"];
    let ran = ffm(dir.path(), &[&args[..], &few, &["--json"]].concat()).done();
    let told = ran.json();
    assert_eq!(told["frames"], 2 + 1 + 4 + 4 + 3 + 4);
    assert_eq!((&told["dir"], &told["truth"]), (&"m".into(), &"m-truth.toml".into()));
    assert_eq!(ran.stderr, "");
    let description = text(&dir.path().join("m/measurement.toml"));
    for part in ["role = \"test\"", "role = \"sweep\"", "role = \"photon-transfer\"", "reference = true"] {
        assert!(description.contains(part), "{part}");
    }
    assert!(!description.contains("9 um"), "the truth is not in the folder");
    assert!(text(&dir.path().join("m-truth.toml")).contains("shift = [\"9 um\", \"0 m\"]"));
    // The same again, of the folder's own frames.
    let again =
        ["lab", "bench.toml", "--truth", "m-truth.toml", "--out", "n", "--plan", "m", "--json", "--quiet"];
    let ran = ffm(dir.path(), &again).done();
    assert_eq!((ran.stdout.lines().count(), &ran.json()["frames"]), (1, &told["frames"]));
}

#[test]
fn what_no_bench_can_have_is_refused() {
    let dir = folder();
    std::fs::write(dir.path().join("bench.toml"), BENCH).expect("a file");
    let lab = |truth: &str, more: &[&str]| {
        std::fs::write(dir.path().join("hidden.toml"), truth).expect("a file");
        ffm(dir.path(), &[&["lab", "bench.toml", "--truth", "hidden.toml", "--out", "m"], more].concat())
    };
    lab("[camera]\nbit = 3", &[]).fails(2, &["hidden.toml", "camera.bit"]);
    lab("[camera]\nbits = 30", &[]).fails(2, &["camera.bits = 30", "2 to 16"]);
    lab("[camera]\nfull_well = -1.0", &[]).fails(2, &["camera.full_well = -1", "positive"]);
    lab("[imperfections.all]\naxial = '-1 m'", &[]).fails(2, &["axial", "positive distance"]);
    lab("[imperfections.all]\nmagnification = nan", &[]).fails(2, &["(layer 1).magnification", "0.5 to 2"]);
    lab("[imperfections.all]\nfill_factor = -1.0", &[]).fails(2, &["(layer 1).fill_factor", "at most 1"]);
    lab("[imperfections.all]\ncamera_edge = 0.0", &[]).fails(2, &["(layer 1).camera_edge", "at most 1"]);
    lab("[imperfections.all]\nlut = [1.0]", &[]).fails(2, &["(layer 1).lut = 1 entries", "at least 2"]);
    lab("[camera]\npitch = '1e30 m'", &[]).fails(2, &["--fine = 3", "camera.pitch"]);
    lab("[camera.registration]\ndistortion = 1e300", &[]).fails(2, &["--fine = 3", "camera.registration"]);
    lab("[camera.registration]\nmatrix = [[1.0, 9.0], [0.0, 1.0]]", &[])
        .fails(2, &["camera.registration", "factor of four"]);
    lab("[imperfections.layer.2]\nbits = 8", &[]).fails(2, &["imperfections.layer", "layers 1 to 1"]);
    lab("[imperfections.drift]\nevery = 5", &[]).fails(2, &["drift", "stands still"]);
    lab("", &["--fine", "12"]).fails(2, &["--fine = 12"]);
    lab("", &["--plan", "none"]).fails(3, &["none/measurement.toml"]);
    std::fs::create_dir(dir.path().join("other")).expect("a folder");
    std::fs::write(dir.path().join("other/measurement.toml"), "[optics]\npixels = 64").expect("a file");
    lab("", &["--plan", "other"]).fails(2, &["measurement.toml", "another bench"]);
    ffm(dir.path(), &["lab", "--truth", "missing.toml", "--out", "m"]).fails(2, &["missing.toml"]);
    lab("", &["--reveal", "other"]).fails(5, &["cannot write other"]);
}

/// A slow machine may miss the moment to interrupt; then it is tried again, a longer or shorter time after the start.
const ATTEMPTS: usize = 8;

#[cfg(unix)]
#[test]
fn interrupted_it_leaves_a_folder_that_can_be_used() {
    let dir = folder();
    std::fs::write(dir.path().join("bench.toml"), BENCH).expect("a file");
    std::fs::write(dir.path().join("hidden.toml"), "").expect("a file");
    let args = ["lab", "bench.toml", "--truth", "hidden.toml", "--out", "m", "--frames", "80", "--fine", "9"];
    let mut pause = Duration::from_millis(400);
    for _ in 0..ATTEMPTS {
        let out = dir.path().join("m");
        let _earlier = std::fs::remove_dir_all(&out);
        let pipes = || std::process::Stdio::piped();
        let child = command(dir.path(), &args).stdout(pipes()).stderr(pipes()).spawn().expect("it starts");
        let begun = Instant::now();
        // The folder is made before the first frame is rendered.
        while !out.exists() && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(pause);
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
        let ran = Ran::of(&child.wait_with_output().expect("a process"));
        if ran.code == Some(0) {
            pause /= 4;
            continue;
        }
        assert_eq!(ran.code, Some(130), "{}", ran.stderr);
        if ran.stderr.contains("nothing is written") {
            assert_eq!(std::fs::read_dir(&out).expect("a folder").count(), 0);
            pause *= 2;
            continue;
        }
        let m = Measurement::open(&out).expect("a measurement");
        let frames = m.config.frames.len();
        let said = format!("interrupted; {frames} of ");
        assert!(ran.stderr.contains(&said) && ran.stderr.contains("the same command"), "{}", ran.stderr);
        let check = m.check();
        assert!(frames > 0 && check.usable(), "{:?}", check.problems);
        assert!(text(&dir.path().join("m-truth.toml")).contains("[camera]"));
        // The same command again, with less to do.
        let again = [&args[..6], &["--frames", "2", "--sweep", "0", "--transfer", "0", "--json"]].concat();
        let told = ffm(dir.path(), &again).done().json();
        assert_eq!(Measurement::open(&out).expect("a measurement").config.frames.len(), told["frames"]);
        return;
    }
    panic!("it was never interrupted between its first and its last frame");
}
