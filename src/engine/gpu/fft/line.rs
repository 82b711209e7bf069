//! The stages of a line transform: butterflies in registers, exchange through workgroup memory.

use std::fmt::Write;

use super::super::plan::{LineOrder, Plan};
use super::super::template::Registers;
use super::butterfly::{Names, dft};

/// Writes the transforms of a plan. The registers are the variables `x0..`, the thread's place in its line is `t`, its
/// line `line`; the table is the binding `twiddles`.
#[derive(Debug)]
pub(in crate::engine::gpu) struct LineFft<'a> {
    pub(in crate::engine::gpu) plan: &'a Plan,
}

impl Registers for LineFft<'_> {
    fn count(&self) -> usize {
        self.plan.registers
    }

    fn position(&self, m: usize) -> String {
        if m == 0 { "t".to_owned() } else { format!("(t + {}u)", m * self.plan.threads) }
    }

    fn transform(&self, inverse: bool) -> String {
        let mut out = String::new();
        if inverse {
            self.swap(&mut out);
        }
        out.push_str("{\n");
        self.stages("", &mut out);
        out.push_str("}\n");
        if inverse {
            self.swap(&mut out);
        }
        out
    }

    fn twice(&self, first_inverse: bool, between: &str, second_inverse: bool) -> String {
        if !self.plan.looped {
            return self.transform(first_inverse) + between + &self.transform(second_inverse);
        }
        let mut out = String::new();
        let swap_if = |wanted: bool, out: &mut String| {
            if wanted {
                self.swap(out);
            }
        };
        swap_if(first_inverse, &mut out);
        out.push_str("for (var round = 0u; round < p.passes; round++) {\n");
        writeln!(out, "let table = round * {}u;", self.plan.length).expect("writing to a string");
        self.stages("table + ", &mut out);
        out.push_str("if (round == 0u) {\n");
        swap_if(first_inverse, &mut out);
        out.push_str(between);
        swap_if(second_inverse, &mut out);
        out.push_str("}\n}\n");
        swap_if(second_inverse, &mut out);
        out
    }

    fn functions(&self) -> String {
        let plan = self.plan;
        let place = if plan.spread { "i + (i >> 4u)" } else { "i" };
        let slot = match plan.order {
            LineOrder::Rows => format!("line * {}u + {place}", plan.slots()),
            LineOrder::Columns => format!("({place}) * {}u + line", plan.lines),
        };
        format!(
            "var<workgroup> exchange: array<vec2<f32>, {}>;\n\
             // Place of value `i` of a line in the exchange.\n\
             fn slot(line: u32, i: u32) -> u32 {{\n    return {slot};\n}}\n",
            plan.slots() * plan.lines
        )
    }
}

impl LineFft<'_> {
    /// The inverse transform is the forward one between two exchanges of real and imaginary parts.
    fn swap(&self, out: &mut String) {
        for m in 0..self.plan.registers {
            writeln!(out, "x{m} = x{m}.yx;").expect("writing to a string");
        }
    }

    fn stages(&self, table: &str, out: &mut String) {
        let mut names = Names::default();
        let mut span = 1;
        for (stage, &radix) in self.plan.radices.iter().enumerate() {
            let last = stage + 1 == self.plan.radices.len();
            writeln!(out, "// Radix {radix}, span {span}.").expect("writing to a string");
            if !last {
                // Others may still read what the exchange held.
                out.push_str("workgroupBarrier();\n");
            }
            self.stage(radix, span, last, table, &mut names, out);
            if !last {
                out.push_str("workgroupBarrier();\n");
                for m in 0..self.plan.registers {
                    writeln!(out, "x{m} = exchange[slot(line, {})];", self.position(m))
                        .expect("writing to a string");
                }
            }
            span *= radix;
        }
    }

    /// One stage: `E / r` butterflies of radix `r`, twiddles before them, results to the exchange or to the registers.
    fn stage(&self, radix: usize, span: usize, last: bool, table: &str, names: &mut Names, out: &mut String) {
        let plan = self.plan;
        let butterflies = plan.registers / radix;
        // Where the span divides the threads, all butterflies of a thread share their twiddles.
        let shared = plan.threads.is_multiple_of(span);
        let mut factors = Vec::new();
        let mut results = vec![String::new(); plan.registers];
        for b in 0..butterflies {
            let j = if b == 0 { "t".to_owned() } else { format!("(t + {}u)", b * plan.threads) };
            let k = format!("({j} % {span}u)");
            if span > 1 && (b == 0 || !shared) {
                factors = self.factors(radix, span, &k, table, names, out);
            }
            let inputs: Vec<_> = (0..radix)
                .map(|q| {
                    let register = format!("x{}", b + q * butterflies);
                    if q == 0 || span == 1 {
                        return register;
                    }
                    let name = names.fresh();
                    writeln!(out, "let {name} = cmul({register}, {});", factors[q])
                        .expect("writing to a string");
                    name
                })
                .collect();
            for (q, result) in dft(&inputs, names, out).into_iter().enumerate() {
                if last {
                    results[b + q * butterflies] = result;
                } else {
                    let at = format!("({j} / {span}u) * {}u + {k} + {}u", span * radix, q * span);
                    writeln!(out, "exchange[slot(line, {at})] = {result};").expect("writing to a string");
                }
            }
        }
        if last {
            for (m, result) in results.iter().enumerate() {
                writeln!(out, "x{m} = {result};").expect("writing to a string");
            }
        }
    }

    /// `W_(span radix)^(k q)` for every `q`: powers of two are loaded, the others are one product of two of those below.
    fn factors(
        &self,
        radix: usize,
        span: usize,
        k: &str,
        table: &str,
        names: &mut Names,
        out: &mut String,
    ) -> Vec<String> {
        let step = self.plan.length / (span * radix);
        let mut factors = vec![String::new(); radix];
        for q in 1..radix {
            let high = 1 << q.ilog2();
            let expression = if q == high {
                format!("twiddles[{table}{k} * {}u]", q * step)
            } else {
                format!("cmul({}, {})", factors[high], factors[q - high])
            };
            factors[q] = names.fresh();
            writeln!(out, "let {} = {expression};", factors[q]).expect("writing to a string");
        }
        factors
    }
}
