//! DFTs of a few registers as straight-line text: radices 2, 3, 4, 5 and their products.

use std::f64::consts::TAU;
use std::fmt::Write;

/// Names fresh variables of one kernel.
#[derive(Debug, Default)]
pub(super) struct Names(usize);

impl Names {
    pub(super) fn fresh(&mut self) -> String {
        self.0 += 1;
        format!("v{}", self.0)
    }
}

/// Writes the forward DFT of `inputs` and returns the names of its outputs, in natural order.
pub(super) fn dft(inputs: &[String], names: &mut Names, out: &mut String) -> Vec<String> {
    match inputs.len() {
        1 => inputs.to_vec(),
        2 => dft2(inputs, names, out),
        3 => dft3(inputs, names, out),
        4 => dft4(inputs, names, out),
        5 => dft5(inputs, names, out),
        n => {
            let a = [4, 2, 3, 5].into_iter().find(|a| n % a == 0);
            composite(inputs, a.expect("radices have factors 2, 3, 5"), names, out)
        }
    }
}

fn bind(expression: &str, names: &mut Names, out: &mut String) -> String {
    let name = names.fresh();
    writeln!(out, "let {name} = {expression};").expect("writing to a string");
    name
}

fn dft2(x: &[String], names: &mut Names, out: &mut String) -> Vec<String> {
    let sum = bind(&format!("{} + {}", x[0], x[1]), names, out);
    let difference = bind(&format!("{} - {}", x[0], x[1]), names, out);
    vec![sum, difference]
}

fn dft3(x: &[String], names: &mut Names, out: &mut String) -> Vec<String> {
    let (half, root) = (0.5_f32, (0.75_f64.sqrt()) as f32);
    let sum = bind(&format!("{} + {}", x[1], x[2]), names, out);
    let difference = bind(&format!("({} - {}) * {root:?}", x[1], x[2]), names, out);
    let base = bind(&format!("{} - {half:?} * {sum}", x[0]), names, out);
    let zero = bind(&format!("{} + {sum}", x[0]), names, out);
    // -i d = (d.y, -d.x)
    let one = bind(&format!("{base} + vec2<f32>({difference}.y, -{difference}.x)"), names, out);
    let two = bind(&format!("{base} - vec2<f32>({difference}.y, -{difference}.x)"), names, out);
    vec![zero, one, two]
}

fn dft4(x: &[String], names: &mut Names, out: &mut String) -> Vec<String> {
    let even = dft2(&[x[0].clone(), x[2].clone()], names, out);
    let odd = dft2(&[x[1].clone(), x[3].clone()], names, out);
    let turned = bind(&format!("vec2<f32>({0}.y, -{0}.x)", odd[1]), names, out);
    let first = dft2(&[even[0].clone(), odd[0].clone()], names, out);
    let second = dft2(&[even[1].clone(), turned], names, out);
    vec![first[0].clone(), second[0].clone(), first[1].clone(), second[1].clone()]
}

fn dft5(x: &[String], names: &mut Names, out: &mut String) -> Vec<String> {
    let [c1, c2, s1, s2] =
        [(TAU / 5.0).cos(), (2.0 * TAU / 5.0).cos(), (TAU / 5.0).sin(), (2.0 * TAU / 5.0).sin()]
            .map(|v| v as f32);
    let p1 = bind(&format!("{} + {}", x[1], x[4]), names, out);
    let p2 = bind(&format!("{} + {}", x[2], x[3]), names, out);
    let m1 = bind(&format!("{} - {}", x[1], x[4]), names, out);
    let m2 = bind(&format!("{} - {}", x[2], x[3]), names, out);
    let zero = bind(&format!("{} + {p1} + {p2}", x[0]), names, out);
    let a = bind(&format!("{} + {c1:?} * {p1} + {c2:?} * {p2}", x[0]), names, out);
    let b = bind(&format!("{} + {c2:?} * {p1} + {c1:?} * {p2}", x[0]), names, out);
    let c = bind(&format!("{s1:?} * {m1} + {s2:?} * {m2}"), names, out);
    let d = bind(&format!("{s2:?} * {m1} - {s1:?} * {m2}"), names, out);
    let mut pair = |base: &str, turn: &str| {
        let plus = bind(&format!("{base} + vec2<f32>({turn}.y, -{turn}.x)"), names, out);
        let minus = bind(&format!("{base} - vec2<f32>({turn}.y, -{turn}.x)"), names, out);
        (plus, minus)
    };
    let (one, four) = pair(&a, &c);
    let (two, three) = pair(&b, &d);
    vec![zero, one, two, three, four]
}

/// `r = a b` (Cooley & Tukey 1965): `X[k1 + a k2] = sum_n2 W_r^(n2 k1) W_b^(n2 k2) sum_n1 W_a^(n1 k1) x[b n1 + n2]`.
fn composite(x: &[String], a: usize, names: &mut Names, out: &mut String) -> Vec<String> {
    let r = x.len();
    let b = r / a;
    let mut inner = Vec::new();
    for n2 in 0..b {
        let column: Vec<_> = (0..a).map(|n1| x[b * n1 + n2].clone()).collect();
        let transformed = dft(&column, names, out);
        let turned = transformed.iter().enumerate().map(|(k1, v)| rotate(v, n2 * k1, r, names, out));
        inner.push(turned.collect::<Vec<_>>());
    }
    let mut outputs = vec![String::new(); r];
    for k1 in 0..a {
        let row: Vec<_> = inner.iter().map(|column| column[k1].clone()).collect();
        for (k2, name) in dft(&row, names, out).into_iter().enumerate() {
            outputs[k1 + a * k2] = name;
        }
    }
    outputs
}

/// Times `W_r^e`; quarter and eighth turns need no general product.
fn rotate(v: &str, e: usize, r: usize, names: &mut Names, out: &mut String) -> String {
    let e = e % r;
    let root = std::f32::consts::FRAC_1_SQRT_2;
    let expression = match 8 * e {
        0 => return v.to_owned(),
        eighths if eighths == r => format!("{root:?} * vec2<f32>({v}.x + {v}.y, {v}.y - {v}.x)"),
        eighths if eighths == 2 * r => format!("vec2<f32>({v}.y, -{v}.x)"),
        eighths if eighths == 3 * r => format!("{root:?} * vec2<f32>({v}.y - {v}.x, -{v}.x - {v}.y)"),
        eighths if eighths == 4 * r => format!("-{v}"),
        _ => {
            let angle = TAU * e as f64 / r as f64;
            let (c, s) = (angle.cos() as f32, -angle.sin() as f32);
            format!("cmul({v}, vec2<f32>({c:?}, {s:?}))")
        }
    };
    bind(&expression, names, out)
}
