//! Kernels: a stage file, the flags of a variant, and the sizes of a program, joined to one WGSL text.

use std::collections::BTreeSet;

use super::fft::LineFft;
use super::geometry::Geometry;
use super::plan::{LineOrder, Plan, WorkgroupLimits};
use super::template::{Binding, Registers, expand};

/// The stage files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is described at the head of the file of its name")]
pub enum Stage {
    RowFirst,
    Column,
    RowMiddle,
    RowLast,
    Start,
    Rms,
    Mse,
    Loss,
    Tally,
    ErrorFirst,
    ErrorRow,
    Update,
    Command,
    Blur,
    Mask,
}

/// Flags of the kinds of activation.
const ACTIVATIONS: [&str; 4] = ["INTENSITY", "SATURABLE", "RELU", "ELECTRO"];

/// Name, text and flags of every stage. Flags in groups: of a group with several, one at most is set.
const FILES: [(Stage, &str, &str, &[&[&str]]); 15] = [
    (
        Stage::RowFirst,
        "row_first",
        include_str!("../../../shaders/row_first.wgsl"),
        &[&["GIVEN", "PHASE"], &["MASK"], &["SUMS"], &ACTIVATIONS],
    ),
    (Stage::Column, "column", include_str!("../../../shaders/column.wgsl"), &[]),
    (
        Stage::RowMiddle,
        "row_middle",
        include_str!("../../../shaders/row_middle.wgsl"),
        &[&["AFTER"], &["MEASURE"], &["RECORD"], &["MASK"], &["OPTICAL"], &["HALF"], &ACTIVATIONS],
    ),
    (
        Stage::RowLast,
        "row_last",
        include_str!("../../../shaders/row_last.wgsl"),
        &[&["AFTER"], &["MEASURE"], &["RECORD"], &["READOUT"]],
    ),
    (Stage::Start, "start", include_str!("../../../shaders/start.wgsl"), &[&["PHASE"]]),
    (Stage::Rms, "rms", include_str!("../../../shaders/rms.wgsl"), &[]),
    (Stage::Mse, "mse", include_str!("../../../shaders/mse.wgsl"), &[]),
    (
        Stage::Loss,
        "loss",
        include_str!("../../../shaders/loss.wgsl"),
        &[&["MSE"], &["DIFFERENTIAL"], &["EFFICIENCY"], &["SMOOTHING"]],
    ),
    (Stage::Tally, "tally", include_str!("../../../shaders/tally.wgsl"), &[]),
    (
        Stage::ErrorFirst,
        "error_first",
        include_str!("../../../shaders/error_first.wgsl"),
        &[&["MSE"], &["BEFORE"]],
    ),
    (
        Stage::ErrorRow,
        "error_row",
        include_str!("../../../shaders/error_row.wgsl"),
        &[
            &["AFTER"],
            &["MEASURE"],
            &["COMPLEX", "AMPLITUDE", "FROZEN", "MASK"],
            &["OPTICAL"],
            &["ONWARD", "ENCODED", "PARK"],
            &["BEFORE"],
            &["PHASE"],
            &["HALF"],
            &ACTIVATIONS,
        ],
    ),
    (
        Stage::Update,
        "update",
        include_str!("../../../shaders/update.wgsl"),
        &[&["ADAM", "TRACE"], &["BOUNDED"]],
    ),
    (Stage::Command, "command", include_str!("../../../shaders/command.wgsl"), &[&["LEVELS"], &["LUT"]]),
    (Stage::Blur, "blur", include_str!("../../../shaders/blur.wgsl"), &[&["ROWWISE"]]),
    (
        Stage::Mask,
        "mask",
        include_str!("../../../shaders/mask.wgsl"),
        &[&["RESAMPLE"], &["FACTOR"], &["GRADED"], &["CARRIER"]],
    ),
];

