//! What the gray values of an imperfect modulator do.

use std::f64::consts::TAU;

use super::LayerErrors;

/// The phase of each gray value 0 to 255 on a modulator with these errors, radians: 256 gray values are the range of the device.
pub fn gray_phases(e: &LayerErrors) -> Vec<f64> {
    let phase = |gray: usize| {
        let command = gray as f64 / 256.0;
        match e.lut.as_deref() {
            Some([only]) => *only,
            None | Some([]) => TAU * e.range.unwrap_or(1.0) * command.powf(e.gamma.unwrap_or(1.0)),
            Some(table) => {
                let at = command * (table.len() - 1) as f64;
                let k = (at as usize).min(table.len() - 2);
                table[k] + (at - k as f64) * (table[k + 1] - table[k])
            }
        }
    };
    (0..256).map(phase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gray_values_answer_as_the_errors_say() {
        assert!((gray_phases(&LayerErrors::default())[64] - TAU / 4.0).abs() < 1e-12);
        let e = LayerErrors { range: Some(0.9), gamma: Some(1.2), ..LayerErrors::default() };
        assert!((gray_phases(&e)[64] - TAU * 0.9 * 0.25_f64.powf(1.2)).abs() < 1e-12);
        let table = LayerErrors { lut: Some(vec![0.1, 1.1, 3.1]), ..LayerErrors::default() };
        assert!((gray_phases(&table)[192] - 2.1).abs() < 1e-12);
    }
}
