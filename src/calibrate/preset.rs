//! Presets: named or given as a file, with the user's keys on top.

use std::collections::BTreeMap;

use super::Imperfections;

/// The imperfect bench that comes with the program.
const BENCH: &str = include_str!("../../assets/bench.toml");

/// A preset that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PresetError {
    /// The file cannot be read.
    #[error("imperfections.preset = {name:?}: neither \"none\" nor \"bench\" nor a readable file ({source})")]
    Unreadable {
        /// What was asked for.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file does not hold imperfections.
    #[error("imperfections.preset = {name:?}: {message}")]
    Invalid {
        /// What was asked for.
        name: String,
        /// What is wrong.
        message: String,
    },
}

/// Fills in the preset: its values stand where `given` says nothing. The result has no preset any more.
///
/// # Errors
/// [`PresetError`] for a file that is missing or wrong.
pub fn resolve(given: &Imperfections) -> Result<Imperfections, PresetError> {
    let base = match given.preset.as_deref() {
        None | Some("none") => Imperfections::default(),
        Some("bench") => read("bench", BENCH)?,
        Some(name) => {
            let text = std::fs::read_to_string(name)
                .map_err(|source| PresetError::Unreadable { name: name.into(), source })?;
            read(name, &text)?
        }
    };
    // What is given for all layers wins over what the preset says of one.
    let mut layers: BTreeMap<_, _> =
        base.layer.into_iter().map(|(number, errors)| (number, given.all.over(&errors))).collect();
    for (number, own) in &given.layer {
        let merged = layers.get(number).map_or_else(|| own.clone(), |preset| own.over(preset));
        layers.insert(number.clone(), merged);
    }
    Ok(Imperfections {
        preset: None,
        seed: given.seed.or(base.seed),
        all: given.all.over(&base.all),
        layer: layers,
        camera: given.camera.or(base.camera),
        drift: given.drift.clone().or(base.drift),
    })
}

fn read(name: &str, text: &str) -> Result<Imperfections, PresetError> {
    let invalid = |message: String| PresetError::Invalid { name: name.into(), message };
    let preset: Imperfections = toml::from_str(text).map_err(|e| invalid(e.to_string()))?;
    match &preset.preset {
        None => Ok(preset),
        Some(other) => Err(invalid(format!("it names another preset, {other:?}; copy the values instead"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bench_is_valid_and_can_be_overridden() {
        let bench =
            resolve(&Imperfections { preset: Some("bench".into()), ..Imperfections::default() }).unwrap();
        assert!(bench.camera.is_some() && bench.all.bits == Some(8));
        let text = "preset = 'bench'\n[all]\nbits = 4";
        let own = resolve(&toml::from_str(text).unwrap()).unwrap();
        assert_eq!(own.all.bits, Some(4));
        assert_eq!(own.all.modulator_aberration, bench.all.modulator_aberration);
        assert_eq!(own.camera, bench.camera);
    }

    #[test]
    fn what_is_given_for_all_layers_wins_over_the_preset_s_own_layer() {
        let flat = "preset = 'bench'\nall.modulator_aberration = { rms = 0.01 }\nlayer.1.bits = 5";
        let own = resolve(&toml::from_str(flat).unwrap()).unwrap();
        for number in 1..=2 {
            assert_eq!(own.of(number).modulator_aberration.unwrap().rms, 0.01, "layer {number}");
        }
        assert_eq!((own.of(1).bits, own.of(2).bits), (Some(5), Some(8)));
        let told = resolve(&toml::from_str("preset = 'bench'\nlayer.1.gamma = 2.0").unwrap()).unwrap();
        assert_eq!(told.of(1).gamma, Some(2.0));
        let bent = |number| told.of(number).modulator_aberration.unwrap().rms;
        assert!(bent(1) > 3.0 * bent(2), "{} {}", bent(1), bent(2));
    }

    #[test]
    fn a_preset_that_names_another_is_refused() {
        let message = read("mine.toml", "preset = 'bench'").unwrap_err().to_string();
        assert!(message.contains("mine.toml") && message.contains("\"bench\""), "{message}");
    }

    #[test]
    fn a_missing_preset_is_named() {
        let given = Imperfections { preset: Some("no/such.toml".into()), ..Imperfections::default() };
        assert!(resolve(&given).unwrap_err().to_string().contains("no/such.toml"));
    }
}