pub(super) fn shared(name: &str) -> &'static str {
    match name {
        "activation" => include_str!("../../../shaders/shared/activation.wgsl"),
        "complex" => include_str!("../../../shaders/shared/complex.wgsl"),
        "encode" => include_str!("../../../shaders/shared/encode.wgsl"),
        "flat" => include_str!("../../../shaders/shared/flat.wgsl"),
        "exp_ln" => include_str!("../../../shaders/shared/exp_ln.wgsl"),
        "half" => include_str!("../../../shaders/shared/half.wgsl"),
        "layout" => include_str!("../../../shaders/shared/layout.wgsl"),
        "measure" => include_str!("../../../shaders/shared/measure.wgsl"),
        "mse" => include_str!("../../../shaders/shared/mse.wgsl"),
        "noise" => include_str!("../../../shaders/shared/noise.wgsl"),
        "params" => include_str!("../../../shaders/shared/params.wgsl"),
        "reduce" => include_str!("../../../shaders/shared/reduce.wgsl"),
        "sheet" => include_str!("../../../shaders/shared/sheet.wgsl"),
        "turns" => include_str!("../../../shaders/shared/turns.wgsl"),
        other => panic!("no shared file {other}"),
    }
}

impl Stage {
    fn file(self) -> (&'static str, &'static str, &'static [&'static [&'static str]]) {
        let (_, name, text, flags) =
            FILES.iter().find(|f| f.0 == self).expect("every stage is listed; a test counts them");
        (name, text, flags)
    }

    /// Whether and how the stage transforms lines.
    fn order(self) -> Option<LineOrder> {
        match self {
            Self::RowFirst | Self::RowMiddle | Self::RowLast | Self::ErrorFirst | Self::ErrorRow => {
                Some(LineOrder::Rows)
            }
            Self::Column => Some(LineOrder::Columns),
            _ => None,
        }
    }
}

/// A kernel ready for compilation.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Stage, flags and sizes.
    pub name: String,
    /// WGSL with one entry point, `main`.
    pub text: String,
    /// Buffers of bind group 0, in the order of their numbers.
    pub bindings: Vec<Binding>,
}

