//! `--calibration` and `ffm eval --truth`: measured set-ups in place of assumed ones.

use std::path::Path;

use crate::support::{CPU, ffm, folder, text, tiny};

const SMALL: &str = "[imperfections.all]\naxial = '30 mm'\nshift = ['120 um', '0 um']\n";

fn write(dir: &Path, name: &str, content: &str) {
    std::fs::write(dir.join(name), content).expect("a file");
}

#[test]
fn a_run_keeps_the_values_of_its_calibration() {
    let dir = folder();
    write(dir.path(), "c.toml", SMALL);
    // Enough images that two benches do not agree by chance.
    let sets = ["train.method=in-silico-calibrated", "train.epochs=3", "data.train=400", "data.test=100"];
    let sets: Vec<&str> = sets.iter().flat_map(|s| ["--set", *s]).collect();
    tiny(dir.path(), &[&["--calibration", "c.toml"], &sets[..]].concat()).done();
    std::fs::remove_file(dir.path().join("c.toml")).expect("a file");
    let config = text(&dir.path().join("run/config.toml"));
    assert!(config.contains("axial = \"3 cm\"") && !config.contains("\"bench\""), "{config}");
    let eval = |more: &[&str]| {
        let ran = ffm(dir.path(), &[&["eval", "run", "--json"], CPU.as_slice(), more].concat()).done();
        ran.json()
    };
    let own = eval(&[]);
    assert!(own["bench"].is_null());
    // A truth that is the calibrated bench, as a laboratory writes it, tests the same; another one does not.
    write(dir.path(), "same.toml", &format!("{SMALL}[camera]\nbits = 12\n"));
    let same = eval(&["--truth", "same.toml"]);
    assert_eq!((&same["accuracy"], &same["bench"]), (&own["accuracy"], &"same.toml".into()));
    write(dir.path(), "other.toml", "[imperfections.all]\nroll = '60 deg'\ngamma = 3.0\n");
    let other = eval(&["--calibration", "other.toml"]);
    assert_eq!(other["accuracy"]["ideal"], own["accuracy"]["ideal"]);
    assert_ne!(other["accuracy"]["trained"], own["accuracy"]["trained"]);
}

#[test]
fn the_bench_of_a_laboratory_is_lit_as_it_was_there() {
    let dir = folder();
    let truth = "[illumination]\nwaist = '1.5 mm'\ncentre = ['0.2 mm', '0 mm']\n[camera]\nbits = 12\n";
    write(dir.path(), "hidden.toml", truth);
    tiny(dir.path(), &["--truth", "hidden.toml"]).done();
    let config = text(&dir.path().join("run/config.toml"));
    assert_eq!(config.matches("illumination").count(), 2, "one for each pass: {config}");
    let gaussian = ["--set", "source={ kind = 'gaussian', waist = '1 mm' }", "--truth", "hidden.toml"];
    let other = folder();
    write(other.path(), "hidden.toml", truth);
    tiny(other.path(), &gaussian).fails(2, &["illumination.waist", "source.kind"]);
}

#[test]
fn calibrations_of_other_benches_are_refused() {
    let dir = folder();
    let bench = "[bench]\nwavelength = '633 nm'\npixels = [32, 32]\npitch = ['50 um', '50 um']\nlayers = 2\ndistance = '0.388 m'\n";
    write(dir.path(), "c.toml", bench);
    let says = ["c.toml: bench.wavelength = 633 nm", "optics.wavelength is 532 nm"];
    tiny(dir.path(), &["--calibration", "c.toml"]).fails(2, &says);
    assert!(!dir.path().join("run").exists());
    for command in [&["compare"][..], &["bits"], &["reproduce", "fig2"]] {
        let all =
            [command, &["--calibration", "c.toml"], if command == ["bits"] { &CPU[..2] } else { &CPU[..] }]
                .concat();
        ffm(dir.path(), &all).fails(2, &says[..1]);
    }
    write(dir.path(), "c.toml", "[imperfections.all]\nrol = '1 deg'");
    tiny(dir.path(), &["--calibration", "c.toml"]).fails(2, &["c.toml", "imperfections.all.rol"]);
    for (text, says) in [
        ("[registration]\nmatrix = [[0.5, -1e9], [3.0, 2.0]]", ["`registration`", "factor of four"]),
        ("[registration]\noffset = [nan, 0.0]", ["`registration`", "finite"]),
        ("[response]\ngain = -3.0\noffset = 1.0", ["`response.gain`", "positive"]),
        ("[response]\ngain = 3.0\noffset = 1.0\nblur = 1e9", ["`response.blur`", "0 to 8"]),
    ] {
        write(dir.path(), "c.toml", text);
        tiny(dir.path(), &["--calibration", "c.toml"]).fails(2, &says);
    }
    tiny(dir.path(), &["--calibration", "none.toml"]).fails(3, &["none.toml"]);
    tiny(dir.path(), &[]).done();
    write(dir.path(), "c.toml", "[imperfections.layer.7]\nbits = 8");
    let eval = |more: &[&str]| ffm(dir.path(), &[&["eval", "run"], CPU.as_slice(), more].concat());
    eval(&["--truth", "c.toml"]).fails(2, &["imperfections.layer", "layers 1 to 2"]);
    eval(&["--truth", "c.toml", "--calibration", "c.toml"]).fails(2, &["cannot be used with"]);
}
