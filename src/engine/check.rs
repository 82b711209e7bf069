//! Checks that both engines make before they touch a device.

use ndarray::Array2;

use super::{
    Batch, EngineError, Exposure, ImageSet, MaskKind, Modulator, Program, Quantity, Relay, SetId, State,
    Store,
};
use crate::optics::Field;

/// No program is loaded.
pub(super) fn nothing_loaded(device: &str) -> EngineError {
    EngineError::Device { device: device.into(), reason: "no program is loaded".into() }
}

/// An image set that was not uploaded.
pub(super) fn no_set(known: usize, set: SetId) -> EngineError {
    shape("image set", format_args!("below {known}"), set.0)
}

/// An image that is not in its set of `known` images.
pub(super) fn image_number(known: usize, number: u32) -> EngineError {
    shape("image number", format_args!("below {known}"), number)
}

/// A program of another number of wavelengths than there are engines for.
pub(super) fn wavelengths(engines: usize, program: usize) -> EngineError {
    shape("wavelengths of the program", engines, program)
}

fn shape(
    what: impl Into<String>,
    expected: impl std::fmt::Debug,
    actual: impl std::fmt::Debug,
) -> EngineError {
    EngineError::Shape { what: what.into(), expected: format!("{expected:?}"), actual: format!("{actual:?}") }
}

/// The smallest `2^a 3^b 5^c` that is at least `minimum`.
pub fn next_fast_length(minimum: usize) -> usize {
    let smooth = |mut n: usize| {
        for p in [2, 3, 5] {
            while n.is_multiple_of(p) {
                n /= p;
            }
        }
        n == 1
    };
    (minimum.max(1)..).find(|&n| smooth(n)).unwrap_or(minimum)
}

/// Number of pixel arrays (complex, [`Program::shape`]) in a program besides masks: source, factors, multipliers.
pub(super) fn pixel_arrays(program: &Program) -> usize {
    let hop =
        |h: &super::Hop| [&h.after, &h.error.before, &h.error.after].iter().filter(|a| a.is_some()).count();
    let factors = program.modulators().filter(|m| m.factor.is_some()).count();
    1 + factors + program.hops.iter().map(hop).sum::<usize>()
}

/// Shapes, indices and finiteness of a program.
pub(super) fn program(p: &Program, max_batch: usize) -> Result<(), EngineError> {
    if max_batch == 0 {
        return Err(shape("batch size", "at least 1", 0));
    }
    if p.hops.is_empty() {
        return Err(shape("hops", "at least 1", 0));
    }
    if !p.channels.is_empty() {
        return Err(wavelengths(1, p.channels.len()));
    }
    if p.padded[0] < p.shape[0] || p.padded[1] < p.shape[1] {
        return Err(shape("transform lengths", format!("at least {:?}", p.shape), p.padded));
    }
    let end = [0, 1].map(|k| p.input.origin[k] + p.input.window[k]);
    if end[0] > p.shape[0] || end[1] > p.shape[1] || p.input.image.contains(&0) || p.input.window.contains(&0)
    {
        return Err(shape("input window", format!("inside {:?}", p.shape), end));
    }
    array("source", 0, &p.input.source, p.shape)?;
    for (k, h) in p.transfers.iter().enumerate() {
        array("transfer function", k + 1, h, p.padded)?;
    }
    for (l, hop) in p.hops.iter().enumerate() {
        for (what, a) in [
            ("camera-side multiplier", &hop.after),
            ("error multiplier", &hop.error.before),
            ("error multiplier", &hop.error.after),
        ] {
            if let Some(a) = a {
                array(what, l + 1, a, p.shape)?;
            }
        }
        if hop.transfer >= p.transfers.len() || hop.error.transfer >= p.transfers.len() {
            return Err(shape(
                "transfer index",
                format!("below {}", p.transfers.len()),
                hop.transfer.max(hop.error.transfer),
            ));
        }
        if let Some(activation) = &hop.activation {
            activation.check(l + 1)?;
            if l + 1 == p.hops.len() {
                return Err(shape(
                    "activation after the last hop",
                    "none: its field is detected",
                    activation.kind,
                ));
            }
        }
        if hop.mask.is_some_and(|m| m >= p.masks.len()) {
            return Err(shape("mask index", format!("below {}", p.masks.len()), hop.mask));
        }
    }
    if let Some(own) = p.error_masks.as_ref().filter(|own| own.len() != p.masks.len()) {
        return Err(shape("masks of the error pass", p.masks.len(), own.len()));
    }
    for (m, (mask, own)) in p.masks.iter().zip(p.error_masks.iter().flatten()).enumerate() {
        if mask.kind != own.kind {
            return Err(shape(format!("kind of mask {} in the error pass", m + 1), mask.kind, own.kind));
        }
    }
    for (m, mask) in p.modulators().enumerate() {
        if let Some(factor) = &mask.factor {
            array("mask factor", m + 1, factor, p.shape)?;
        }
        if let Some(stretch) = &mask.stretch {
            let given = [stretch.nrows(), stretch.ncols()];
            if given != p.shape {
                return Err(shape(format!("phase factors of mask {}", m + 1), p.shape, given));
            }
        }
        if mask.lut.as_ref().is_some_and(|l| l.len() < 2) {
            return Err(shape(format!("look-up table of mask {}", m + 1), "at least 2 entries", 1));
        }
    }
    recompute(p)?;
    let map = [p.readout.map.nrows(), p.readout.map.ncols()];
    if map != p.shape {
        return Err(shape("detector map", p.shape, map));
    }
    Ok(())
}

