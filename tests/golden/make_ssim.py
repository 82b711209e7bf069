"""Writes ssim.json: structural similarity as scikit-image computes it, for images made by a formula.

    python3 -m venv venv && venv/bin/pip install scikit-image && venv/bin/python make_ssim.py

The formula of `pair` is repeated in src/metrics/ssim.rs, so no image file is needed.
"""

import json
import pathlib

import numpy as np
from skimage.metrics import structural_similarity


def pair(rows, cols):
    """Two related images of positive values."""
    r, c = np.mgrid[0:rows, 0:cols]
    a = 2.0 + np.sin(0.31 * r + 0.017 * r * c) + 0.5 * np.cos(0.23 * c)
    b = 0.8 * a + 0.3 * np.sin(0.7 * c - 0.4 * r) + 0.1 * ((r * 7 + c * 13) % 5)
    return a, b


def case(name, rows, cols, data_range):
    """One comparison: the mean, and the map at corners, edges and inner pixels."""
    a, b = pair(rows, cols)
    if name == "intensity":  # equal energy, then the largest value of both as the range
        a, b = a / a.mean(), b / b.mean()
        data_range = max(a.max(), b.max())
    mean, full = structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=data_range, full=True
    )
    points = [(0, 0), (0, cols - 1), (rows - 1, 0), (rows - 1, cols - 1), (2, cols // 2), (rows // 2, 3),
              (rows // 2, cols // 2), (rows // 3, cols // 4)]
    return {
        "name": name,
        "rows": rows,
        "cols": cols,
        "data_range": float(data_range),
        "mean": float(mean),
        "map": [[r, c, float(full[r, c])] for r, c in points],
    }


CASES = [
    case("wide", 32, 47, 4.0),
    case("smallest", 11, 11, 4.0),
    case("narrow range", 40, 23, 1.0),
    case("intensity", 36, 29, 0.0),
]

path = pathlib.Path(__file__).with_name("ssim.json")
path.write_text(json.dumps(CASES, indent=1) + "\n")
