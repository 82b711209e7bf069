#!/usr/bin/env bash
# Everything that is to be known about a machine with a graphics card, in one folder: versions, devices, GPU tests, rates, passes,
# ratios to PyTorch, an epoch of 60 000 images. A step that fails is noted, and the next one runs.
#
#   scripts/gpu_report.sh [--out DIR] [--device NAME] [--python PATH] [--limit SECONDS] [--small]
#   scripts/gpu_report.sh --pack DIR
#
# --pack builds `ffm` and the GPU tests and puts them into DIR. With FFM_BIN_DIR=DIR the report needs no Rust; without it cargo
# builds them first. PATH is a Python with torch (default: python3), DEVICE as in `ffm devices` (default: auto). LIMIT ends a step
# that takes longer (default: 3600). FFM_DATA is a folder with Fashion-MNIST; without it images are made up. --small is a rehearsal.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# Builds ffm and the GPU tests, the latter with debug assertions, as scripts/test.sh runs them.
pack() {
  mkdir -p "$1" || return
  cargo build --release --locked && cp target/release/ffm "$1/" || return
  cargo test --locked --no-run --lib --test engines 2>&1 | tee /dev/stderr | sed -n 's/^ *Executable .*(\(.*\))$/\1/p' |
    while read -r path; do
      name=$(basename "$path")
      cp "$path" "$1/test-${name%-*}"
    done
}

out=gpu_report device=auto python=python3 limit=3600 small=
while [ $# -gt 0 ]; do
  case $1 in
    --small) small=yes; shift ;;
    --pack) [ $# -ge 2 ] || { echo "--pack needs a folder" >&2; exit 2; }; pack "$2"; exit ;;
    --out | --device | --python | --limit)
      [ $# -ge 2 ] || { echo "$1 needs a value" >&2; exit 2; }
      declare "${1#--}=$2"
      shift 2
      ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "unknown option $1; see --help" >&2; exit 2 ;;
  esac
done
mkdir -p "$out" || exit 5
out=$(cd "$out" && pwd)
steps=$out/steps.md
printf '| step | result | seconds | log |\n|---|---|---:|---|\n' > "$steps"

# step NAME COMMAND..: runs it with a limit; standard output goes to NAME.txt, the rest to NAME.log.
step() {
  local name=$1 begin=$SECONDS code result
  shift
  printf '== %s\n' "$name"
  timeout -k 10 "$limit" "$@" > "$out/$name.txt" 2> "$out/$name.log"
  code=$?
  case $code in
    0) result=done ;;
    124 | 137) result="ended after $limit s" ;;
    *) result="failed, code $code: $(grep -v '^ *$' "$out/$name.log" | tail -n 1 | cut -c 1-200 | tr '|' '/')" ;;
  esac
  printf '| %s | %s | %s | %s.txt, %s.log |\n' "$name" "$result" $((SECONDS - begin)) "$name" "$name" >> "$steps"
  printf '   %s\n' "$result"
  return $code
}

versions() {
  date -u '+%Y-%m-%d %H:%M UTC'
  uname -srm
  "$bin/ffm" --version
  git log -1 --format='commit %h' 2>/dev/null
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit --format=csv 2>/dev/null ||
    echo "no nvidia-smi"
  "$python" -c 'import sys, torch; print("Python", sys.version.split()[0], "torch", torch.__version__, "CUDA", torch.version.cuda)' ||
    echo "$python has no torch"
  getconf _NPROCESSORS_ONLN | sed 's/$/ processors/'
  cat /proc/loadavg 2>/dev/null | sed 's/^/load /'
}

# Fails where the driver shows no graphics card to ffm: then `auto` is the processor, and all that follows is about that.
card() {
  "$bin/ffm" devices --no-measure | grep -E '\[(Discrete|Integrated|Virtual)Gpu' ||
    { echo "no graphics card with a Vulkan driver; software and the processor are measured instead" >&2; return 4; }
}

# Runs every packed test; the library's are those of its GPU engine.
tests() {
  local failed=0 test
  for test in "$bin"/test-{engines,ffm_twin}; do
    echo "-- $(basename "$test")"
    [ -x "$test" ] || { echo "not there"; failed=1; continue; }
    case $test in
      */test-ffm_twin) "$test" gpu:: ;;
      *) "$test" ;;
    esac || failed=1
  done
  return $failed
}