/// Fields can be computed again from others only where what is recorded is what went on.
fn recompute(p: &Program) -> Result<(), EngineError> {
    let apart = [
        (p.store == Store::F16, "records that are not rounded (engine.store = \"f32\")"),
        (
            p.relay == Relay::Optical && p.camera.is_some(),
            "light that is loaded as it was measured (hardware.kind = \"reload\")",
        ),
    ];
    match apart.into_iter().find(|(apart, _)| *apart && p.recompute > 1) {
        Some((_, expected)) => Err(EngineError::Shape {
            what: "recorded fields that are computed again (train.recompute)".into(),
            expected: expected.into(),
            actual: "records from which the same light does not come again".into(),
        }),
        None => Ok(()),
    }
}

/// Whether `new` can take the place of the loaded program: everything but the numbers in arrays is the same.
pub(super) fn replacement(old: &Program, new: &Program, max_batch: usize) -> Result<(), EngineError> {
    program(new, max_batch)?;
    let (expected, actual) = (Structure::of(old), Structure::of(new));
    match expected == actual {
        true => Ok(()),
        false => Err(shape("program in place of the loaded one", expected, actual)),
    }
}

/// What buffers and kernels depend on.
#[derive(Debug, PartialEq)]
struct Structure {
    shape: [usize; 2],
    padded: [usize; 2],
    image: [usize; 2],
    transfers: usize,
    /// Mask, transfer functions, and which multipliers there are.
    hops: Vec<(Option<usize>, [usize; 2], [bool; 3])>,
    /// Of every modulator: kind, whether it is frozen, has levels, is resampled, has a factor, has factors on phases;
    /// entries of the table, of the kernel.
    modulators: Vec<(MaskKind, [bool; 5], [usize; 2])>,
    regions: [usize; 2],
    camera: (bool, bool),
    relay: Relay,
    store: Store,
    recompute: usize,
}

impl Structure {
    fn of(p: &Program) -> Self {
        let hop = |h: &super::Hop| {
            let there = [&h.after, &h.error.before, &h.error.after].map(Option::is_some);
            (h.mask, [h.transfer, h.error.transfer], there)
        };
        let modulator = |m: &Modulator| {
            let entries = m.lut.as_ref().map_or(0, |l| l.len());
            let (factor, stretch) = (m.factor.is_some(), m.stretch.is_some());
            let there = [m.frozen, m.levels.is_some(), m.resample.is_some(), factor, stretch];
            (m.kind, there, [entries, m.crosstalk.len()])
        };
        Self {
            shape: p.shape,
            padded: p.padded,
            image: p.input.image,
            transfers: p.transfers.len(),
            hops: p.hops.iter().map(hop).collect(),
            modulators: p.modulators().map(modulator).collect(),
            regions: [p.readout.regions, p.readout.classes],
            camera: (p.camera.is_some(), p.error_measured),
            relay: p.relay,
            store: p.store,
            recompute: p.recompute,
        }
    }
}

fn array(what: &'static str, layer: usize, a: &Field, expected: [usize; 2]) -> Result<(), EngineError> {
    let actual = [a.nrows(), a.ncols()];
    if actual != expected {
        return Err(shape(format!("{what} {layer}"), expected, actual));
    }
    match a.indexed_iter().find(|(_, v)| !v.is_finite()) {
        Some(((row, col), v)) => {
            let value = if v.re.is_finite() { v.im } else { v.re };
            Err(EngineError::NotFinite { what, layer, row, col, value })
        }
        None => Ok(()),
    }
}

