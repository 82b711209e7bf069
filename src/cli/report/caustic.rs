//! Frames along a focused beam against the beam that fits them.

use std::path::Path;
use std::process::ExitCode;

use ndarray::{Array2, s};

use super::Files;
use super::likeness::Found;
use crate::calibrate::caustic::{self, Beam, Caustic, Spot, gaussian_spot, second_moments};
use crate::cli::args::Common;
use crate::cli::progress;
use crate::cli::study::Wrong;
use crate::experiment::frames::{dark_counts, numbered};
use crate::measure::{FILE, Measurement, Role};
use crate::report::likeness::compare;
use crate::report::significant;
use crate::report::study::{Chart, Curve, Point, Table};

/// Half the side of the compared window, radii of the fitted beam: an aperture of 3 diameters.
const WINDOW: f64 = 3.0;
/// Share of saturated pixels of a spot's area from which on the page warns.
const SATURATED: f64 = 1e-3;

/// A frame and the spot in it; lengths in metres.
struct Plane {
    number: usize,
    z: f64,
    light: Array2<f64>,
    spot: Spot,
    gaussian: f64,
    moments: Option<f64>,
}

pub(super) fn report(dir: &Path, files: &Files, common: &Common) -> anyhow::Result<ExitCode> {
    let m = Measurement::open(dir)?;
    let wavelength = m.config.optics.wavelength.0;
    let [dy, dx] = m.config.camera.pitch.both().map(|p| p.0);
    if dy != dx {
        anyhow::bail!(Wrong(format!(
            "camera.pitch: {dy} m along y and {dx} m along x; a caustic needs square pixels"
        )));
    }
    let bar = progress::spinner(!common.quiet && std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let planes = planes(&m, dx, |text| bar.set_message(text))?;
    bar.finish_and_clear();
    let radii: Vec<_> = planes.iter().map(|p| (p.z, p.gaussian)).collect();
    let gaussian = caustic::fit(&radii, wavelength)?;
    let moments: Option<Vec<_>> = planes.iter().map(|p| Some((p.z, p.moments?))).collect();
    let moments = moments.map(|radii| caustic::fit(&radii, wavelength)).transpose()?;
    let mut found = Found { title: title(&m, dir), ..Found::default() };
    for plane in &planes {
        let name = &m.config.frames[plane.number - 1].file;
        let beam = &gaussian.beam;
        let shape = [plane.light.nrows(), plane.light.ncols()];
        let twin = beam.frame(plane.z, shape, [dy, dx], plane.spot.centre, plane.spot.power());
        let half = WINDOW * beam.radius(plane.z) / dx;
        let side = |k: usize| {
            let low = (plane.spot.centre[k] - half).max(0.0) as usize;
            low..((plane.spot.centre[k] + half).ceil() as usize + 1).min(shape[k])
        };
        let part = s![side(0), side(1)];
        let detail = format!("at {} mm", significant(1e3 * plane.z, 6));
        let sample =
            compare(&short(name), detail, plane.light.slice(part), &[("fitted twin", twin.slice(part))]);
        found.samples.push(
            sample.map_err(|e| anyhow::Error::new(e).context(format!("{name} (frame {})", plane.number)))?,
        );
    }
    describe(&mut found, &planes, &gaussian, moments.as_ref(), dx);
    found.numbers.insert("caustic".into(), serde_json::to_value(gaussian)?);
    found.numbers.insert("caustic_second_moments".into(), serde_json::to_value(moments)?);
    found.finish(files, common)
}

fn title(m: &Measurement, dir: &Path) -> String {
    let name = if m.config.name.is_empty() { dir.display().to_string() } else { m.config.name.clone() };
    format!("Beam caustic: {name}")
}

/// The file name alone; frames may lie anywhere.
fn short(file: &str) -> String {
    Path::new(file).file_name().map_or_else(|| file.to_owned(), |n| n.to_string_lossy().into_owned())
}

/// The spots of all frames that have a position.
fn planes(m: &Measurement, pitch: f64, mut say: impl FnMut(String)) -> anyhow::Result<Vec<Plane>> {
    let camera = &m.config.camera;
    let saturation = 2_f64.powi(camera.bits.min(52) as i32) - 1.0;
    let dark = dark_counts(m)?;
    let mut planes = Vec::new();
    for number in numbered(m, |role| matches!(role, Role::Fit | Role::Test)) {
        let frame = &m.config.frames[number - 1];
        let Some(z) = frame.distance else {
            anyhow::bail!(Wrong(format!(
                "{}: frames[{}].distance is missing: the position of the camera along the beam",
                m.dir.join(FILE).display(),
                number - 1
            )));
        };
        say(format!("{} (frame {number})", frame.file));
        let counts = m.counts(number)?;
        let named = |e| anyhow::Error::new(e).context(format!("{} (frame {number})", frame.file));
        let spot = gaussian_spot(counts.view(), saturation).map_err(named)?;
        let moments = second_moments(counts.view(), &spot);
        let light = match &dark {
            // Stray light that the beam brings with it is in no background frame, and is subtracted as well.
            Some(dark) => counts - dark,
            None => counts,
        };
        let spot =
            if dark.is_some() { gaussian_spot(light.view(), saturation).map_err(named)? } else { spot };
        let level = Array2::from_shape_fn(light.dim(), |(r, c)| spot.background_at(r, c));
        planes.push(Plane {
            number,
            z: z.0,
            light: light - level,
            gaussian: spot.radius() * pitch,
            moments: moments.map(|[y, x]| (0.5 * (y * y + x * x)).sqrt() * pitch),
            spot,
        });
    }
    Ok(planes)
}

fn describe(found: &mut Found, planes: &[Plane], fitted: &Caustic, moments: Option<&Caustic>, pitch: f64) {
    let Beam { waist, position, m_squared, .. } = fitted.beam;
    let um = |v: f64| significant(1e6 * v, 4);
    found.findings.push(format!(
        "Waist {} ± {} µm at {} ± {} mm, M² = {} ± {}, divergence {} ± {} mrad (half angle).",
        um(waist),
        significant(1e6 * fitted.sigma[0], 2),
        significant(1e3 * position, 4),
        significant(1e3 * fitted.sigma[1], 2),
        significant(m_squared, 4),
        significant(fitted.sigma[2], 2),
        significant(1e3 * fitted.divergence[0], 4),
        significant(1e3 * fitted.divergence[1], 2),
    ));
    found.findings.push(format!(
        "Mean SSIM of {} planes against the fitted twin: {:.3}.",
        planes.len(),
        found.ssim(0)
    ));
    found.fact(
        "Twin",
        "Gaussian Schell-model beam with the fitted waist, position and M²: round, Gaussian in every plane",
    );
    found.fact("Registered", "centre, power and tilted background of every plane by the fit of a Gaussian spot; the radius is the caustic's");
    found.fact("Compared", format!("{WINDOW} radii on either side of the centre"));
    found.doubt(0, true, "The fit of the spot failed there; look at the frame.");
    let burnt: usize = planes
        .iter()
        .filter(|p| {
            p.spot.saturated as f64 > SATURATED * std::f64::consts::PI * p.spot.radii[0] * p.spot.radii[1]
        })
        .count();
    if burnt > 0 {
        found.warnings.push(format!(
            "{burnt} planes have more than {} % of the spot saturated; these pixels were left out of the fit.",
            100.0 * SATURATED
        ));
    }
    found.charts.push(chart(planes, &fitted.beam));
    found.tables.push(numbers(fitted, moments));
    found.tables.push(radii(planes, &fitted.beam, pitch));
}

fn chart(planes: &[Plane], beam: &Beam) -> Chart {
    let (low, high) =
        planes.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), p| (l.min(p.z), h.max(p.z)));
    let point = |z: f64, w: f64| Point { x: 1e3 * z, y: 1e6 * w, spread: 0.0 };
    let steps = 100;
    let line = (0..=steps).map(|k| low + (high - low) * f64::from(k) / f64::from(steps));
    let curve = |class: &str, name: &str, points: Vec<Point>| Curve {
        class: class.into(),
        name: name.into(),
        points,
    };
    let curves = vec![
        curve("ideal", "fitted caustic", line.map(|z| point(z, beam.radius(z))).collect()),
        curve("ideal points", "Gaussian fit", planes.iter().map(|p| point(p.z, p.gaussian)).collect()),
        curve(
            "deployed points",
            "second moments",
            planes.iter().filter_map(|p| Some(point(p.z, p.moments?))).collect(),
        ),
    ];
    Chart {
        caption: "Beam radius along the axis".into(),
        x_label: "position / mm",
        y_label: "radius / µm",
        curves: curves.into_iter().filter(|c| !c.points.is_empty()).collect(),
    }
}

