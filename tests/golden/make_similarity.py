"""Writes similarity.json: figures of pairs of images and fields as scikit-image, numpy and scipy compute them.

    python3 -m venv venv && venv/bin/pip install scikit-image && venv/bin/python make_similarity.py

The formulas of `image` and `field` are repeated in src/metrics/golden.rs, so no image file is needed.
"""

import json
import pathlib

import numpy as np
from scipy.stats import pearsonr
from skimage.metrics import normalized_root_mse, peak_signal_noise_ratio, structural_similarity
from skimage.registration import phase_cross_correlation

WINDOW = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
FRAME = slice(5, -5)


def image(rows, cols, dy, dx):
    """Bright spots on a dim ground, displaced by (dy, dx) pixels, and a pattern that is not."""
    r, c = np.mgrid[0:rows, 0:cols].astype(float)
    spot = lambda y, x, w, a: a * np.exp(-((r - dy - y * rows) ** 2 + (c - dx - x * cols) ** 2) / (2 * w * w))
    fixed = 0.02 * np.sin(0.9 * r + 0.35 * c)
    return 0.3 + spot(0.3, 0.4, 4.0, 2.0) + spot(0.65, 0.55, 2.5, 1.3) + spot(0.5, 0.25, 6.0, 0.7) + fixed


def field(rows, cols, second):
    """A beam with a curved and tilted wavefront; the second one is weaker, displaced and turned in phase."""
    r, c = np.mgrid[0:rows, 0:cols].astype(float)
    y, x = (r - 0.5 * rows + 0.8 * second) / rows, (c - 0.45 * cols) / cols
    amplitude = (1.0 - 0.4 * second) * np.exp(-9.0 * (y * y + x * x)) * (1.2 + np.cos(25.0 * x))
    phase = 30.0 * (x * x + 0.7 * y * y) + 11.0 * x + second * (2.1 + 0.6 * np.sin(14.0 * y))
    return amplitude * np.exp(1j * phase)


def frame_case(rows, cols, dy, dx, gain):
    """Figures of two images of unequal scale: both are divided by their means."""
    raw_a, raw_b = image(rows, cols, 0.0, 0.0), gain * image(rows, cols, dy, dx)
    a, b = raw_a / raw_a.mean(), raw_b / raw_b.mean()
    span = max(a.max(), b.max())
    shift, _, _ = phase_cross_correlation(a, b, upsample_factor=100, normalization=None)
    return {
        "rows": rows, "cols": cols, "dy": dy, "dx": dx, "gain": gain,
        "ssim": float(structural_similarity(a, b, data_range=span, **WINDOW)),
        "psnr": float(peak_signal_noise_ratio(a, b, data_range=span)),
        "nrmse": float(normalized_root_mse(a, b, normalization="euclidean")),
        "correlation": float(pearsonr(a.ravel(), b.ravel())[0]),
        "shift": [float(-v) for v in shift],
        "energy_ratio": float(raw_b.sum() / raw_a.sum()),
    }


def field_case(rows, cols):
    """Overlap by numpy, amplitudes of unit rms, cosines and sines of the phases, weighted by both amplitudes."""
    a, b = field(rows, cols, 0.0), field(rows, cols, 1.0)
    inner = np.vdot(a, b)
    overlap = abs(inner) ** 2 / (np.vdot(a, a).real * np.vdot(b, b).real)
    b = b * np.exp(-1j * np.angle(inner))
    rms = lambda v: np.abs(v) / np.sqrt(np.mean(np.abs(v) ** 2))
    span = max(rms(a).max(), rms(b).max())
    amplitude = structural_similarity(rms(a), rms(b), data_range=span, **WINDOW)
    maps = [
        structural_similarity(of(np.angle(a)), of(np.angle(b)), data_range=2.0, full=True, **WINDOW)[1]
        for of in (np.cos, np.sin)
    ]
    weight = (np.abs(a) * np.abs(b))[FRAME, FRAME]
    phase = np.sum(weight * ((maps[0] + maps[1]) / 2)[FRAME, FRAME]) / np.sum(weight)
    return {
        "rows": rows, "cols": cols,
        "overlap": float(overlap), "global_phase": float(np.angle(inner)),
        "amplitude": float(amplitude), "phase": float(phase),
    }


CASES = {
    "frames": [
        frame_case(48, 64, 0.01, 0.02, 1.0),
        frame_case(48, 64, 1.37, -2.62, 0.7),
        frame_case(61, 45, -3.2, 0.25, 12.0),
        frame_case(40, 40, 0.08, 4.5, 1.3),
    ],
    "fields": [field_case(50, 40), field_case(33, 72)],
}

path = pathlib.Path(__file__).with_name("similarity.json")
path.write_text(json.dumps(CASES, indent=1) + "\n")