/// Shapes and finiteness of a state.
pub(super) fn state(state: &State, p: &Program) -> Result<(), EngineError> {
    let (masks, dim) = (p.masks.len(), p.amplitude_masks());
    for (what, arrays, count) in [
        ("phase", &state.phases, masks),
        ("amplitude", &state.amplitudes, dim.len()),
        ("first moment", &state.first, masks + dim.len()),
        ("second moment", &state.second, masks + dim.len()),
    ] {
        if arrays.len() != count {
            return Err(shape(format!("number of masks ({what})"), count, arrays.len()));
        }
        for (k, a) in arrays.iter().enumerate() {
            let m = if what == "amplitude" { dim[k] } else { k };
            if [a.nrows(), a.ncols()] != p.shape {
                return Err(shape(format!("{what} of layer {}", m + 1), p.shape, [a.nrows(), a.ncols()]));
            }
            if let Some(((row, col), &v)) = a.indexed_iter().find(|(_, v)| !v.is_finite()) {
                return Err(EngineError::NotFinite { what, layer: m + 1, row, col, value: f64::from(v) });
            }
        }
    }
    let outside = |a: &Array2<f32>| a.iter().copied().find(|v| !(0.0..=1.0).contains(v));
    if let Some((m, v)) = dim.iter().zip(&state.amplitudes).find_map(|(&m, a)| Some((m, outside(a)?))) {
        return Err(shape(format!("amplitude of layer {}", m + 1), "within 0..=1", v));
    }
    Ok(())
}

/// What runs at once: something, but no more than was said before.
pub(super) fn count(what: &str, n: usize, most: usize) -> Result<(), EngineError> {
    match (1..=most).contains(&n) {
        true => Ok(()),
        false => Err(shape(what, format_args!("1..={most}"), n)),
    }
}

/// The images of a batch.
pub(super) fn batch<'a>(
    sets: &'a [ImageSet],
    batch: Batch<'_>,
    p: &Program,
    max_batch: usize,
) -> Result<&'a ImageSet, EngineError> {
    let set = sets.get(batch.set.0).ok_or_else(|| no_set(sets.len(), batch.set))?;
    images(set, p)?;
    let n = batch.indices.len();
    count("batch size", n, max_batch)?;
    if batch.first + n > batch.of {
        let samples = batch.first..batch.first + n;
        return Err(shape("share of a batch", format!("within {} samples", batch.of), samples));
    }
    match batch.indices.iter().find(|&&i| i as usize >= set.len()) {
        Some(&i) => Err(image_number(set.len(), i)),
        None => Ok(set),
    }
}

/// Whether an image set fits a program.
pub(super) fn images(set: &ImageSet, p: &Program) -> Result<(), EngineError> {
    if set.size != p.input.image {
        return Err(shape("image size", p.input.image, set.size));
    }
    let expected = set.len() * set.size[0] * set.size[1];
    if set.pixels.len() != expected {
        return Err(shape("pixels of the image set", expected, set.pixels.len()));
    }
    match set.labels.iter().find(|&&l| usize::from(l) >= p.readout.classes) {
        Some(l) => Err(shape("label", format!("below {}", p.readout.classes), l)),
        None => Ok(()),
    }
}

/// Gradients: one per array of commands, of its size.
pub(super) fn gradients(gradients: &[Array2<f32>], p: &Program) -> Result<(), EngineError> {
    let parameters = p.parameters();
    if gradients.len() != parameters.len() {
        return Err(shape("number of gradients", parameters.len(), gradients.len()));
    }
    match gradients.iter().position(|g| [g.nrows(), g.ncols()] != p.shape) {
        Some(k) => {
            let of = match parameters[k].quantity {
                Quantity::Phase => "gradient of mask",
                Quantity::Amplitude => "gradient of the amplitude of mask",
            };
            Err(shape(format!("{of} {}", parameters[k].mask + 1), p.shape, gradients[k].dim()))
        }
        None => Ok(()),
    }
}

/// One level per hop, all positive.
pub(super) fn exposure(e: &Exposure, hops: usize) -> Result<(), EngineError> {
    for (what, levels) in [("data exposures", &e.data), ("error exposures", &e.error)] {
        if levels.len() != hops || levels.iter().any(|v| !(v.is_finite() && *v > 0.0)) {
            return Err(shape(what, format!("{hops} positive numbers"), levels));
        }
    }
    Ok(())
}

/// Fields to propagate.
pub(super) fn fields(fields: &[Field], p: &Program, max_batch: usize) -> Result<(), EngineError> {
    count("number of fields", fields.len(), max_batch)?;
    fields.iter().try_for_each(|f| array("input field", 0, f, p.shape))
}

/// Refuses what the machine's memory cannot hold, where the system tells how much there is.
pub(crate) fn host_memory(device: &str, needed: u64) -> Result<(), EngineError> {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|l| l.strip_prefix("MemAvailable:"));
    let kib: Option<u64> = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse().ok());
    match kib.map(|k| k * 1024) {
        Some(available) if needed > available => Err(EngineError::Memory {
            device: device.into(),
            needed,
            available,
            what: "transfer functions, masks, gradients and scratch".into(),
            remedy: "lower optics.pixels, optics.padding, optics.layers or train.batch".into(),
        }),
        _ => Ok(()),
    }
}
