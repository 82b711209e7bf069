#!/usr/bin/env bash
# Everything that must hold before a change is accepted: format, lints, documentation, tests on both engines, and the
# default experiment in a short form. Installs Mesa's software Vulkan when no Vulkan driver is found.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%d s so far)\n' "$1" "$SECONDS"; }

# The loader finds drivers by their manifests; a machine without any has no adapter for the GPU tests.
if ! ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json "${VK_DRIVER_FILES:-/nonexistent}" >/dev/null 2>&1; then
  step "install software Vulkan (no driver found)"
  if [ "$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends mesa-vulkan-drivers libvulkan1
fi

# Components are part of the toolchain on most machines; a minimal one gets them here.
cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

step "format";        cargo fmt --all --check
step "lints";         cargo clippy --workspace --all-targets --locked -- -D warnings
step "documentation"; RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items
# Examples are checked by the lints; linking them too takes a minute.
step "tests";         cargo test --locked --lib --bins --tests
step "the default experiment, shortened"
# The tests' own build: optimised like a release but for its checks, and building every crate a second time takes longer
# than all that follows.
ffm=target/debug/ffm
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$ffm" train --set data.train=400 --set data.test=200 --set train.epochs=1 --out "$out/run" --json | tail -n 1 > "$out/result.json"
grep -q '"in_silico_deployed"' "$out/result.json"
test -s "$out/run/report.html"
for tutorial in docs/tutorials/*.md; do
  step "$tutorial, as a reader would type it"
  FFM=$ffm bash scripts/tutorial.sh "$tutorial" > "$out/tutorial.log" 2>&1 || { tail -n 40 "$out/tutorial.log"; exit 1; }
done
step "all good"
