//! `ffm fields`.

use std::process::ExitCode;

use super::args::{Common, Fields, FlattenBy};
use super::propagate::{self, Output};
use super::{measure, print, print_json};
use crate::io;
use crate::measure::{FieldOptions, Flatten, MeasuredField};

/// Makes complex fields of a measurement's frames with reference.
pub(super) fn fields(args: &Fields, common: &Common) -> anyhow::Result<ExitCode> {
    let measurement = measure::open(&args.dir)?;
    io::check_writable(&args.out.join("fields.json"))?;
    let options = FieldOptions {
        set: args.set.clone(),
        find_steps: args.find_steps,
        conjugate: args.conjugate,
        flatten: match args.flatten {
            FlattenBy::None => Flatten::Nothing,
            FlattenBy::Tilt => Flatten::Tilt,
            FlattenBy::Curvature => Flatten::Curvature,
        },
    };
    let found = measurement.fields(&options)?;
    let mut files = Vec::new();
    for field in &found {
        // Names become file names: letters, digits, dash, underscore.
        let plain = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
        let stem: String = field.name.chars().map(plain).collect();
        for (kind, ending) in [(Output::Complex, "npy"), (Output::Pictures, "png")] {
            files.extend(propagate::write(&args.out.join(format!("{stem}.{ending}")), &kind, &field.field)?);
        }
        if !common.quiet {
            print(&line(field));
        }
    }
    let record = serde_json::json!({ "fields": found, "files": files });
    io::write_atomic(&args.out.join("fields.json"), serde_json::to_string_pretty(&record)?.as_bytes())?;
    if !common.quiet {
        print(&format!("written: {}", files.join(", ")));
    }
    if common.json {
        print_json(&record)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(field: &MeasuredField) -> String {
    let mut text = format!("{}: {} of {} frames", field.name, field.method, field.frames.len());
    if let Some(steps) = &field.steps {
        let degrees: Vec<_> = steps.iter().map(|s| format!("{:.1}", s.to_degrees())).collect();
        let origin = if field.steps_found { "found, common sign unknown" } else { "given" };
        text.push_str(&format!(", steps {} deg ({origin})", degrees.join(", ")));
    }
    if let Some(residual) = field.residual {
        text.push_str(&format!(", residual {residual:.3}"));
    }
    if let Some(band) = &field.side_band {
        let [y, x] = band.centre;
        text.push_str(&format!(", side-band at ({y:.4}, {x:.4}) cycles a pixel, radius {:.4}", band.radius));
    }
    text
}
