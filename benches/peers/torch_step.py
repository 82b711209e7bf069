#!/usr/bin/env python3
"""Times one training step of a diffractive network in PyTorch, written as its users may write it, and better.

The work is that of `ffm bench --work step`: an input field in the middle half of N x N pixels, L phase layers and L + 1
angular-spectrum hops (one in front of the first layer), ten square detector windows in rows of 3, 4, 3, normalised
energies, softmax cross-entropy, gradients of all phases, Adam. All arrays are complex64 or float32.

Every variant must give the loss and the gradients of the first one (relative 1e-4) before anything is timed. The
variants take turns in rounds. One JSON line a variant and size goes to standard output, everything else to standard
error. See README.md beside this file.
"""

import argparse
import dataclasses
import json
import math
import os
import platform
import statistics
import sys
import time

TOLERANCE = 1e-4  # relative, complex64 through a dozen transforms is good to some 1e-6
REPEAT_SECONDS = 0.02  # a repeat is as many steps as that takes, as in `ffm bench`
MOST_STEPS = 256
LEAST_REPEATS = 2  # a round and variant
WARM_UP = 2


def numbers(text):
    return [int(word) for word in text.split(",") if word]


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    p.add_argument("--sizes", type=numbers, default=[256], help="pixels along a side, comma list")
    p.add_argument("--layers", type=numbers, default=[4])
    p.add_argument("--batch", type=numbers, default=[16])
    p.add_argument("--padding", type=numbers, default=[1, 2], help="1 is periodic")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="of PyTorch on the CPU")
    p.add_argument("--variants", default="", help="comma list of names; default: all (--list prints them)")
    p.add_argument("--seconds", type=float, default=1.0, help="timed work a variant and size, over all rounds")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--list", action="store_true", help="print the names of the variants and stop")
    return p.parse_args()


@dataclasses.dataclass(frozen=True)
class Size:
    """What a step is made of."""

    pixels: int
    layers: int
    padding: int
    batch: int

    @property
    def padded(self):
        return self.pixels * self.padding


