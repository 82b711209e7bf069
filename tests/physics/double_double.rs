//! Numbers of 31 digits, unevaluated sums of two `f64` (Dekker, Numer. Math. 18, 224 (1971)): enough to know a phase of
//! 1e6 rad better than `f64` does.

/// `hi + lo`, `lo` less than half a unit in the last place of `hi`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dd {
    pub(crate) hi: f64,
    pub(crate) lo: f64,
}

/// `a + b` exactly (Knuth's two-sum).
fn two_sum(a: f64, b: f64) -> Dd {
    let hi = a + b;
    let part = hi - a;
    Dd { hi, lo: (a - (hi - part)) + (b - part) }
}

/// `a b` exactly.
fn two_product(a: f64, b: f64) -> Dd {
    let hi = a * b;
    Dd { hi, lo: a.mul_add(b, -hi) }
}

impl Dd {
    pub(crate) fn new(value: f64) -> Self {
        Self { hi: value, lo: 0.0 }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        let (high, low) = (two_sum(self.hi, other.hi), two_sum(self.lo, other.lo));
        let partial = two_sum(high.hi, high.lo + low.hi);
        two_sum(partial.hi, partial.lo + low.lo)
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        self.plus(Self { hi: -other.hi, lo: -other.lo })
    }

    pub(crate) fn times(self, other: Self) -> Self {
        let p = two_product(self.hi, other.hi);
        two_sum(p.hi, p.lo + (self.hi * other.lo + self.lo * other.hi))
    }

    /// Long division, three digits of base 2^53.
    pub(crate) fn over(self, other: Self) -> Self {
        let first = self.hi / other.hi;
        let rest = self.minus(other.times(Self::new(first)));
        let second = rest.hi / other.hi;
        let rest = rest.minus(other.times(Self::new(second)));
        two_sum(first, second).plus(Self::new(rest.hi / other.hi))
    }

    /// One Newton step from the `f64` root doubles its digits.
    pub(crate) fn sqrt(self) -> Self {
        let root = Self::new(self.hi.sqrt());
        let rest = self.minus(root.times(root));
        root.plus(Self::new(rest.hi / (2.0 * root.hi)))
    }

    /// The part behind the point, of a positive number.
    pub(crate) fn fraction(self) -> f64 {
        let rest = self.minus(Self::new(self.hi.floor()));
        rest.minus(Self::new(rest.hi.floor())).hi
    }
}

#[test]
fn double_doubles_have_thirty_digits() {
    let two = Dd::new(2.0);
    let off = two.sqrt().times(two.sqrt()).minus(two);
    assert!(off.hi.abs() < 1e-30, "{off:?}");
    let third = Dd::new(1.0).over(Dd::new(3.0));
    assert!(third.times(Dd::new(3.0)).minus(Dd::new(1.0)).hi.abs() < 1e-30);
    // 1e16 + 0.25 is no f64.
    assert_eq!(Dd::new(1e16).plus(Dd::new(0.25)).fraction(), 0.25);
    assert_eq!(Dd::new(3.0).minus(Dd::new(0.25)).fraction(), 0.75);
}
