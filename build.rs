//! Tells the program from which commit it was built. Never fails: a source archive has no repository.

use std::path::Path;
use std::process::Command;

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Packagers name the commit of a source archive; a fixed name also spares a build after every commit.
    println!("cargo:rerun-if-env-changed=FFM_COMMIT");
    if let Some(given) = std::env::var("FFM_COMMIT").ok().filter(|name| !name.trim().is_empty()) {
        println!("cargo:rustc-env=FFM_COMMIT={}", given.trim());
        return;
    }
    // The commit changes with HEAD and with the branch it names; both lie elsewhere in a linked worktree.
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    for name in std::iter::once("HEAD").chain(branch.as_deref()) {
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|p| Path::new(p).exists()) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    println!("cargo:rustc-env=FFM_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
}
