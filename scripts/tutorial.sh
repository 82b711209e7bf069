#!/usr/bin/env bash
# Runs the commands of a tutorial in an empty folder, as a reader would: every block that begins with ```sh, in order.
# Blocks that begin with ```sh needs-data are left out, unless --data is given.
#   scripts/tutorial.sh [--data] TUTORIAL.md        (ffm must be on the path, or FFM must name it)
set -euo pipefail
blocks='^```sh$'
if [ "${1:-}" = --data ]; then blocks='^```sh( needs-data)?$'; shift; fi
tutorial=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -n "${FFM:-}" ]; then
    mkdir "$work/bin"
    ln -s "$(realpath "$FFM")" "$work/bin/ffm"
    PATH="$work/bin:$PATH"
fi
mkdir "$work/empty"
cd "$work/empty"
awk -v open="$blocks" '$0 ~ open { on = 1; next } /^```/ { on = 0 } on' "$tutorial" > ../commands.sh
[ -s ../commands.sh ] || { echo "error: $1 has no commands" >&2; exit 1; }
bash -euxo pipefail ../commands.sh