# 60 000 + 10 000 IDX images of 28 x 28: a bright square whose place is the class, moved about, in noise.
synthetic() {
  "$python" - "$1" "$2" "$3" <<'PY'
import os, random, struct, sys

folder, counts = sys.argv[1], {"train": int(sys.argv[2]), "t10k": int(sys.argv[3])}
os.makedirs(folder, exist_ok=True)
draw = random.Random(1)
for split, count in counts.items():
    images, labels = bytearray(struct.pack(">4I", 0x803, count, 28, 28)), bytearray(struct.pack(">2I", 0x801, count))
    for k in range(count):
        label = k % 10
        image = bytearray(v >> 3 for v in draw.randbytes(784))
        top, left = 2 + 6 * (label // 3) + draw.randint(-2, 1), 3 + 8 * (label % 3) + draw.randint(-2, 2)
        for row in range(max(top, 0), min(top + 7, 28)):
            image[row * 28 + left : row * 28 + left + 7] = bytes([255]) * 7
        images += image
        labels.append(label)
    for kind, content in (("images-idx3", images), ("labels-idx1", labels)):
        with open(os.path.join(folder, f"{split}-{kind}-ubyte"), "wb") as file:
            file.write(content)
PY
}

bin=${FFM_BIN_DIR:-}
if [ -z "$bin" ]; then
  bin=$out/bin
  step build pack "$bin"
fi
bin=$(cd "$bin" && pwd) || { echo "no folder ${FFM_BIN_DIR:-}" >&2; exit 2; }
export FFM_BIN_DIR=$bin

sizes=256,400,512 batch=32,128 layers=8 seconds=2 rounds=3 images=60000 tested=10000 pixels=400 pitch='8 um' peer=cuda
if [ -n "$small" ]; then
  sizes=64 batch=4 layers=2 seconds=0.2 rounds=1 images=200 tested=50 pixels=64 pitch='50 um' peer=cpu
fi
bench=(--device "$device" --sizes "$sizes" --padding 1,2 --layers "$layers" --batch "$batch")

# Functions run in this shell's children: timeout needs a program.
export bin python out
export -f versions card tests synthetic pack
call() { local name=$1; shift; step "$name" bash -c '"$@"' bash "$@"; }

call versions versions
step devices "$bin/ffm" devices
call card card
call tests tests
step bench "$bin/ffm" bench "${bench[@]}" --noise --seconds "$seconds" --html "$out/bench.html" --json
step profile "$bin/ffm" bench "${bench[@]}" --work step --seconds 0 --profile --json
step torch scripts/bench_vs_torch.sh --device "$peer" --ffm-device "$device" --python "$python" --rounds "$rounds" --sizes "$sizes" \
  --layers "$layers" --batch "$batch" --seconds "$seconds" --out "$out/torch.jsonl"

data=fashion-mnist
if [ -n "$small" ] || ! "$bin/ffm" data info fashion-mnist > "$out/data.txt" 2>&1; then
  data=$out/synthetic
  if ! call data synthetic "$data" "$images" "$tested"; then
    # Without Python: the strokes that ffm draws itself, of which there are fewer.
    data=strokes
    [ -n "$small" ] || { images=8000 tested=2000; }
  fi
fi
rm -rf "$out/run"
step epoch "$bin/ffm" train --data "$data" --device "$device" --set "optics.pixels=$pixels" --set "optics.pitch=\"$pitch\"" \
  --set "optics.layers=$layers" --set train.epochs=1 --set "train.batch=${batch%%,*}" --set "data.train=$images" \
  --set "data.test=$tested" --out "$out/run" --json

# Figures for programs stand alone; what people read does not hold them.
for name in bench profile epoch; do
  grep '^{' "$out/$name.txt" | tail -n 1 > "$out/$name.json"
  grep -v '^{' "$out/$name.txt" > "$out/$name.tmp" && mv "$out/$name.tmp" "$out/$name.txt"
done
block() { printf '\n## %s\n\n```\n' "$1"; cat "$out/$2.txt" 2>/dev/null; printf '```\n'; }
{
  printf '# GPU report\n\n'
  cat "$steps"
  block Versions versions
  block Devices devices
  block Rates bench
  block 'Passes of a training step' profile
  printf '\n## PyTorch\n'
  cat "$out/torch.txt" 2>/dev/null
  block "One epoch of $images images ($(basename "$data")), $layers layers of $pixels x $pixels, ideal and by FFM with noise" epoch
  printf '\n## Tests\n\n```\n'
  grep -E '^(-- |test result|test .*FAILED|not there)' "$out/tests.txt"
  printf '```\n'
} > "$out/summary.md"
rm -f "$steps"
echo "report: $out/summary.md"
