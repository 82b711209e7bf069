//! The `ffm` command.

fn main() -> std::process::ExitCode {
    ffm_twin::cli::main()
}
