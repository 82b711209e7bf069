//! Cubics through points of a table.

/// The value at `at` of a curve through the points `(x, y)`, `x` ascending: cubics between them, with the slope that the parabola
/// through each and its neighbours has there (de Boor, *A Practical Guide to Splines* (1978), ch. IV, "Bessel"); beyond the ends
/// drawn out by straight lines. Chords of a bent curve err to one side everywhere between, which looks like light from a modulator's
/// gaps. Linear in `y`.
pub(crate) fn cubic(x: &[f64], y: &[f64], at: f64) -> f64 {
    let points = Points { x, y };
    let last = x.len() - 1;
    if last == 0 {
        return y[0];
    }
    let k = x.partition_point(|v| *v <= at).clamp(1, last) - 1;
    let end = at.clamp(x[0], x[last]);
    if at != end {
        let n = if at < end { 0 } else { last };
        return y[n] + points.slope(n) * (at - end);
    }
    let wide = x[k + 1] - x[k];
    let t = (at - x[k]) / wide;
    let chord = y[k] + t * (y[k + 1] - y[k]);
    // By how much slopes at both ends differ from the chord's bends the curve away from it.
    let [left, right] = [k, k + 1].map(|n| (points.slope(n) - points.rise(k)) * wide);
    chord + t * (1.0 - t) * (left * (1.0 - t) - right * t)
}

struct Points<'a> {
    x: &'a [f64],
    y: &'a [f64],
}

impl Points<'_> {
    /// Slope from point `k` to the next.
    fn rise(&self, k: usize) -> f64 {
        (self.y[k + 1] - self.y[k]) / (self.x[k + 1] - self.x[k])
    }

    /// Slope at point `n` of the parabola through it and its neighbours, or through the three at an end; of the straight line
    /// through two.
    fn slope(&self, n: usize) -> f64 {
        let last = self.x.len() - 1;
        if last == 1 {
            return self.rise(0);
        }
        let middle = n.clamp(1, last - 1);
        let [before, behind] = [middle - 1, middle].map(|k| self.x[k + 1] - self.x[k]);
        let [rise, next] = [self.rise(middle - 1), self.rise(middle)];
        let bend = (next - rise) / (before + behind);
        // Of rise + bend (2 x - x0 - x1) at the three.
        match n {
            _ if n < middle => rise - bend * before,
            _ if n > middle => next + bend * behind,
            _ => rise + bend * before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parabolas_are_met_between_uneven_points_and_straight_lines_beyond() {
        let x = [0.0, 10.0, 14.0, 40.0, 41.0];
        let parabola = |g: f64| 0.3 * g + 0.01 * g * g;
        let y = x.map(parabola);
        for g in [0.0, 0.1, 9.0, 10.0, 12.0, 14.0, 33.0, 40.5, 41.0] {
            assert!(
                (cubic(&x, &y, g) - parabola(g)).abs() < 1e-12,
                "{g}: {} {}",
                cubic(&x, &y, g),
                parabola(g)
            );
        }
        let slope = 0.3 + 2.0 * 0.01 * 41.0;
        assert!((cubic(&x, &y, 42.0) - (parabola(41.0) + slope)).abs() < 1e-12);
        assert!((cubic(&x, &y, -1.0) + 0.3).abs() < 1e-12);
        assert!((cubic(&[0.0, 8.0], &[0.0, 1.0], 2.0) - 0.25).abs() < 1e-15);
        assert_eq!(cubic(&[3.0], &[2.0], 7.0), 2.0);
    }
}