class Problem:
    """Arrays that all variants share: transfer function, input fields, labels, detector windows, first phases."""

    wavelength, pitch, distance = 532e-9, 8e-6, 0.02
    classes, sharpness = 10, 20.0

    def __init__(self, size, device):
        self.size, self.device = size, device
        random = torch.Generator().manual_seed(1)
        n, quarter = size.pixels, size.pixels // 4
        amplitude = torch.zeros(size.batch, n, n)
        inside = torch.rand(size.batch, n - 2 * quarter, n - 2 * quarter, generator=random)
        amplitude[:, quarter : n - quarter, quarter : n - quarter] = inside
        self.fields = amplitude.to(torch.complex64).to(device)
        self.labels = torch.randint(self.classes, (size.batch,), generator=random).to(device)
        self.phases = [2 * math.pi * torch.rand(n, n, generator=random) for _ in range(size.layers)]
        self.transfer = self.angular_spectrum(size.padded).to(torch.complex64).to(device)
        self.windows = self.detector_windows(n).to(device)
        self.unit = torch.ones((), device=device).expand(n, n)

    def angular_spectrum(self, m):
        f = torch.fft.fftfreq(m, self.pitch, dtype=torch.float64)
        squared = (self.wavelength * f[:, None]) ** 2 + (self.wavelength * f[None, :]) ** 2
        phase = -2 * math.pi * self.distance / self.wavelength * squared / (1 + torch.sqrt(1 - squared))
        return torch.polar(torch.ones_like(phase), phase)

    def detector_windows(self, n):
        """One column a class: 1 on the pixels of its window."""
        columns = torch.zeros(self.classes, n, n)
        side, k = max(n // 10, 1), 0
        for row, count in enumerate((3, 4, 3)):
            for place in range(count):
                top, left = (row + 1) * n // 4 - side // 2, (place + 1) * n // (count + 1) - side // 2
                columns[k, top : top + side, left : left + side] = 1
                k += 1
        return columns.reshape(self.classes, n * n).T.contiguous()

    def parameters(self):
        return [p.clone().to(self.device).requires_grad_() for p in self.phases]

    def mask(self, phase):
        return torch.polar(self.unit, phase)

    # Free-space hops: zero padding, transform, transfer function, inverse transform, crop.

    def hop(self, field):
        n, m = self.size.pixels, self.size.padded
        return torch.fft.ifft2(torch.fft.fft2(field, s=(m, m)) * self.transfer)[..., :n, :n]

    def hop_in_place(self, field):
        n, m = self.size.pixels, self.size.padded
        spectrum = torch.fft.fft2(field, s=(m, m))
        return torch.fft.ifft2(spectrum.mul_(self.transfer))[..., :n, :n]

    def hop_pruned(self, field):
        """Line by line: neither rows without light are transformed nor rows that the crop throws away."""
        n, m = self.size.pixels, self.size.padded
        rows = torch.fft.fft(field, n=m, dim=-1)
        spectrum = torch.fft.fft(rows, n=m, dim=-2).mul_(self.transfer)
        rows = torch.fft.ifft(spectrum, dim=-2)[..., :n, :]
        return torch.fft.ifft(rows, dim=-1)[..., :n]


class Autograd:
    """The step as a user writes it: a forward function, `backward()`, `torch.optim.Adam`."""

    def __init__(self, problem, hop, compiled=False):
        self.problem, self.hop = problem, hop
        self.parameters = problem.parameters()
        self.optimiser = torch.optim.Adam(self.parameters, lr=1e-2, fused=True)
        self.forward = torch.compile(self.loss) if compiled else self.loss

    def loss(self, parameters, fields, labels):
        u = fields
        for phase in parameters:
            u = self.hop(u) * self.problem.mask(phase)
        u = self.hop(u)
        energies = (u.real**2 + u.imag**2).flatten(1) @ self.problem.windows
        scores = energies / energies.sum(1, keepdim=True)
        return torch.nn.functional.cross_entropy(self.problem.sharpness * scores, labels)

    def gradients(self):
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.forward(self.parameters, self.problem.fields, self.problem.labels)
        loss.backward()
        return loss

    def step(self):
        self.gradients()
        self.optimiser.step()


class Adjoint:
    """The step without a graph. With e = dL/du (Wirtinger, without conjugates) the error of a hop is the hop of the
    error, because the transfer function is even, and the gradient of a phase is -2 Im(e v) summed over the batch,
    v being the field behind its mask. `micro` samples run at once; fields of more than that are never kept."""

    def __init__(self, problem, hop, micro=None):
        self.problem, self.hop = problem, hop
        self.micro = micro or problem.size.batch
        self.parameters = problem.parameters()
        self.optimiser = torch.optim.Adam(self.parameters, lr=1e-2, fused=True)

    def masked(self, field, mask):
        # The crop of a padded hop is a view of a larger array: a product of its own lets that array go.
        return field.mul_(mask) if self.problem.size.padding == 1 else field * mask

    def error_source(self, u, labels):
        """Summed loss of some samples, and dL/du at the detectors with L the mean over the batch."""
        problem = self.problem
        energies = (u.real.square() + u.imag.square()).flatten(1) @ problem.windows
        total = energies.sum(1, keepdim=True)
        scores = energies / total
        logarithms = torch.log_softmax(problem.sharpness * scores, 1)
        by_score = logarithms.exp()
        by_score.scatter_add_(1, labels[:, None], torch.full_like(by_score[:, :1], -1.0))
        by_score *= problem.sharpness / problem.size.batch
        by_energy = (by_score - (by_score * scores).sum(1, keepdim=True)) / total
        by_intensity = (by_energy @ problem.windows.T).reshape(u.shape)
        return -logarithms.gather(1, labels[:, None]).sum(), u.conj() * by_intensity

    def gradients(self):
        with torch.no_grad():
            problem = self.problem
            masks = [problem.mask(phase) for phase in self.parameters]
            loss, sums = 0.0, [None] * len(masks)
            for first in range(0, problem.size.batch, self.micro):
                part = slice(first, first + self.micro)
                behind = []
                u = problem.fields[part]
                for mask in masks:
                    u = self.masked(self.hop(u), mask)
                    behind.append(u)
                share, error = self.error_source(self.hop(u), problem.labels[part])
                loss = loss + share
                for l in reversed(range(len(masks))):
                    error = self.hop(error)
                    gradient = behind.pop().mul_(error).imag.sum(0)
                    sums[l] = gradient if sums[l] is None else sums[l].add_(gradient)
                    if l > 0:
                        error = self.masked(error, masks[l])
            for parameter, gradient in zip(self.parameters, sums):
                parameter.grad = gradient.mul_(-2.0)
            return loss / problem.size.batch

    def step(self):
        self.gradients()
        self.optimiser.step()


MICRO = (1, 2, 4)


def variants(size=None):
    """Name -> how to build it, for a size (all names without one)."""
    every = {
        "eager": lambda p: Autograd(p, p.hop),
        "inplace": lambda p: Autograd(p, p.hop_in_place),
        "adjoint": lambda p: Adjoint(p, p.hop_in_place),
        "adjoint-pruned": lambda p: Adjoint(p, p.hop_pruned),
    }
    for micro in MICRO:
        every[f"adjoint-micro{micro}"] = lambda p, micro=micro: Adjoint(p, p.hop_in_place, micro)
    for micro in MICRO:
        every[f"adjoint-pruned-micro{micro}"] = lambda p, micro=micro: Adjoint(p, p.hop_pruned, micro)
    every["compile"] = lambda p: Autograd(p, p.hop, compiled=True)
    if size is None:
        return every
    # Nothing is pruned without padding, and a micro-batch is smaller than the batch.
    def applies(name):
        micro = int(name.split("micro")[1]) if "micro" in name else 0
        return (size.padding > 1 or "pruned" not in name) and micro < size.batch

    return {name: build for name, build in every.items() if applies(name)}


class Clock:
    """Times steps: CUDA events, or the monotonic clock."""

    def __init__(self, device):
        self.cuda = device == "cuda"

    def seconds(self, step, steps):
        if self.cuda:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            for _ in range(steps):
                step()
            end.record()
            torch.cuda.synchronize()
            return begin.elapsed_time(end) / 1e3 / steps
        begin = time.perf_counter()
        for _ in range(steps):
            step()
        return (time.perf_counter() - begin) / steps

    def visit(self, step, budget):
        for _ in range(WARM_UP):
            warm = self.seconds(step, 1)
        steps = min(max(math.ceil(REPEAT_SECONDS / warm), 1), MOST_STEPS)
        times, begin = [], time.perf_counter()
        while len(times) < LEAST_REPEATS or time.perf_counter() - begin < budget:
            times.append(self.seconds(step, steps))
        return times


def difference(reference, other):
    """Relative difference of loss and of all gradients."""
    (loss, gradients), (other_loss, other_gradients) = reference, other
    top = sum((a - b).double().square().sum().item() for a, b in zip(other_gradients, gradients))
    bottom = sum(a.double().square().sum().item() for a in gradients)
    return max(abs(other_loss - loss) / abs(loss), math.sqrt(top / bottom))


def reason(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]


def note(text):
    print(text, file=sys.stderr, flush=True)


class Course:
    """A variant of a size: built, checked, timed."""

    def __init__(self, name, build, problem):
        self.name, self.times, self.peak, self.skipped, self.way = name, [], None, None, None
        self.attempt(lambda: setattr(self, "way", build(problem)))

    def attempt(self, work):
        """Runs something that may fail for want of a compiler or of memory; then the variant is out, with the reason."""
        if self.skipped:
            return None
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - compilers and allocators raise what they like
            self.skipped, self.way = reason(error), None
            return None

    def result(self):
        loss = self.way.gradients().item()
        return loss, [p.grad.detach().clone() for p in self.way.parameters]

    def time(self, clock, budget):
        if clock.cuda:
            torch.cuda.reset_peak_memory_stats()
        self.times += self.attempt(lambda: clock.visit(self.way.step, budget)) or []
        if clock.cuda:
            self.peak = max(self.peak or 0, torch.cuda.max_memory_allocated())


def run(size, names, options, about):
    """Checks and times the variants of a size; whether all of them agreed."""
    problem = Problem(size, options.device)
    clock = Clock(options.device)
    builders = variants(size)
    courses = [Course(name, builders[name], problem) for name in names if name in builders]
    reference, agree = None, True
    for course in courses:
        found = course.attempt(course.result)
        if found is None:
            continue
        if reference is None:
            reference = found
        apart = difference(reference, found)
        note(f"{course.name}: loss {found[0]:.6f}, relative difference {apart:.1e}")
        if not apart < TOLERANCE:
            course.skipped = f"wrong: loss or gradients differ from those of {courses[0].name} by {apart:.1e}"
            agree = False
    del reference
    for number in range(options.rounds):
        note(f"{dataclasses.asdict(size)}: round {number + 1} of {options.rounds}")
        for course in courses:
            course.time(clock, options.seconds / options.rounds)
    for course in courses:
        line = {"impl": f"torch-{course.name}", **about, **dataclasses.asdict(size)}
        if course.times and not course.skipped:
            median = statistics.median(course.times)
            line |= {
                "median_ms": 1e3 * median,
                "min_ms": 1e3 * min(course.times),
                "max_ms": 1e3 * max(course.times),
                "repeats": len(course.times),
                "samples_per_second": size.batch / median,
                "peak_mib": course.peak and course.peak / 2**20,
            }
        else:
            line["skipped"] = course.skipped
        print(json.dumps(line), flush=True)
    return agree


def device_name(device):
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def allocator():
    """The host allocator: PyTorch on the CPU is much faster with tcmalloc than with glibc's."""
    try:
        with open("/proc/self/maps", encoding="utf-8") as maps:
            return "tcmalloc" if "tcmalloc" in maps.read() else "default"
    except OSError:
        return "unknown"


def main():
    if OPTIONS.list:
        print("\n".join(variants()))
        return 0
    names = [name for name in OPTIONS.variants.split(",") if name] or list(variants())
    unknown = [name for name in names if name not in variants()]
    if unknown:
        note(f"no variant {', '.join(unknown)}; there are: {', '.join(variants())}")
        return 2
    if OPTIONS.device == "cuda" and not torch.cuda.is_available():
        note("no CUDA device: PyTorch sees none")
        return 4
    torch.set_num_threads(OPTIONS.threads)
    about = {
        "device": OPTIONS.device,
        "device_name": device_name(OPTIONS.device),
        "torch": torch.__version__,
        "threads": OPTIONS.threads,
        "allocator": allocator(),
    }
    note(json.dumps(about))
    agree = True
    for pixels in OPTIONS.sizes:
        for padding in OPTIONS.padding:
            for layers in OPTIONS.layers:
                for batch in OPTIONS.batch:
                    agree &= run(Size(pixels, layers, padding, batch), names, OPTIONS, about)
                    if OPTIONS.device == "cuda":
                        torch.cuda.empty_cache()
    return 0 if agree else 1


if __name__ == "__main__":
    OPTIONS = arguments()
    # Read when the libraries are loaded.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, str(OPTIONS.threads))
    import torch

    sys.exit(main())
