//! From a stage file to the text of a kernel: lines that start with `//@` are directives, all else is WGSL.
//!
//! | directive | becomes |
//! |---|---|
//! | `//@use a b` | the files `shaders/shared/a.wgsl`, `b.wgsl`, each once a kernel |
//! | `//@bind read\|write\|uniform name: type` | a declaration with the next binding number, once a kernel |
//! | `//@if FLAG`, `//@if !FLAG`, `//@else`, `//@end` | the lines of the branch taken |
//! | `//@each` .. `//@end` | the lines once a register, `$m` its number and `$i` its position in the line |
//! | `//@fft forward\|inverse` | the transform of the registers `x0..` |
//! | `//@twice a b` .. `//@end` | transform `a`, the lines, transform `b`; unrolled or as a loop |
//! | `//@define name` .. `//@end` and `//@name` | lines that are written once and used in two places |
//! | `//@fft_functions` | the exchange memory and the functions that transforms call |

use std::collections::{BTreeMap, BTreeSet};

/// How a kernel uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read-only storage.
    Read,
    /// Read-write storage.
    Write,
    /// Uniform with a dynamic offset.
    Uniform,
}

/// A buffer that a kernel binds; its binding number is its position in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Name in the text, by which the engine finds the buffer.
    pub name: String,
    /// How it is used.
    pub access: Access,
}

/// What the directives need to know of the transform.
pub(super) trait Registers {
    /// Registers a thread.
    fn count(&self) -> usize;
    /// Expression of the position in the line of register `m`.
    fn position(&self, m: usize) -> String;
    /// Text of one transform of the registers.
    fn transform(&self, inverse: bool) -> String;
    /// Text of a transform, lines, and another transform.
    fn twice(&self, first_inverse: bool, between: &str, second_inverse: bool) -> String;
    /// Exchange memory and functions.
    fn functions(&self) -> String;
}

/// A kernel's text and the buffers it binds.
#[derive(Clone, Debug, Default)]
pub(super) struct Expanded {
    pub(super) text: String,
    pub(super) bindings: Vec<Binding>,
}

/// Expands a stage file. `shared` finds the text of a shared file.
///
/// # Panics
/// On a malformed directive: the files are part of the program, and a unit test expands every kernel.
pub(super) fn expand(
    source: &str,
    flags: &BTreeSet<&'static str>,
    registers: Option<&dyn Registers>,
    shared: &dyn Fn(&str) -> &'static str,
) -> Expanded {
    let mut defines = BTreeMap::new();
    let lines: Vec<&str> = source.lines().collect();
    let nodes = parse(&mut lines.as_slice(), &mut defines);
    let mut writer =
        Writer { flags, registers, shared, defines, used: BTreeSet::new(), out: Expanded::default() };
    let mut text = String::new();
    writer.write(&nodes, &mut text);
    writer.out.text = text;
    writer.out
}

#[derive(Clone, Debug)]
enum Node<'a> {
    Line(&'a str),
    Directive(&'a str),
    If { flag: &'a str, then: Vec<Node<'a>>, otherwise: Vec<Node<'a>> },
    Each(Vec<Node<'a>>),
    Twice { order: &'a str, body: Vec<Node<'a>> },
}

/// Parses until `//@end`, `//@else` (left for the caller) or the end of the file.
fn parse<'a>(lines: &mut &[&'a str], defines: &mut BTreeMap<&'a str, Vec<Node<'a>>>) -> Vec<Node<'a>> {
    let mut nodes = Vec::new();
    while let Some((&line, rest)) = lines.split_first() {
        let Some(directive) = line.trim_start().strip_prefix("//@") else {
            nodes.push(Node::Line(line));
            *lines = rest;
            continue;
        };
        let directive = directive.trim_end();
        if directive == "end" || directive == "else" {
            return nodes;
        }
        *lines = rest;
        let (word, argument) = directive.split_once(' ').unwrap_or((directive, ""));
        match word {
            "if" => {
                let then = parse(lines, defines);
                let has_else = lines.first().is_some_and(|l| l.trim() == "//@else");
                let otherwise = if has_else {
                    *lines = &lines[1..];
                    parse(lines, defines)
                } else {
                    Vec::new()
                };
                close(lines, directive);
                nodes.push(Node::If { flag: argument, then, otherwise });
            }
            "each" => {
                let body = parse(lines, defines);
                close(lines, directive);
                nodes.push(Node::Each(body));
            }
            "twice" => {
                let body = parse(lines, defines);
                close(lines, directive);
                nodes.push(Node::Twice { order: argument, body });
            }
            "define" => {
                let body = parse(lines, defines);
                close(lines, directive);
                defines.insert(argument, body);
            }
            _ => nodes.push(Node::Directive(directive)),
        }
    }
    nodes
}

