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
        let mut values = self.registers();
        for (stage, &radix) in self.plan.radices.iter().enumerate() {
            let last = stage + 1 == self.plan.radices.len();
            writeln!(out, "// Radix {radix}, span {span}.").expect("writing to a string");
            if !last {
                // Others may still read what the exchange held.
                out.push_str("workgroupBarrier();\n");
            }
            self.stage(radix, &values, span, last, table, &mut names, out);
            if let Some(&next) = self.plan.radices.get(stage + 1) {
                out.push_str("workgroupBarrier();\n");
                values = self.load(next, &mut names, out);
            }
            span *= radix;
        }
    }

    /// Names of the registers.
    fn registers(&self) -> Vec<String> {
        (0..self.plan.registers).map(|m| format!("x{m}")).collect()
    }

    /// Number of the butterfly that a thread does in round `b`.
    fn butterfly(&self, b: usize) -> String {
        if b == 0 { "t".to_owned() } else { format!("(t + {}u)", b * self.plan.threads) }
    }

    /// The condition under which there is a butterfly in round `b` of a stage, where not every thread has one.
    fn condition(&self, radix: usize, b: usize) -> Option<String> {
        let all = self.plan.length / radix;
        ((b + 1) * self.plan.threads > all).then(|| format!("{} < {all}u", self.butterfly(b)))
    }

    /// Loads the inputs of a stage from the exchange: input `q` of butterfly `b` is value `b + q rounds` of the list.
    fn load(&self, radix: usize, names: &mut Names, out: &mut String) -> Vec<String> {
        let plan = self.plan;
        if plan.registers.is_multiple_of(radix) {
            for m in 0..plan.registers {
                writeln!(out, "x{m} = exchange[slot(line, {})];", self.position(m))
                    .expect("writing to a string");
            }
            return self.registers();
        }
        // The registers do not divide into butterflies of this radix: the last round is not for every thread.
        let rounds = plan.rounds(radix);
        let values: Vec<_> = (0..rounds * radix).map(|_| names.fresh()).collect();
        for value in &values {
            writeln!(out, "var {value} = vec2<f32>(0.0);").expect("writing to a string");
        }
        for b in 0..rounds {
            let condition = self.condition(radix, b);
            if let Some(condition) = &condition {
                writeln!(out, "if ({condition}) {{").expect("writing to a string");
            }
            for q in 0..radix {
                let (value, at) = (&values[b + q * rounds], q * plan.length / radix);
                writeln!(out, "{value} = exchange[slot(line, {} + {at}u)];", self.butterfly(b))
                    .expect("writing to a string");
            }
            if condition.is_some() {
                out.push_str("}\n");
            }
        }
        values
    }

    /// One stage: butterflies of radix `r`, twiddles before them, results to the exchange or to the registers.
    #[expect(clippy::too_many_arguments, reason = "what a stage is made of")]
    fn stage(
        &self,
        radix: usize,
        values: &[String],
        span: usize,
        last: bool,
        table: &str,
        names: &mut Names,
        out: &mut String,
    ) {
        let plan = self.plan;
        let rounds = plan.rounds(radix);
        // Where the span divides the threads, all butterflies of a thread share their twiddles.
        let shared = plan.threads.is_multiple_of(span);
        let mut factors = Vec::new();
        let mut results = vec![String::new(); plan.registers];
        for b in 0..rounds {
            let j = self.butterfly(b);
            let k = format!("({j} % {span}u)");
            if span > 1 && (b == 0 || !shared) {
                factors = self.factors(radix, span, &k, table, names, out);
            }
            let condition = self.condition(radix, b);
            if let Some(condition) = &condition {
                writeln!(out, "if ({condition}) {{").expect("writing to a string");
            }
            let inputs: Vec<_> = (0..radix)
                .map(|q| {
                    let value = &values[b + q * rounds];
                    if q == 0 || span == 1 {
                        return value.clone();
                    }
                    let name = names.fresh();
                    writeln!(out, "let {name} = cmul({value}, {});", factors[q])
                        .expect("writing to a string");
                    name
                })
                .collect();
            for (q, result) in dft(&inputs, names, out).into_iter().enumerate() {
                if last {
                    results[b + q * rounds] = result;
                } else {
                    let at = format!("({j} / {span}u) * {}u + {k} + {}u", span * radix, q * span);
                    writeln!(out, "exchange[slot(line, {at})] = {result};").expect("writing to a string");
                }
            }
            if condition.is_some() {
                out.push_str("}\n");
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
