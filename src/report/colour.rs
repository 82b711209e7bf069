//! Colour maps, built in the Oklab space so that equal steps of a value look like equal steps of colour.
//!
//! Oklab: B. Ottosson, "A perceptual color space for image processing" (2020). Colours outside sRGB keep lightness and
//! hue and lose chroma.

use std::array;
use std::f64::consts::{PI, TAU};
use std::sync::LazyLock;

/// An sRGB colour, 8 bits a channel.
pub type Rgb = [u8; 3];

/// 256 colours.
pub type ColourMap = [Rgb; 256];

/// Sequential map for intensities: black, violet, red, orange, pale yellow. Lightness rises linearly.
pub static SEQUENTIAL: LazyLock<ColourMap> = LazyLock::new(|| {
    array::from_fn(|i| {
        let t = i as f64 / 255.0;
        // The chroma stays inside sRGB all the way: clipping it would leave edges in a smooth picture.
        let chroma = 0.135 * (PI * t).sin().max(0.0).powf(0.9);
        Lch { lightness: 0.08 + 0.89 * t, chroma, hue: 285.0 + 170.0 * t }.to_rgb()
    })
});

/// Cyclic map for phases: both ends meet; hue goes round once, lightness rises and falls once.
pub static CYCLIC: LazyLock<ColourMap> = LazyLock::new(|| {
    // 256 colours stand for 0 to 2 pi *without* the end point, or the seam would show twice.
    array::from_fn(|i| {
        let turn = i as f64 / 256.0;
        Lch { lightness: 0.62 - 0.20 * (TAU * turn).cos(), chroma: 0.095, hue: 285.0 + 360.0 * turn }.to_rgb()
    })
});

/// Diverging map for differences: blue, white in the middle, red.
pub static DIVERGING: LazyLock<ColourMap> = LazyLock::new(|| {
    array::from_fn(|i| {
        let t = (i as f64 - 127.5) / 127.5;
        let hue = if t < 0.0 { 255.0 } else { 30.0 };
        Lch { lightness: 0.97 - 0.52 * t.abs(), chroma: 0.17 * t.abs().powf(0.8), hue }.to_rgb()
    })
});

/// Gray map for amplitudes.
pub static GRAY: LazyLock<ColourMap> = LazyLock::new(|| array::from_fn(|i| [i as u8; 3]));

/// The colour of `value` in 0..=1; values outside are clamped, NaN is mid gray.
pub fn sample(map: &ColourMap, value: f64) -> Rgb {
    if value.is_nan() {
        return [128; 3];
    }
    map[(value.clamp(0.0, 1.0) * 255.0).round() as usize]
}

/// The colour of a phase in radians; whole turns do not matter, NaN is mid gray.
pub fn sample_phase(phase: f64) -> Rgb {
    if !phase.is_finite() {
        return [128; 3];
    }
    let turn = (phase / TAU).rem_euclid(1.0);
    CYCLIC[(turn * 256.0).round() as usize % 256]
}

/// A colour in polar Oklab coordinates; hue in degrees.
#[derive(Clone, Copy)]
struct Lch {
    lightness: f64,
    chroma: f64,
    hue: f64,
}

impl Lch {
    /// The sRGB colour of this lightness and hue with this chroma, or the largest that sRGB has.
    fn to_rgb(self) -> Rgb {
        let at = |chroma: f64| Self { chroma, ..self }.to_linear();
        let inside = |rgb: [f64; 3]| rgb.iter().all(|v| (0.0..=1.0).contains(v));
        let (mut low, mut high) = (0.0, self.chroma);
        if inside(at(high)) {
            low = high;
        }
        // Halved until the chroma is exact to far below one step of a channel.
        for _ in 0..24 {
            let middle = 0.5 * (low + high);
            *(if inside(at(middle)) { &mut low } else { &mut high }) = middle;
        }
        at(low).map(|v| (gamma(v.clamp(0.0, 1.0)) * 255.0).round() as u8)
    }

    /// Linear sRGB, possibly out of 0..=1.
    fn to_linear(self) -> [f64; 3] {
        let (sin, cos) = self.hue.to_radians().sin_cos();
        let (a, b) = (self.chroma * cos, self.chroma * sin);
        let l = (self.lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
        let m = (self.lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
        let s = (self.lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
        [
            4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
            -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
            -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
        ]
    }
}

/// Transfer curve of sRGB.
fn gamma(linear: f64) -> f64 {
    if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (Rec. 709 weights).
    fn luminance(rgb: Rgb) -> f64 {
        let linear = rgb.map(|v| {
            let v = f64::from(v) / 255.0;
            if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    /// Largest step of a channel between neighbours: more would show as a contour line.
    const SMOOTH: u8 = 4;

    fn step(a: Rgb, b: Rgb) -> u8 {
        (0..3).map(|i| a[i].abs_diff(b[i])).max().unwrap_or(0)
    }

    #[test]
    fn sequential_brightens_all_the_way() {
        let light = SEQUENTIAL.map(luminance);
        // Rounding to 8 bits may lower the luminance by a hair.
        assert!(light.windows(2).all(|w| w[1] > w[0] - 2e-3));
        assert!(light[0] < 0.01 && light[255] > 0.8);
        assert!(SEQUENTIAL.windows(2).all(|w| step(w[0], w[1]) <= SMOOTH));
    }

    #[test]
    fn cyclic_closes_without_a_seam() {
        assert!((0..256).all(|i| step(CYCLIC[i], CYCLIC[(i + 1) % 256]) <= SMOOTH));
        assert_eq!(sample_phase(0.3), sample_phase(0.3 + 3.0 * TAU));
        assert_eq!(sample_phase(-1e-9), sample_phase(0.0));
        assert!(step(sample_phase(0.0), sample_phase(PI)) > 60);
    }

    #[test]
    fn diverging_is_brightest_in_the_middle_and_even() {
        let light = DIVERGING.map(luminance);
        // Rounding to 8 bits may lower the luminance by a hair.
        assert!((1..128).all(|i| light[i] > light[i - 1] - 2e-3 && light[255 - i] > light[256 - i] - 2e-3));
        assert!(light[127] > 0.85 && step(DIVERGING[0], DIVERGING[255]) > 60);
    }

    #[test]
    fn out_of_range_values_are_clamped() {
        assert_eq!(sample(&SEQUENTIAL, -3.0), SEQUENTIAL[0]);
        assert_eq!(sample(&SEQUENTIAL, 3.0), SEQUENTIAL[255]);
        assert_eq!(sample(&GRAY, f64::NAN), [128; 3]);
        assert_eq!(sample_phase(f64::INFINITY), [128; 3]);
    }
}
