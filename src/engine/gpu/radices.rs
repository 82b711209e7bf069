//! Which radices make up a line transform: fewest exchanges through workgroup memory, then few registers and busy threads.

/// Shortest line.
pub(super) const SHORTEST: usize = 8;
/// Longest line: 32 KiB of workgroup memory, what every desktop device has.
pub(super) const LONGEST: usize = 4096;
/// Complex registers a thread may need; 32 and more spill in kernels with two transforms.
const MOST_REGISTERS: usize = 30;

/// What an exchange costs: a write and a read of every value and two barriers. The unit is a quarter of a register.
const EXCHANGE: f64 = 40.0;
/// Registers that cost nothing: with 16, four workgroups of 128 threads still share a multiprocessor.
const FREE_REGISTERS: usize = 16;
/// What threads without a butterfly cost, in a stage where as many idle as work.
const IDLE: f64 = 12.0;
/// Threads a line beyond which lines no longer share workgroups, and below which neighbours read far apart.
const MANY_THREADS: usize = 256;
const FEW_THREADS: usize = 4;
const ODD_THREADS: f64 = 40.0;

/// Registers a thread and the radices of the stages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mix {
    /// Complex registers a thread, a divisor of the length and a multiple of the first and the last radix.
    pub(super) registers: usize,
    /// Radices in the order of the stages; their product is the length.
    pub(super) radices: Vec<usize>,
}

/// All supported lengths, rising: `2^a 3^b 5^c` from [`SHORTEST`] to [`LONGEST`].
pub(super) fn lengths() -> impl Iterator<Item = usize> {
    (SHORTEST..=LONGEST).filter(|&n| smooth(n))
}

/// Whether a length is supported where the device allows it.
pub(super) fn supported(length: usize) -> bool {
    (SHORTEST..=LONGEST).contains(&length) && smooth(length)
}

fn smooth(mut n: usize) -> bool {
    for p in [2, 3, 5] {
        while n.is_multiple_of(p) {
            n /= p;
        }
    }
    n == 1
}

fn divisors(n: usize) -> impl Iterator<Item = usize> {
    (2..=n.min(MOST_REGISTERS)).filter(move |&d| n.is_multiple_of(d))
}

/// The cheapest mix for a supported length with at most `most_threads` threads a line, if there is one.
pub(super) fn choose(length: usize, most_threads: usize) -> Option<Mix> {
    let mut best: Option<(f64, Mix)> = None;
    for registers in divisors(length).filter(|e| length / e <= most_threads) {
        for radices in mixes(length, registers) {
            let mix = Mix { registers, radices };
            let cost = mix.cost(length);
            if mix.needs(length) <= MOST_REGISTERS && best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, mix));
            }
        }
    }
    best.map(|(_, mix)| mix)
}

/// The fewest threads a line that any mix can do with.
pub(super) fn fewest_threads(length: usize) -> usize {
    divisors(length).max().map_or(length, |most| length / most)
}

/// Lists of radices: the first and the last, which work on the registers, divide these; those between fall.
fn mixes(length: usize, registers: usize) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    if length == registers {
        all.push(vec![length]);
    }
    for first in divisors(registers) {
        for last in divisors(registers).filter(|last| length.is_multiple_of(first * last)) {
            for middle in falling(length / first / last, MOST_REGISTERS) {
                all.push([&[first][..], &middle, &[last]].concat());
            }
        }
    }
    // Of equal costs the mix that starts with the largest radix.
    all.sort_by(|a, b| b.cmp(a));
    all
}

/// All factorisations of `n` into factors of at most `most`, each list falling.
fn falling(n: usize, most: usize) -> Vec<Vec<usize>> {
    if n == 1 {
        return vec![Vec::new()];
    }
    let factors = divisors(n).filter(|&d| d <= most);
    let with = |d: usize| falling(n / d, d).into_iter().map(move |rest| [&[d][..], &rest].concat());
    factors.flat_map(with).collect()
}

impl Mix {
    /// Butterflies of a radix that a thread does at most.
    pub(super) fn rounds(&self, radix: usize, length: usize) -> usize {
        (length / radix).div_ceil(length / self.registers)
    }

    /// Registers of the stage that needs most.
    fn needs(&self, length: usize) -> usize {
        self.radices.iter().map(|&r| r * self.rounds(r, length)).max().unwrap_or(self.registers)
    }

    fn cost(&self, length: usize) -> f64 {
        let exchanges = EXCHANGE * (self.radices.len() - 1) as f64;
        let registers = self.needs(length).saturating_sub(FREE_REGISTERS) as f64;
        let idle = |&r: &usize| (r * self.rounds(r, length)) as f64 / self.registers as f64 - 1.0;
        let idle = IDLE * self.radices.iter().map(idle).sum::<f64>();
        let threads = length / self.registers;
        let odd = if (FEW_THREADS..=MANY_THREADS).contains(&threads) { 0.0 } else { ODD_THREADS };
        exchanges + registers + idle + odd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_a_mix_that_the_stages_can_run() {
        for length in lengths() {
            for most_threads in [64, 256, 1024] {
                let Some(mix) = choose(length, most_threads) else {
                    assert!(fewest_threads(length) > most_threads, "{length}");
                    continue;
                };
                assert_eq!(mix.radices.iter().product::<usize>(), length, "{mix:?}");
                assert!(mix.needs(length) <= MOST_REGISTERS, "{length}: {mix:?}");
                assert!(length / mix.registers <= most_threads, "{length}: {mix:?}");
                for end in [mix.radices.first(), mix.radices.last()].into_iter().flatten() {
                    assert!(mix.registers.is_multiple_of(*end), "{length}: {mix:?}");
                }
            }
        }
    }

    #[test]
    fn mixes_of_well_known_lengths_are_the_balanced_ones() {
        let known: [(usize, usize, &[usize]); 8] = [
            (64, 8, &[8, 8]),
            (256, 16, &[16, 16]),
            (400, 20, &[20, 20]),
            (512, 8, &[8, 8, 8]),
            (1000, 10, &[10, 10, 10]),
            (1125, 15, &[15, 15, 5]),
            (2048, 16, &[16, 16, 8]),
            (4096, 16, &[16, 16, 16]),
        ];
        for (length, registers, radices) in known {
            assert_eq!(choose(length, 1024), Some(Mix { registers, radices: radices.to_vec() }));
        }
    }

    #[test]
    fn no_length_needs_more_than_two_exchanges() {
        for length in lengths() {
            let mix = choose(length, 1024).expect("no line needs so many threads");
            assert!(mix.radices.len() <= 3, "{length}: {mix:?}");
        }
    }
}
