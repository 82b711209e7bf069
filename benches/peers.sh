#!/usr/bin/env bash
# Training steps of the CPU engine and of a PyTorch peer script, alternating in one run on one machine.
#
#   benches/peers.sh PYTHON PEER.py [rounds]
#
# PYTHON has torch (and torchoptics); PEER.py prints one table row per case with the median in milliseconds in its seventh column.
set -euo pipefail
python=$1 peer=$2 rounds=${3:-3}
cd "$(dirname "$0")/.."
cargo bench --bench step --no-run 2>/dev/null
step=$(ls -t target/release/deps/step-* | grep -v '\.d$' | head -n 1)
malloc=/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4
for round in $(seq "$rounds"); do
  for pad in 2 1; do
    "$step" --n 256 --layers 4 --pad "$pad" --batch 16 --threads 2 --seconds 3
    LD_PRELOAD=$malloc TCMALLOC_RELEASE_RATE=0 "$python" "$peer" --sections train --ns-train 256 --layers 4 --threads 2 \
      --batch 16 --pads "$pad" --only torch-inplace,torch-manual,torch-eager --skip torchoptics --patience 5 | grep '^| train'
  done
done
