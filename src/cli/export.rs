//! `ffm export`.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use image::{DynamicImage, GrayImage, ImageFormat};
use ndarray::Array2;
use serde_json::{Value, json};

use super::args::{Bitmap, Common, Export, Flip};
use super::{print, print_json, study::Wrong, train};
use crate::calibrate::{self, Calibration, LayerErrors, gray_phases};
use crate::device::{self, Panel, Preparation};
use crate::experiment::Experiment;
use crate::io::{self, IoError, RunDir};
use crate::optics::{Grid, Length, zernike};
use crate::train::Method;
use crate::twin::ConfigError;

/// Writes the masks of a run as a modulator has to show them.
pub(super) fn export(args: &Export, common: &Common) -> anyhow::Result<ExitCode> {
    let dir = RunDir::open(&args.run)?;
    let mut experiment = train::read_run(&dir)?;
    let panel = panel(&args.modulator)?;
    // Without a calibration nothing is known of the modulator, whatever the run assumed of its twin.
    let errors = match &args.calibration {
        Some(file) => {
            experiment.calibrate(&Calibration::read(file)?, &file.display().to_string())?;
            Some(calibrate::resolve(&experiment.imperfections).map_err(ConfigError::from)?)
        }
        None => None,
    };
    let table = args.lut.as_deref().map(device::read_phases).transpose()?;
    let flatness = args.flatness.as_deref().map(device::read_flatness).transpose()?;
    let stage = stage(args, &dir, &experiment)?;
    let pitch = pitch(args, &experiment, &panel)?;
    let default = || dir.path().join(format!("export-{}", panel.name));
    let out = args.out.clone().unwrap_or_else(default);
    let centre = args.centre.as_deref().map(centre).transpose()?;
    let mut layers = Vec::new();
    for number in 1..=experiment.optics.layers {
        let e = errors.as_ref().map(|all| all.of(number)).unwrap_or_default();
        let preparation = Preparation {
            phases: table.clone().or_else(|| errors.as_ref().map(|_| gray_phases(&e))),
            stretch: None,
            aberration: None,
            correction: flatness.clone(),
            turns: args.rotate.parse::<u32>().unwrap_or(0) / 90,
            flip_x: matches!(args.flip, Some(Flip::X | Flip::Xy)),
            flip_y: matches!(args.flip, Some(Flip::Y | Flip::Xy)),
            centre,
        };
        let one = Layer { args, dir: &dir, out: &out, stage: &stage, panel: &panel, pitch, number };
        layers.push(one.write(preparation, &e, &experiment)?);
    }
    let lut = match (&args.lut, &args.calibration) {
        (Some(file), _) | (None, Some(file)) => Some(file),
        (None, None) => None,
    };
    let summary = json!({
        "modulator": panel.name,
        "pixels": [panel.pixels[1], panel.pixels[0]],
        "pitch": pitch.map(|p| [Length(p[1]), Length(p[0])]),
        "wavelength": experiment.optics.wavelength,
        "distance": experiment.optics.distance,
        "run": dir.path(),
        "stage": stage,
        "turned_degrees": args.rotate.parse::<u32>().unwrap_or(0),
        "flipped": { "x": matches!(args.flip, Some(Flip::X | Flip::Xy)), "y": matches!(args.flip, Some(Flip::Y | Flip::Xy)) },
        "resampled": args.resample,
        "phase_response": lut,
        "flatness": args.flatness,
        "dir": out,
        "layers": layers,
    });
    io::write_atomic(&out.join("layers.json"), serde_json::to_string_pretty(&summary)?.as_bytes())?;
    report(&summary, &out, common);
    if common.json {
        print_json(&summary)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn report(summary: &Value, out: &Path, common: &Common) {
    for layer in summary["layers"].as_array().into_iter().flatten() {
        let Some(rms) = layer["error_rms"].as_f64() else { continue };
        print(&format!(
            "layer {}  phase as meant to {rms:.4} rad rms, {:.4} rad at most, {:.2} % out of the modulator's reach",
            layer["layer"],
            layer["error_max"].as_f64().unwrap_or_default(),
            100.0 * layer["unreached"].as_f64().unwrap_or_default()
        ));
    }
    if !common.quiet {
        eprintln!("bitmaps: {}", out.display());
    }
}

/// One layer on its way to a bitmap.
struct Layer<'a> {
    args: &'a Export,
    dir: &'a RunDir,
    out: &'a Path,
    stage: &'a str,
    panel: &'a Panel,
    /// Of mask and panel, where they differ: metres along y and x, and of the panel.
    pitch: Option<[f64; 2]>,
    number: usize,
}

impl Layer<'_> {
    fn write(
        &self,
        mut preparation: Preparation,
        e: &LayerErrors,
        experiment: &Experiment,
    ) -> anyhow::Result<Value> {
        let name = format!("{}-layer-{}", self.stage, self.number);
        let read = |suffix: &str| -> anyhow::Result<Option<Array2<f32>>> {
            let path = self.dir.file(&format!("masks/{name}{suffix}.npy"));
            Ok(if path.exists() { Some(self.on_panel(&io::read_real(&path)?, experiment)) } else { None })
        };
        let mut told = json!({ "layer": self.number });
        let mut files = serde_json::Map::new();
        let corrected = aberration(e, self.number)?;
        if let Some(mask) = read("")? {
            preparation.stretch = e.range_map.as_ref().map(|map| {
                let own = map.over(experiment.optics.pixels.both()).mapv(|v| v as f32);
                self.on_panel(&own, experiment).mapv(f64::from)
            });
            preparation.aberration = self.wavefront(&corrected, mask.dim(), experiment)?;
            let made = preparation.phase(mask.view(), self.panel)?;
            files.insert("phase".into(), json!(self.save("phase", &made.bitmap)?));
            told["corner"] = json!([made.corner[1], made.corner[0]]);
            told["error_rms"] = json!(made.error_rms);
            told["error_max"] = json!(made.error_max);
            told["unreached"] = json!(made.unreached);
            told["corrected_range_map"] = json!(e.range_map);
            told["corrected_zernike"] = json!(corrected);
        }
        if let Some(mask) = read("-amplitude")? {
            let bitmap = preparation.amplitude(mask.view(), self.panel)?;
            files.insert("amplitude".into(), json!(self.save("amplitude", &bitmap)?));
        }
        if files.is_empty() {
            let path = self.dir.file(&format!("masks/{name}.npy"));
            let problem =
                std::io::Error::new(std::io::ErrorKind::NotFound, "there is no such mask; is the run done?");
            return Err(IoError::read(&path, &problem).into());
        }
        told["files"] = Value::Object(files);
        Ok(told)
    }

    /// A mask in the panel's pixels: every pixel takes the value at its middle.
    fn on_panel(&self, mask: &Array2<f32>, experiment: &Experiment) -> Array2<f32> {
        let own = experiment.optics.pitch.both().map(|l| l.0);
        let Some(pitch) = self.pitch.filter(|_| self.args.resample) else { return mask.clone() };
        let ratio = [0, 1].map(|k| own[k] / pitch[k]);
        let (rows, cols) = mask.dim();
        let sides = [(rows as f64 * ratio[0]).floor() as usize, (cols as f64 * ratio[1]).floor() as usize];
        Array2::from_shape_fn((sides[0].max(1), sides[1].max(1)), |(r, c)| {
            let at = |k: usize, place: usize, n: usize| {
                let from_axis = (place as f64 - (sides[k] / 2) as f64) / ratio[k];
                (from_axis.round() as isize + (n / 2) as isize).clamp(0, n as isize - 1) as usize
            };
            mask[[at(0, r, rows), at(1, c, cols)]]
        })
    }

    /// The aberration over a mask's pixels, radians.
    fn wavefront(
        &self,
        terms: &[(usize, f64)],
        (rows, cols): (usize, usize),
        experiment: &Experiment,
    ) -> anyhow::Result<Option<Array2<f64>>> {
        if terms.is_empty() {
            return Ok(None);
        }
        let own = experiment.optics.pitch.both().map(|l| l.0);
        let [own_rows, own_cols] = experiment.optics.pixels.both();
        // Terms are over the circle about the network's own grid, whatever pixels show them.
        let radius = zernike::enclosing_radius(&Grid::new(own_rows, own_cols, own[0], own[1])?);
        let [dy, dx] = self.pitch.filter(|_| self.args.resample).unwrap_or(own);
        Ok(Some(zernike::wavefront(&Grid::new(rows, cols, dy, dx)?, radius, terms)?))
    }

    fn save(&self, kind: &str, bitmap: &Array2<u8>) -> anyhow::Result<String> {
        let (format, ending) = match self.args.format {
            Bitmap::Png => (ImageFormat::Png, "png"),
            Bitmap::Bmp => (ImageFormat::Bmp, "bmp"),
        };
        let file = format!("layer-{}-{kind}.{ending}", self.number);
        let path = self.out.join(&file);
        let (rows, cols) = bitmap.dim();
        let picture = GrayImage::from_raw(cols as u32, rows as u32, bitmap.iter().copied().collect())
            .ok_or_else(|| IoError::content(&path, "its size does not match its pixels"))?;
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::ImageLuma8(picture)
            .write_to(&mut bytes, format)
            .map_err(|e| IoError::content(&path, e))?;
        io::write_atomic(&path, &bytes.into_inner())?;
        Ok(file)
    }
}

