//! Which recorded fields wait for the error pass and which are computed again: segment checkpointing (Griewank & Walther
//! 2000; Chen et al. 2016), as [`Program::recompute`] asks for it.

use super::Program;

/// The fields `U_1 .. U_{L-1}` of a program in segments of equal length.
///
/// Of a segment of length `k` the last field, `U_k, U_2k, ..`, waits for the error pass. Those before it share places from
/// segment to segment: the data pass leaves those of the last segment there, and the error pass computes those of the others
/// again, each when it comes to its segment, from the field before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segments {
    hops: usize,
    length: usize,
}

impl Segments {
    /// The segments of a program; of length 1 where everything waits.
    pub(super) fn of(program: &Program) -> Self {
        let hops = program.hops.len();
        Self { hops, length: program.recompute.clamp(1, hops.max(1)) }
    }

    /// The length that needs the fewest places for `hops` hops, and of these computes the least again.
    pub(super) fn best_length(hops: usize) -> usize {
        let cost = |length: &usize| {
            let one = Self { hops, length: *length };
            (one.places(), one.again())
        };
        (1..=hops.max(1)).min_by_key(cost).unwrap_or(1)
    }

    /// Hops of the program.
    pub(super) fn hops(self) -> usize {
        self.hops
    }

    /// Places for fields between the first and the last.
    pub(super) fn places(self) -> usize {
        self.kept() + self.shared()
    }

    /// Fields that are computed twice.
    fn again(self) -> usize {
        self.last_start().saturating_sub(self.kept())
    }

    /// The place, from 0, of `U_l`, `0 < l < L`.
    pub(super) fn place(self, l: usize) -> usize {
        match l % self.length {
            0 => l / self.length - 1,
            inner => self.kept() + inner - 1,
        }
    }

    /// Whether what the data pass leaves in the place of `U_l` (`l <= L`) is `U_l`.
    pub(super) fn waits(self, l: usize) -> bool {
        l.is_multiple_of(self.length) || l > self.last_start()
    }

    /// What the error pass computes again before it goes on in front of `U_l`: the field that is there, and the fields up to
    /// which.
    pub(super) fn before(self, l: usize) -> Option<(usize, usize)> {
        let begins = l > 0 && l < self.hops && l.is_multiple_of(self.length) && self.length > 1;
        begins.then(|| (l - self.length, l - 1))
    }

    /// Fields that wait at the ends of segments.
    fn kept(self) -> usize {
        self.hops.saturating_sub(1) / self.length
    }

    /// Places that segments share: as many as the longest has fields before its last.
    fn shared(self) -> usize {
        (self.length - 1).min(self.hops.saturating_sub(1))
    }

    /// The field in front of the last segment.
    fn last_start(self) -> usize {
        self.kept() * self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What waits, what is computed again, and how many places there are, for eight hops.
    #[test]
    fn eight_hops_in_segments() {
        let counts = |length| {
            let s = Segments { hops: 8, length };
            (s.places(), s.again(), (1..8).filter(|&l| s.waits(l)).count())
        };
        assert_eq!(counts(1), (7, 0, 7));
        assert_eq!(counts(2), (4, 3, 4));
        assert_eq!(counts(3), (4, 4, 3));
        assert_eq!(counts(4), (4, 3, 4));
        assert_eq!(counts(5), (5, 4, 3));
        assert_eq!(counts(8), (7, 0, 7));
        assert_eq!([1, 2, 4, 8, 9, 16, 20].map(Segments::best_length), [1, 1, 2, 2, 3, 4, 4]);
    }

    /// Follows both passes and sees that every field is in its place when the error comes to it.
    #[test]
    fn every_field_is_there_when_the_error_needs_it() {
        for (hops, length) in (1..=12).flat_map(|hops| (1..=hops).map(move |length| (hops, length))) {
            let s = Segments { hops, length };
            let mut places = vec![0; s.places()];
            for l in (1..hops).filter(|&l| s.waits(l)) {
                places[s.place(l)] = l;
            }
            for l in (1..hops).rev() {
                assert_eq!(places[s.place(l)], l, "{s:?}");
                let Some((from, to)) = s.before(l) else { continue };
                assert!(from == 0 || places[s.place(from)] == from, "{s:?}: U_{from} is gone");
                (from + 1..=to).for_each(|l| places[s.place(l)] = l);
            }
        }
    }
}
