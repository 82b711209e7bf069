//! Refractive indices of what masks are made of, and what a mask for one wavelength does at another.

use serde::{Deserialize, Serialize};

use super::{Length, OpticsError};

/// What masks are made of, as far as their index depends on the wavelength (in vacuum).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Material {
    /// One index at every wavelength: also a mirror, or a modulator whose retardance in metres does not change.
    #[default]
    None,
    /// Fused silica, 0.21 to 3.71 um (Malitson 1965).
    FusedSilica,
    /// Polymethyl methacrylate, 0.4368 to 1.052 um (Sultanova, Kasarova & Nikolov 2009).
    Pmma,
    /// `n = A + B / lambda^2 + C / lambda^4 + ..`, lambda in micrometres.
    Cauchy(Vec<f64>),
    /// Wavelengths in rising order and their indices, linear between them.
    Table(Vec<(Length, f64)>),
}

impl Material {
    /// The index at a vacuum wavelength in metres; `None` where it does not depend on it.
    ///
    /// # Errors
    /// [`OpticsError::Material`] outside the range that is known, and for a table or series that gives no index above 0.
    pub fn index(&self, wavelength: f64) -> Result<Option<f64>, OpticsError> {
        let um = wavelength * 1e6;
        let wrong = |problem: String| OpticsError::Material { wavelength, problem };
        let within = |low: f64, high: f64| match (low..=high).contains(&um) {
            true => Ok(()),
            false => Err(wrong(format!("it is known from {low} to {high} um only"))),
        };
        let n = match self {
            Self::None => return Ok(None),
            Self::FusedSilica => {
                within(0.21, 3.71)?;
                let terms =
                    [(0.696_166_3, 0.068_404_3), (0.407_942_6, 0.116_241_4), (0.897_479_4, 9.896_161)];
                (1.0 + terms.iter().map(|(b, c)| sellmeier(um, *b, c * c)).sum::<f64>()).sqrt()
            }
            Self::Pmma => {
                within(0.4368, 1.052)?;
                (1.0 + sellmeier(um, 1.1819, 0.011_313)).sqrt()
            }
            Self::Cauchy(terms) => terms.iter().rev().fold(0.0, |sum, term| sum / (um * um) + term),
            Self::Table(table) => {
                if !table.is_sorted_by(|a, b| a.0.0 < b.0.0) {
                    return Err(wrong("the wavelengths of its table must rise".into()));
                }
                let Some(pair) = table.windows(2).find(|w| (w[0].0.0..=w[1].0.0).contains(&wavelength))
                else {
                    return Err(wrong("it is outside its table, which needs two entries or more".into()));
                };
                let [(from, low), (to, high)] = [pair[0], pair[1]];
                low + (high - low) * (wavelength - from.0) / (to.0 - from.0)
            }
        };
        match n.is_finite() && n > 0.0 {
            true => Ok(Some(n)),
            false => Err(wrong(format!("its index there would be {n}"))),
        }
    }

    /// By how much the phase of a height made for `design` is larger at `wavelength` (both in vacuum, metres), in a medium of
    /// index `medium`: `(design / wavelength) (n(wavelength) - medium) / (n(design) - medium)`.
    ///
    /// # Errors
    /// As [`Material::index`]; and where the mask has the index of the medium and no phase at all.
    pub fn phase_scale(&self, design: f64, wavelength: f64, medium: f64) -> Result<f64, OpticsError> {
        let steps = match (self.index(design)?, self.index(wavelength)?) {
            (Some(there), Some(here)) => (here - medium) / (there - medium),
            _ => 1.0,
        };
        match steps.is_finite() && steps > 0.0 {
            true => Ok(design / wavelength * steps),
            false => Err(OpticsError::Material {
                wavelength,
                problem: format!(
                    "against optics.index = {medium} a height would give no phase, or the opposite one"
                ),
            }),
        }
    }
}

/// A term of `n^2 - 1`.
fn sellmeier(um: f64, b: f64, c: f64) -> f64 {
    b * um * um / (um * um - c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Indices at the lines F, d and C as the makers print them.
    #[test]
    fn indices_are_those_of_tables() {
        let cases = [
            (Material::FusedSilica, [1.46313, 1.45846, 1.45637], 1e-5),
            (Material::Pmma, [1.4973, 1.4906, 1.4879], 5e-4),
        ];
        for (material, expected, tolerance) in cases {
            for (wavelength, n) in [486.13e-9, 587.56e-9, 656.27e-9].into_iter().zip(expected) {
                let found = material.index(wavelength).unwrap().unwrap();
                assert!((found - n).abs() < tolerance, "{material:?} at {wavelength}: {found} for {n}");
            }
        }
        let cauchy = Material::Cauchy(vec![1.5, 0.004, 0.0001]);
        let n = cauchy.index(0.5e-6).unwrap().unwrap();
        assert!((n - (1.5 + 0.016 + 0.0016)).abs() < 1e-12, "{n}");
        let table = Material::Table(vec![(Length(5e-7), 1.5), (Length(6e-7), 1.4)]);
        assert!((table.index(5.5e-7).unwrap().unwrap() - 1.45).abs() < 1e-12);
    }

    #[test]
    fn heights_give_less_phase_to_longer_waves() {
        let scale = |m: &Material| m.phase_scale(532e-9, 633e-9, 1.0).unwrap();
        assert_eq!(scale(&Material::None), 532.0e-9 / 633e-9);
        // Index 1.46071 at 532 nm, 1.45702 at 633 nm.
        let silica = scale(&Material::FusedSilica) / (532.0 / 633.0);
        assert!((silica - 0.45702 / 0.46071).abs() < 1e-4, "{silica}");
        assert_eq!(Material::Pmma.phase_scale(532e-9, 532e-9, 1.0).unwrap(), 1.0);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let message = |m: Material, medium| m.phase_scale(532e-9, 2e-6, medium).unwrap_err().to_string();
        assert!(message(Material::Pmma, 1.0).contains("1.052"));
        assert!(message(Material::Table(vec![(Length(1e-6), 1.5)]), 1.0).contains("two entries"));
        assert!(message(Material::Cauchy(Vec::new()), 1.0).contains("would be 0"));
        assert!(message(Material::Cauchy(vec![1.33]), 1.33).contains("no phase"));
    }
}
