//! The `ffm` command.

fn main() {}
