#!/usr/bin/env bash
# Training steps of ffm-twin and of PyTorch, alternating in one run on one machine: table of medians and ratios.
#
#   scripts/bench_vs_torch.sh [--device cpu|cuda] [--python PATH] [--rounds N] [--sizes 128,256] [--layers 4] [--batch 16]
#                             [--padding 1,2] [--threads N] [--seconds S] [--variants a,b] [--ffm-device NAME]
#                             [--out FILE]
#
# PATH is a Python with torch (default: python3). FFM_BIN_DIR is a folder with a built `ffm`; without it cargo builds one.
# The raw JSON lines go to FILE (default: bench_vs_torch.jsonl, replaced). NAME is a device
# of ffm (default: cpu, or with --device cuda the best real GPU). Nothing else should run on the machine.
set -euo pipefail
cd "$(dirname "$0")/.."

device=cpu python=python3 rounds=3 sizes=256 layers=4 batch=16 padding=1,2 seconds=3 variants='' engine='' out=bench_vs_torch.jsonl
threads=$(getconf _NPROCESSORS_ONLN)
while [ $# -gt 0 ]; do
  case $1 in
    --ffm-device) engine=${2:-}; shift $(($# > 1 ? 2 : 1)) ;;
    --device | --python | --rounds | --sizes | --layers | --batch | --padding | --threads | --seconds | --variants | --out)
      [ $# -ge 2 ] || { echo "$1 needs a value" >&2; exit 2; }
      declare "${1#--}=$2"
      shift 2
      ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "unknown option $1; see --help" >&2; exit 2 ;;
  esac
done
case $device in
  cpu) engine=${engine:-cpu} ;;
  cuda) engine=${engine:-auto} ;;
  *) echo "--device $device: cpu or cuda" >&2; exit 2 ;;
esac
"$python" -c 'import torch' || { echo "$python has no torch: pip install torch, or give --python" >&2; exit 2; }

if [ -n "${FFM_BIN_DIR:-}" ]; then
  ffm=$FFM_BIN_DIR/ffm
else
  cargo build --release --locked
  ffm=target/release/ffm
fi

# PyTorch's best case on the CPU: glibc returns the large arrays of every step to the system and asks for them again.
malloc=$(ldconfig -p | sed -n 's/.*libtcmalloc_minimal\.so\.4 .*=> //p' | head -n 1)
if [ -z "$malloc" ]; then
  echo "note: no tcmalloc, which makes PyTorch's CPU steps slower: apt-get install libtcmalloc-minimal4" >&2
fi

# Two programs on the same cores slow each other down, and PyTorch's threads, which wait for each other, most of all.
load=0
[ -r /proc/loadavg ] && read -r load _ < /proc/loadavg
if awk "BEGIN { exit !($load > 0.5) }"; then
  echo "note: load average $load: something else is running; do not quote these figures" >&2
fi

: > "$out"
for round in $(seq "$rounds"); do
  echo "== round $round of $rounds" >&2
  "$ffm" bench --work step --device "$engine" --sizes "$sizes" --layers "$layers" --batch "$batch" --padding "$padding" \
    --threads "$threads" --seconds "$seconds" --json | tail -n 1 >> "$out"
  LD_PRELOAD=$malloc TCMALLOC_RELEASE_RATE=0 "$python" benches/peers/torch_step.py --device "$device" --sizes "$sizes" \
    --layers "$layers" --batch "$batch" --padding "$padding" --threads "$threads" --seconds "$seconds" --rounds 1 \
    --variants "$variants" >> "$out"
done
"$python" benches/peers/ratios.py "$out"
echo "raw figures: $out" >&2