/// The part of a modulator's aberration that is known.
fn aberration(e: &LayerErrors, number: usize) -> anyhow::Result<Vec<(usize, f64)>> {
    match &e.modulator_aberration {
        None => Ok(Vec::new()),
        Some(a) if a.rms == 0.0 => Ok(a.zernike.clone()),
        Some(a) => Err(Wrong(format!(
            "--calibration: imperfections (layer {number}).modulator_aberration.rms = {}: a random wavefront cannot be taken off; \
             give zernike terms, or leave it out",
            a.rms
        ))
        .into()),
    }
}

fn panel(name: &str) -> anyhow::Result<Panel> {
    let known = || Panel::names().collect::<Vec<_>>().join(", ");
    Panel::named(name).ok_or_else(|| {
        Wrong(format!("--modulator {name}: there is no such device; there are {}, and WIDTHxHEIGHT", known()))
            .into()
    })
}

fn centre(given: &[usize]) -> anyhow::Result<[usize; 2]> {
    match given {
        [col, row] => Ok([*row, *col]),
        _ => Err(Wrong("--centre: write COLUMN,ROW, for instance --centre 960,600".into()).into()),
    }
}

/// The panel's pitch, metres along y and x, once it is clear that the masks fit it.
fn pitch(args: &Export, experiment: &Experiment, panel: &Panel) -> anyhow::Result<Option<[f64; 2]>> {
    let own = experiment.optics.pitch.both();
    let Some(pitch) = panel.pitch else {
        return match args.resample {
            false => Ok(None),
            true => Err(Wrong(format!(
                "--resample: the pixel pitch of {} is not known; name a device",
                panel.name
            ))
            .into()),
        };
    };
    let same = own.iter().all(|l| (l.0 / pitch - 1.0).abs() < 1e-3);
    if same || args.resample {
        return Ok(Some([pitch; 2]));
    }
    Err(Wrong(format!(
        "the masks have pixels of {} x {}, {} of {} um; train with optics.pitch=\"{} um\", or show every mask pixel with \
         several of the panel's: --resample",
        own[1],
        own[0],
        panel.name,
        pitch * 1e6,
        pitch * 1e6
    ))
    .into())
}