impl Kernel {
    /// Joins the text of a stage for a geometry.
    pub(super) fn new(stage: Stage, flags: &[&'static str], geometry: &Geometry) -> Self {
        let (name, source, _) = stage.file();
        let plan = stage.order().map(|order| match order {
            LineOrder::Rows => &geometry.row,
            LineOrder::Columns => &geometry.column,
        });
        let mut flags: BTreeSet<&'static str> = flags.iter().copied().collect();
        if flags.iter().any(|f| ACTIVATIONS.contains(f)) {
            flags.insert("ACTIVE");
        }
        if ["FROZEN", "AMPLITUDE", "COMPLEX"].iter().any(|f| flags.contains(f)) {
            flags.insert("MASK");
        }
        if flags.contains("AMPLITUDE") || flags.contains("COMPLEX") {
            flags.insert("GRADED");
        }
        if flags.contains("AMPLITUDE") || flags.contains("FROZEN") {
            flags.insert("UNPHASED");
        }
        let of_fields = flags.contains("ACTIVE") || flags.contains("MASK") && !flags.contains("FROZEN");
        if stage == Stage::ErrorRow && !flags.contains("ENCODED") && of_fields {
            flags.insert("RECORDED");
        }
        if flags.contains("PARK") {
            // An error in the place of a field needs all its digits; `check` refuses halves that are computed again.
            flags.remove("HALF");
        }
        if ["ONWARD", "PARK"].iter().any(|f| flags.contains(f)) {
            flags.insert("BACK");
        }
        let of_sheet = ["MEASURE", "ENCODED", "HALF", "ACTIVE"];
        if matches!(stage, Stage::RowMiddle | Stage::ErrorRow) && of_sheet.iter().any(|f| flags.contains(f)) {
            flags.insert("SHEET");
        }
        let sums = matches!(stage, Stage::Rms | Stage::Mse | Stage::Loss | Stage::Tally);
        if sums && geometry.subgroups {
            flags.insert("SUBGROUPS");
        }
        let fft = plan.map(|plan| LineFft { plan });
        let registers = fft.as_ref().map(|f| f as &dyn Registers);
        let mut expanded = expand(source, &flags, registers, &shared);
        let mut text = geometry.constants(plan);
        if plan.is_some() {
            let number = expanded.bindings.len();
            text.push_str(&format!(
                "@group(0) @binding({number}) var<storage, read> twiddles: array<vec2<f32>>;\n"
            ));
            let table = if stage == Stage::Column { "column_twiddles" } else { "row_twiddles" };
            expanded.bindings.push(Binding { name: table.to_owned(), access: super::template::Access::Read });
        }
        text.push_str(&expanded.text);
        let [rows, cols] = geometry.shape;
        let [padded_rows, padded_cols] = geometry.padded;
        let [image_rows, image_cols] = geometry.image;
        let mut label = format!(
            "{name}_{rows}x{cols}_in_{padded_rows}x{padded_cols}_from_{image_rows}x{image_cols}_to_{}of{}",
            geometry.classes, geometry.regions
        );
        for flag in &flags {
            label.push('_');
            label.push_str(&flag.to_lowercase());
        }
        Self { name: label, text, bindings: expanded.bindings }
    }
}

/// All combinations of the flags of a stage: of each group none or one.
fn variants(groups: &[&[&'static str]]) -> Vec<Vec<&'static str>> {
    let Some((group, rest)) = groups.split_first() else { return vec![Vec::new()] };
    let tails = variants(rest);
    let mut all = tails.clone();
    for &flag in *group {
        all.extend(tails.iter().map(|tail| [&[flag], tail.as_slice()].concat()));
    }
    all
}

/// Lengths that [`dump`] writes: those of common grids and displays. The others differ in their transforms alone.
const DUMPED: [usize; 24] = [
    64, 100, 128, 200, 240, 256, 400, 480, 500, 512, 600, 800, 960, 1000, 1024, 1080, 1200, 1600, 1920, 2000,
    2048, 2160, 3840, 4096,
];

/// Name and text of the kernels for square unpadded grids and 28 x 28 images in ten classes, as a device with these limits
/// runs them: for common lengths the stages that transform lines, plain and with everything they can do; and all
/// variants of the other stages.
pub fn dump(limits: WorkgroupLimits) -> Vec<(String, String)> {
    let mut kernels = Vec::new();
    for (number, geometry) in DUMPED.into_iter().filter_map(|length| square(length, limits)).enumerate() {
        for (stage, _, _, groups) in FILES {
            let variants = match (stage.order(), number) {
                (Some(_), _) => vec![Vec::new(), groups.iter().map(|group| group[0]).collect()],
                (None, 0) => variants(groups),
                (None, _) => continue,
            };
            let texts = variants.iter().map(|flags| Kernel::new(stage, flags, &geometry));
            kernels.extend(texts.map(|kernel| (kernel.name, kernel.text)));
        }
    }
    kernels.dedup_by(|a, b| a.0 == b.0);
    kernels
}

/// A square grid without padding, if the limits allow it.
fn square(length: usize, limits: WorkgroupLimits) -> Option<Geometry> {
    let side = [length; 2];
    Some(Geometry {
        shape: side,
        padded: side,
        image: [28; 2],
        regions: 20,
        classes: 10,
        subgroups: limits.subgroups,
        row: Plan::new(length, LineOrder::Rows, limits).ok()?,
        column: Plan::new(length, LineOrder::Columns, limits).ok()?.dividing(length),
    })
}

#[cfg(test)]
mod tests {
    use super::super::radices::lengths;
    use super::*;

    const DESKTOP: WorkgroupLimits = WorkgroupLimits::DESKTOP;

    fn check(name: &str, text: &str) {
        let module = naga::front::wgsl::parse_str(text)
            .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
        let mut validator = naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            // Halves are packed by functions that every Vulkan, Metal and Direct3D 12 device has.
            naga::valid::Capabilities::default()
                | naga::valid::Capabilities::SHADER_FLOAT16_IN_FLOAT32
                | naga::valid::Capabilities::SUBGROUP,
        );
        validator.subgroup_stages(naga::valid::ShaderStages::COMPUTE);
        validator.subgroup_operations(naga::valid::SubgroupOperationSet::all());
        validator.validate(&module).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
    }

    #[test]
    fn dumped_kernels_are_valid() {
        let kernels = dump(DESKTOP);
        assert!(kernels.len() > 10 * DUMPED.len());
        for (name, text) in kernels {
            check(&name, &text);
        }
    }

    #[test]
    fn transforms_of_every_length_are_valid() {
        for limits in [DESKTOP, WorkgroupLimits { software: true, ..DESKTOP }] {
            for length in lengths() {
                let geometry = square(length, limits).expect("the longest line fits");
                for stage in [Stage::Column, Stage::RowMiddle] {
                    let kernel = Kernel::new(stage, &[], &geometry);
                    check(&kernel.name, &kernel.text);
                }
            }
        }
    }

    #[test]
    fn kernels_of_every_variant_are_valid() {
        let geometry = square(100, DESKTOP).expect("supported");
        for subgroups in [true, false] {
            let padded = Geometry { shape: [99, 97], subgroups, ..geometry.clone() };
            for (stage, _, _, groups) in FILES {
                for flags in variants(groups) {
                    let kernel = Kernel::new(stage, &flags, &padded);
                    check(&kernel.name, &kernel.text);
                }
            }
        }
    }

    #[test]
    fn kernels_of_different_text_have_different_names() {
        let plan = |order| Plan::new(64, order, DESKTOP).expect("supported");
        let (row, column) = (plan(LineOrder::Rows), plan(LineOrder::Columns));
        let base = Geometry {
            shape: [64; 2],
            padded: [64; 2],
            image: [28; 2],
            regions: 10,
            classes: 10,
            subgroups: false,
            row,
            column,
        };
        let longer = |order| Plan::new(128, order, DESKTOP).expect("supported");
        let others = [
            Geometry { shape: [63, 64], ..base.clone() },
            Geometry { shape: [64, 63], ..base.clone() },
            Geometry { padded: [128, 64], column: longer(LineOrder::Columns), ..base.clone() },
            Geometry { padded: [64, 128], row: longer(LineOrder::Rows), ..base.clone() },
            Geometry { image: [32, 28], ..base.clone() },
            Geometry { image: [28, 32], ..base.clone() },
            Geometry { classes: 5, ..base.clone() },
            Geometry { regions: 20, ..base.clone() },
        ];
        for (stage, ..) in FILES {
            let kernel = Kernel::new(stage, &[], &base);
            for other in &others {
                let other = Kernel::new(stage, &[], other);
                assert!(other.name != kernel.name || other.text == kernel.text, "{}", kernel.name);
            }
        }
    }

    #[test]
    fn no_kernel_binds_more_than_eight_storage_buffers() {
        let side = [128; 2];
        let row = Plan::new(128, LineOrder::Rows, DESKTOP).expect("supported");
        let column = Plan::new(128, LineOrder::Columns, DESKTOP).expect("supported");
        let geometry = Geometry {
            shape: side,
            padded: side,
            image: [28; 2],
            regions: 10,
            classes: 10,
            subgroups: true,
            row,
            column,
        };
        for (stage, name, _, groups) in FILES {
            for flags in variants(groups) {
                let kernel = Kernel::new(stage, &flags, &geometry);
                // One of the bindings is the uniform.
                assert!(kernel.bindings.len() <= 9, "{name} {flags:?}: {:?}", kernel.bindings);
            }
        }
    }
}
