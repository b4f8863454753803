"""How sharp a picture is against others of the same thing, and whether its light lets anything be read.

Sharpness is Tenengrad, the mean squared gradient by Sobel (Krotkov, "Focusing", IJCV 1, 1988), over the variance of the
brightness, so that a picture that is merely brighter does not win. Pertuz, Puig and Garcia ("Analysis of focus measure
operators for shape-from-focus", Pattern Recognition 46, 2013) compare it with 35 others; `python -m benchmarks.camera`
compares it with the variance of the Laplacian (Pech-Pacheco et al., ICPR 2000).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.vision.image import Pixels

Grey = npt.NDArray[np.uint8]
"""Brightness, shape (height, width), dtype uint8."""

MOST_PIXELS = 640 * 480
"""Pixels that are measured, at full resolution: of a larger region its middle, for a smaller picture hides blur."""
DARKEST_PAPER, BRIGHTEST_INK, LEAST_CONTRAST = 70, 215, 30
"""What the brightest tenth must reach, the darkest fiftieth must stay below, and how far the two must be apart."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a picture may be read."""

    light: str
    """`good`, `dark`, `bright` (washed out) or `flat` (no contrast)."""
    sharpness: float
    """Comparable between pictures of one thing; 0 for one without contrast."""

    @property
    def rank(self) -> tuple[bool, float]:
        """What to compare: good light first, then sharpness."""
        return self.light == "good", self.sharpness


def measure(region: Pixels) -> Quality:
    """Quality of a region at the camera's full resolution, BGR."""
    import cv2

    grey = np.asarray(cv2.cvtColor(_middle(region), cv2.COLOR_BGR2GRAY), np.uint8)
    return Quality(light(grey), tenengrad(grey))


def tenengrad(grey: Grey) -> float:
    """Mean squared Sobel gradient over the variance of the brightness."""
    import cv2

    across, down = cv2.Sobel(grey, cv2.CV_16S, 1, 0), cv2.Sobel(grey, cv2.CV_16S, 0, 1)
    variance = float(grey.std()) ** 2
    energy = cv2.norm(across, cv2.NORM_L2SQR) + cv2.norm(down, cv2.NORM_L2SQR)
    return energy / grey.size / variance if variance > 1 else 0.0


def light(grey: Grey) -> str:
    """`good`, `dark`, `bright` or `flat`; see the bounds above."""
    counts = np.cumsum(np.bincount(grey[::2, ::2].ravel(), minlength=256))
    ink, paper = (int(np.searchsorted(counts, counts[-1] * share)) for share in (0.02, 0.9))
    if paper < DARKEST_PAPER:
        return "dark"
    if ink > BRIGHTEST_INK:
        return "bright"
    return "good" if paper - ink >= LEAST_CONTRAST else "flat"


def _middle(region: Pixels) -> Pixels:
    height, width = region.shape[:2]
    shrink = (MOST_PIXELS / (height * width)) ** 0.5
    if shrink >= 1:
        return region
    high, wide = max(1, int(height * shrink)), max(1, int(width * shrink))
    top, left = (height - high) // 2, (width - wide) // 2
    return region[top : top + high, left : left + wide]