/// The stage whose masks are meant.
fn stage(args: &Export, dir: &RunDir, experiment: &Experiment) -> anyhow::Result<String> {
    let there = |stage: &str| {
        ["", "-amplitude"].iter().any(|kind| dir.file(&format!("masks/{stage}-layer-1{kind}.npy")).exists())
    };
    let all = [experiment.train.method.name(), Method::InSilico.name()];
    let missing = |stage: &str| {
        let path: PathBuf = dir.file(&format!("masks/{stage}-layer-1.npy"));
        let reason = format!(
            "there are no masks of this stage; there may be those of {}, once the run is done (ffm resume {})",
            all.join(" and "),
            dir.path().display()
        );
        IoError::read(&path, &std::io::Error::new(std::io::ErrorKind::NotFound, reason))
    };
    match &args.stage {
        Some(stage) if all.contains(&stage.as_str()) && there(stage) => Ok(stage.clone()),
        Some(stage) if all.contains(&stage.as_str()) => Err(missing(stage).into()),
        Some(stage) => Err(Wrong(format!("--stage {stage}: this run has {}", all.join(" and "))).into()),
        None => match all.into_iter().find(|s| there(s)) {
            Some(stage) => Ok(stage.into()),
            None => Err(missing(all[0]).into()),
        },
    }
}
