//! Lengths that are off by a thousand.
//!
//! Modulators and cameras have pixels of about a wavelength to some hundreds of wavelengths, whatever the wavelength; visible
//! and infrared light lies between 100 nm and 20 um, and longer waves are met with pixels of about their own size.

use super::OpticsConfig;
use crate::optics::Length;

/// Ultraviolet to far infrared, metres.
const LIGHT: [f64; 2] = [100e-9, 20e-6];
/// What lasers of a bench emit, metres: the first guess at what was meant.
const LASERS: [f64; 2] = [300e-9, 2e-6];
/// Longest wave that is diffracted on a table, metres.
const LONGEST: f64 = 10e-3;
/// Pixel pitch over wavelength, of light and of longer waves.
const PITCH: [f64; 2] = [0.05, 1000.0];
const PITCH_OF_LONG_WAVES: [f64; 2] = [0.2, 4.0];
/// Factors between units that are mistaken for each other.
const MISTAKES: [f64; 4] = [1e-3, 1e3, 1e-6, 1e6];

/// What cannot be meant of wavelength and pitch, that of the camera, too, where there is one: key, value, why, and what may be.
pub fn units(optics: &OpticsConfig, camera: Option<[Length; 2]>) -> Vec<String> {
    let wave = optics.wavelength.0;
    let pitches = [("optics.pitch", Some(optics.pitch.both())), ("camera.pitch", camera)];
    if let Some(problem) = wavelength(wave, optics.pitch.both()[0].0) {
        return vec![problem];
    }
    let allowed = if wave > LIGHT[1] { PITCH_OF_LONG_WAVES } else { PITCH };
    let mut found = Vec::new();
    for (key, [y, x]) in pitches.into_iter().filter_map(|(key, pitch)| Some((key, pitch?))) {
        let wrong = [y, x].into_iter().find(|p| !within(p.0 / wave, allowed));
        if let Some(pitch) = wrong {
            let meant =
                MISTAKES.iter().map(|f| pitch.0 * f).find(|p| within(p / wave, [0.5, allowed[1] / 2.0]));
            found.push(format!(
                "{key} = {} is {} of {}{}",
                words(pitch.0),
                if pitch.0 < wave { "less than a twentieth of a wave" } else { "too much for waves" },
                words(wave),
                guess(meant)
            ));
        }
    }
    found
}

fn wavelength(wave: f64, pitch: f64) -> Option<String> {
    let long = wave > LIGHT[1] && wave <= LONGEST && within(pitch / wave, PITCH_OF_LONG_WAVES);
    if within(wave, LIGHT) || long {
        return None;
    }
    let meant = MISTAKES.iter().map(|f| wave * f).find(|w| within(*w, LASERS));
    let meant = meant.or_else(|| MISTAKES.iter().map(|f| wave * f).find(|w| within(*w, LIGHT)));
    Some(format!(
        "optics.wavelength = {} is no light (100 nm to 20 um), nor a longer wave that pixels of {} fit{}",
        words(wave),
        words(pitch),
        guess(meant)
    ))
}

/// What looks wrong with the distance, where modulators were used: light that spreads a hundred times wider than the
/// modulator, or not to the neighbouring pixel.
pub fn distance(optics: &OpticsConfig) -> Option<String> {
    let (z, pitch) = (optics.distance.0.abs(), optics.pitch.both()[1].0);
    let spread = optics.wavelength.0 / optics.index * z / pitch;
    let window = optics.pixels.both()[1] as f64 * pitch;
    let fits = |factor: f64| within(spread * factor, [pitch, 10.0 * window]);
    let problem = if spread > 100.0 * window {
        "light spreads more than a hundred times wider than the modulator"
    } else if z > 0.0 && spread < 0.1 * pitch {
        "light does not reach the neighbouring pixel"
    } else {
        return None;
    };
    let meant = MISTAKES.iter().find(|f| fits(**f)).map(|f| optics.distance.0 * f);
    Some(format!("optics.distance = {}: {problem}{}", words(optics.distance.0), guess(meant)))
}

fn within(value: f64, [low, high]: [f64; 2]) -> bool {
    // A factor of 1000 in binary is not exact.
    value >= low * (1.0 - 1e-9) && value <= high * (1.0 + 1e-9)
}

fn guess(meant: Option<f64>) -> String {
    meant.map_or_else(String::new, |m| format!("; did you mean {}?", words(m)))
}

/// A length in the unit that suits it, six digits.
fn words(metres: f64) -> String {
    let units = [("m", 1.0), ("mm", 1e-3), ("um", 1e-6), ("nm", 1e-9)];
    let (unit, size) =
        units.into_iter().find(|(_, s)| metres.abs() >= s * (1.0 - 1e-9)).unwrap_or(("pm", 1e-12));
    let rounded: f64 = format!("{:.5e}", metres / size).parse().unwrap_or(metres / size);
    if rounded.abs() < 1e7 { format!("{rounded} {unit}") } else { format!("{rounded:e} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::Pair;

    fn found(wave: f64, pitch: f64) -> Vec<String> {
        let optics = OpticsConfig {
            wavelength: Length(wave),
            pitch: Pair::One(Length(pitch)),
            ..OpticsConfig::default()
        };
        units(&optics, Some([Length(pitch); 2]))
    }

    #[test]
    fn benches_that_exist_pass() {
        for (wave, pitch) in [
            (532e-9, 8e-6),
            (633e-9, 5e-6),
            (1550e-9, 20e-6),
            (10.6e-6, 30e-6),
            (647e-9, 0.139e-6),
            (750e-6, 400e-6),
            (532e-9, 400e-6),
        ] {
            assert_eq!(found(wave, pitch), Vec::<String>::new(), "{wave} {pitch}");
        }
    }

    #[test]
    fn a_thousand_off_is_said_with_what_was_meant() {
        for (wave, pitch, parts) in [
            (532e-6, 8e-6, ["optics.wavelength = 532 um", "did you mean 532 nm?"]),
            (532e-12, 8e-6, ["optics.wavelength = 532 pm", "did you mean 532 nm?"]),
            (532e-6, 50e-6, ["optics.wavelength = 532 um", "did you mean 532 nm?"]),
            (532e-6, 8e-3, ["optics.wavelength = 532 um", "did you mean 532 nm?"]),
            (532.0, 8e-6, ["optics.wavelength = 532 m", "no light"]),
            (532e-9, 8e-9, ["optics.pitch = 8 nm", "did you mean 8 um?"]),
            (532e-9, 8e-3, ["optics.pitch = 8 mm", "did you mean 8 um?"]),
            (750e-6, 400e-9, ["optics.wavelength = 750 um", "did you mean 750 nm?"]),
        ] {
            let text = found(wave, pitch).join("\n");
            assert!(parts.iter().all(|p| text.contains(p)), "{text}");
        }
        let both = found(532e-9, 8e-3);
        assert!(both.len() == 2 && both[1].contains("camera.pitch = 8 mm"), "{both:?}");
    }

    #[test]
    fn distances_are_held_against_the_modulator() {
        let at = |z: f64| distance(&OpticsConfig { distance: Length(z), ..OpticsConfig::default() });
        assert_eq!(at(0.388), None);
        assert_eq!(at(0.0), None);
        assert!(at(388.0).is_some_and(|t| t.contains("did you mean 388 mm?")));
        assert!(
            at(90e-6).is_some_and(|t| t.contains("neighbouring pixel") && t.contains("did you mean 90 mm?"))
        );
    }
}
