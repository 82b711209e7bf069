#!/usr/bin/env python3
"""Puts figures of `ffm bench --json` and `torch_step.py` side by side: `ratios.py FILE..` prints a Markdown table.

Files hold JSON lines of both programs, several rounds of each. A figure is the median of the rounds' medians, with the
fastest and the slowest repeat of all rounds. Ratios are of medians, and in brackets of fastest repeats: where the two are
far apart, something else was running, and neither should be quoted. Figures of different runs do not go together.
"""

import json
import statistics
import sys


def steps(lines):
    """(device, pixels, padding, layers, batch, implementation, median, min, max, reason) of every training step."""
    for line in lines:
        found = json.loads(line)
        if "cases" not in found:
            times = [found.get(key) for key in ("median_ms", "min_ms", "max_ms")]
            size = [found[key] for key in ("pixels", "padding", "layers", "batch")]
            yield (found["device_name"], *size, found["impl"], *times, found.get("skipped"))
            continue
        for case in found["cases"]:
            if case["work"] != "step":
                continue
            device = found["devices"][case["device"]]
            times = [(case["timing"] or {}).get(key) for key in ("median_ms", "min_ms", "max_ms")]
            size = [case[key] for key in ("pixels", "padding", "layers", "batch")]
            yield (device["name"], *size, f"ffm-{device['engine']}", *times, case["failed"])


class Figures:
    """What several rounds say of one implementation."""

    def __init__(self):
        self.medians, self.low, self.high, self.reason = [], [], [], None

    def add(self, median, low, high, reason):
        if median is None:
            self.reason = reason or "not measured"
            return
        self.medians.append(median)
        self.low.append(low)
        self.high.append(high)

    @property
    def median(self):
        return statistics.median(self.medians) if self.medians else None


def gather(lines):
    """Size -> implementation -> figures, in the order of the files."""
    table = {}
    for device, pixels, padding, layers, batch, name, median, low, high, reason in steps(lines):
        row = table.setdefault((pixels, padding, layers, batch), {})
        row.setdefault((name, device), Figures()).add(median, low, high, reason)
    return table


def ratio(figures, ours):
    """Of medians, and of the fastest repeats."""
    return f"{figures.median / ours.median:.2f} ({min(figures.low) / min(ours.low):.2f})" if ours.median else "–"


def fastest(row, wanted):
    """Name and figures of the fastest implementation that `wanted` names."""
    measured = [(name, figures) for (name, _), figures in row.items() if figures.median and wanted(name)]
    return min(measured, key=lambda pair: pair[1].median, default=(None, None))


def is_torch(name):
    return name.startswith("torch-")


def report(table):
    for (pixels, padding, layers, batch), row in table.items():
        ours = {key: f for key, f in row.items() if not is_torch(key[0])}
        heads = ["implementation", "device", "ms per step", "min to max"] + [f"to {name}" for name, _ in ours]
        yield f"\n### {pixels} x {pixels}, padding {padding}, {layers} layers, batch {batch}\n"
        yield f"| {' | '.join(heads)} |"
        yield f"|{'---|' * 2}{'---:|' * (len(heads) - 2)}"
        for (name, device), f in row.items():
            if f.median is None:
                yield f"| {name} | {device} | – | {f.reason.replace('|', '/')} |{' – |' * len(ours)}"
                continue
            ratios = [ratio(f, mine) for mine in ours.values()]
            cells = [name, device, f"{f.median:.3f}", f"{min(f.low):.3f} to {max(f.high):.3f}", *ratios]
            yield f"| {' | '.join(cells)} |"
        yield ""
        full = fastest(row, lambda name: is_torch(name) and "micro" not in name)
        micro = fastest(row, lambda name: is_torch(name) and "micro" in name)
        for what, (name, figures) in (("full-batch", full), ("micro-batch", micro)):
            if name is None:
                continue
            ratios = [f", {ratio(figures, mine)} x the time of {key[0]}" for key, mine in ours.items() if mine.median]
            yield f"Fastest PyTorch {what} variant: {name}, {figures.median:.3f} ms{''.join(ratios)}."


def main():
    lines = []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            lines += [line for line in file if line.strip().startswith("{")]
    if not lines:
        print("no figures in " + (", ".join(sys.argv[1:]) or "no file"), file=sys.stderr)
        return 1
    print("\n".join(report(gather(lines))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
