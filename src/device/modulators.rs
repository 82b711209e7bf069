//! Modulators by name.

/// A modulator's panel, driven with 8-bit gray values.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Its name, or `WIDTHxHEIGHT`.
    pub name: String,
    /// Pixels, `[rows, cols]`.
    pub pixels: [usize; 2],
    /// Pixel pitch, metres; unknown for panels given by their size alone.
    pub pitch: Option<f64>,
}

/// Name, columns, rows, pitch in micrometres, from the makers' data sheets.
const PANELS: [(&str, usize, usize, f64); 5] = [
    ("meadowlark-1920x1152", 1920, 1152, 9.2),
    ("meadowlark-1920x1200", 1920, 1200, 8.0),
    ("hamamatsu-x15213", 1272, 1024, 12.5),
    ("holoeye-pluto", 1920, 1080, 8.0),
    ("holoeye-leto", 1920, 1080, 6.4),
];

impl Panel {
    /// The names that are known.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PANELS.iter().map(|(name, ..)| *name)
    }

    /// A panel by its name, or by its size: `1920x1200`. `None` where it is neither.
    pub fn named(name: &str) -> Option<Self> {
        let known = PANELS.iter().find(|(known, ..)| *known == name.trim().to_lowercase());
        if let Some(&(name, cols, rows, pitch)) = known {
            return Some(Self { name: name.into(), pixels: [rows, cols], pitch: Some(pitch / 1e6) });
        }
        let (cols, rows) = name.trim().split_once('x')?;
        let side = |text: &str| text.parse::<usize>().ok().filter(|n| (8..=16_384).contains(n));
        Some(Self { name: name.trim().into(), pixels: [side(rows)?, side(cols)?], pitch: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_found_by_name_or_size() {
        let e = Panel::named("Meadowlark-1920x1200").unwrap();
        assert_eq!((e.pixels, e.pitch), ([1200, 1920], Some(8e-6)));
        let own = Panel::named("800x600").unwrap();
        assert_eq!((own.pixels, own.pitch), ([600, 800], None));
        for wrong in ["slm", "800", "800x", "4x4", "800x600x2"] {
            assert_eq!(Panel::named(wrong), None, "{wrong}");
        }
        assert!(Panel::names().all(|name| Panel::named(name).is_some_and(|p| p.pitch.is_some())));
    }
}
