//! The command line: the only place that prints.

mod args;
mod bench;
mod bits;
mod calibrate;
mod compare;
mod data;
mod devices;
mod eval;
mod exit;
mod export;
mod fields;
mod lab;
mod measure;
mod methods;
mod progress;
mod propagate;
mod refocus;
mod report;
mod reproduce;
mod shaders;
mod signal;
mod study;
mod train;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Runs the command that was typed.
pub fn main() -> ExitCode {
    quiet_loader();
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("FFM_LOG").unwrap_or_else(|_| "off".into()),
        )
        .init();
    let common = cli.common.clone();
    let ended = match cli.command {
        Command::Train(args) => train::train(&args, &common),
        Command::Resume(args) => train::resume(&args, &common),
        Command::Eval(args) => eval::eval(&args, &common),
        Command::Propagate(args) => propagate::propagate(&args, &common),
        Command::Calibrate(args) => calibrate::calibrate(&args, &common),
        Command::Compare(args) => compare::compare(&args, &common),
        Command::Reproduce { command } => reproduce::reproduce(&command, &common),
        Command::Methods(args) => methods::methods(&args, &common),
        Command::Devices(args) => devices::devices(&args, &common),
        Command::Bench(args) => bench::bench(&args, &common),
        Command::Bits(args) => bits::bits(&args, &common),
        Command::Data { command } => data::data(&command, &common),
        Command::Measure { command } => measure::measure(&command, &common),
        Command::Fields(args) => fields::fields(&args, &common),
        Command::Refocus(args) => refocus::refocus(&args, &common),
        Command::Report(args) => report::report(&args, &common),
        Command::Shaders(args) => shaders::shaders(&args, &common),
        Command::Export(args) => export::export(&args, &common),
        Command::Lab(args) => lab::lab(&args, &common),
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", message(&error));
            exit::code(&error)
        }
    }
}

/// Drivers that the Vulkan loader asks complain on standard error where there is no folder for a display server's socket.
fn quiet_loader() {
    const FOLDER: &str = "XDG_RUNTIME_DIR";
    if cfg!(unix) && std::env::var_os(FOLDER).is_none() {
        // SAFETY: called first of all in `main`; no other thread runs that could read the environment.
        unsafe { std::env::set_var(FOLDER, std::env::temp_dir()) };
    }
}

/// An error and its causes, without saying twice what a cause already says.
fn message(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Prints a line of result; a closed pipe is no error.
fn print(text: &str) {
    use std::io::Write;
    let _closed_pipe = writeln!(std::io::stdout(), "{text}");
}

/// Prints the one JSON object.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string(value)?);
    Ok(())
}