fn numbers(fitted: &Caustic, moments: Option<&Caustic>) -> Table {
    let pm = |value: f64, sigma: f64, scale: f64| {
        format!("{} ± {}", significant(scale * value, 4), significant(scale * sigma, 2))
    };
    let column = |c: &Caustic| {
        [
            pm(c.beam.waist, c.sigma[0], 1e6),
            pm(c.beam.position, c.sigma[1], 1e3),
            pm(c.beam.m_squared, c.sigma[2], 1.0),
            pm(c.divergence[0], c.divergence[1], 1e3),
            significant(1e3 * c.beam.rayleigh(), 4),
            significant(1e6 * c.rms, 3),
        ]
    };
    let names = [
        "waist w₀ / µm",
        "position z₀ / mm",
        "M²",
        "divergence θ / mrad",
        "Rayleigh length / mm",
        "residual rms / µm",
    ];
    let all: Vec<_> = [Some(fitted), moments].into_iter().flatten().map(column).collect();
    let mut head = vec![String::new(), "Gaussian fit".into()];
    head.extend(moments.map(|_| "second moments".to_owned()));
    Table {
        title: "Caustic".into(),
        head,
        rows: names
            .iter()
            .enumerate()
            .map(|(k, name)| std::iter::once((*name).to_owned()).chain(all.iter().map(|c| c[k].clone())).collect())
            .collect(),
        note: Some(
            "W(z) = w₀ √(1 + ((z − z₀) M² λ / π w₀²)²), all planes of one weight; ± one standard deviation from the residuals. \
             Gaussian fit: w = √(w_major w_minor). Second moments (ISO 11146): aperture of 3 diameters, quadratic background \
             from outside 2.5 radii."
                .into(),
        ),
    }
}

fn radii(planes: &[Plane], beam: &Beam, pitch: f64) -> Table {
    let um = |v: f64| format!("{:.1}", 1e6 * v);
    let heads = ["z / mm", "radius / µm", "major", "minor", "second moments", "fitted", "saturated px"];
    let row = |p: &Plane| {
        vec![
            significant(1e3 * p.z, 6),
            um(p.gaussian),
            um(p.spot.radii[0] * pitch),
            um(p.spot.radii[1] * pitch),
            p.moments.map_or_else(|| "–".into(), um),
            um(beam.radius(p.z)),
            p.spot.saturated.to_string(),
        ]
    };
    Table {
        title: "Plane by plane".into(),
        head: heads.map(str::to_owned).into(),
        rows: planes.iter().map(row).collect(),
        note: None,
    }
}