fn close(lines: &mut &[&str], opened: &str) {
    assert!(lines.first().is_some_and(|l| l.trim() == "//@end"), "no //@end for //@{opened}");
    *lines = &lines[1..];
}

struct Writer<'a> {
    flags: &'a BTreeSet<&'static str>,
    registers: Option<&'a dyn Registers>,
    shared: &'a dyn Fn(&str) -> &'static str,
    defines: BTreeMap<&'a str, Vec<Node<'a>>>,
    used: BTreeSet<String>,
    out: Expanded,
}

impl Writer<'_> {
    fn write(&mut self, nodes: &[Node<'_>], text: &mut String) {
        for node in nodes {
            match node {
                Node::Line(line) => {
                    text.push_str(line);
                    text.push('\n');
                }
                Node::If { flag, then, otherwise } => {
                    let wanted = !flag.starts_with('!');
                    let set = self.flags.contains(flag.trim_start_matches('!'));
                    self.write(if set == wanted { then } else { otherwise }, text);
                }
                Node::Each(body) => {
                    let mut once = String::new();
                    self.write(body, &mut once);
                    let registers = self.transform_of("each");
                    for m in 0..registers.count() {
                        let position = registers.position(m);
                        text.push_str(&once.replace("$m", &m.to_string()).replace("$i", &position));
                    }
                }
                Node::Twice { order, body } => {
                    let mut between = String::new();
                    self.write(body, &mut between);
                    let (first, second) = order.split_once(' ').expect("//@twice names two transforms");
                    text.push_str(&self.transform_of("twice").twice(
                        is_inverse(first),
                        &between,
                        is_inverse(second),
                    ));
                }
                Node::Directive(directive) => self.directive(directive, text),
            }
        }
    }

    fn directive(&mut self, directive: &str, text: &mut String) {
        let (word, argument) = directive.split_once(' ').unwrap_or((directive, ""));
        match word {
            "use" => {
                for name in argument.split(' ') {
                    self.join(name, text);
                }
            }
            "bind" => self.bind(argument, text),
            "fft" => text.push_str(&self.transform_of("fft").transform(is_inverse(argument))),
            "fft_functions" => text.push_str(&self.transform_of("fft_functions").functions()),
            name => {
                let body = self.defines.get(name).cloned();
                self.write(&body.unwrap_or_else(|| panic!("unknown directive //@{directive}")), text);
            }
        }
    }

    fn join(&mut self, name: &str, text: &mut String) {
        if self.used.insert(name.to_owned()) {
            let lines: Vec<&str> = (self.shared)(name).lines().collect();
            let nodes = parse(&mut lines.as_slice(), &mut BTreeMap::new());
            self.write(&nodes, text);
        }
    }

    fn bind(&mut self, argument: &str, text: &mut String) {
        let (access, declaration) = argument.split_once(' ').expect("//@bind access name: type");
        let (name, _) = declaration.split_once(':').expect("//@bind access name: type");
        if self.out.bindings.iter().any(|b| b.name == name) {
            return;
        }
        let (access, space) = match access {
            "read" => (Access::Read, "storage, read"),
            "write" => (Access::Write, "storage, read_write"),
            "uniform" => (Access::Uniform, "uniform"),
            other => panic!("unknown access {other}"),
        };
        let number = self.out.bindings.len();
        text.push_str(&format!("@group(0) @binding({number}) var<{space}> {declaration};\n"));
        self.out.bindings.push(Binding { name: name.to_owned(), access });
    }

    fn transform_of(&self, directive: &str) -> &dyn Registers {
        self.registers.unwrap_or_else(|| panic!("//@{directive} in a kernel without a transform"))
    }
}

fn is_inverse(word: &str) -> bool {
    match word {
        "forward" => false,
        "inverse" => true,
        other => panic!("a transform is forward or inverse, not {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(_: &str) -> &'static str {
        "fn shared() {}"
    }

    #[test]
    fn branches_shared_files_and_bindings_are_written_once() {
        let source = "//@use a\n//@use a\n//@if X\n//@bind read b: array<f32>\nyes\n//@else\nno\n//@end\n//@bind read b: array<f32>";
        let with = expand(source, &BTreeSet::from(["X"]), None, &shared);
        assert_eq!(
            with.text,
            "fn shared() {}\n@group(0) @binding(0) var<storage, read> b: array<f32>;\nyes\n"
        );
        assert_eq!(with.bindings, [Binding { name: "b".to_owned(), access: Access::Read }]);
        let without = expand(source, &BTreeSet::new(), None, &shared);
        assert!(without.text.contains("no\n") && !without.text.contains("yes"));
    }

    #[test]
    #[should_panic(expected = "no //@end")]
    fn an_open_block_is_found() {
        expand("//@if X\nline", &BTreeSet::new(), None, &shared);
    }
}
