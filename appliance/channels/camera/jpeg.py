"""Pictures of the camera as JPEG, in memory: for the reader, and small ones for aiming."""

from __future__ import annotations

import numpy as np

from appliance.errors import Unavailable
from appliance.vision.image import Pixels

QUALITY = 95
"""Of the JPEG that goes through the door: its losses are below those of the camera's own."""
PREVIEW_SIDE, PREVIEW_QUALITY = 640, 70


def encoded(pixels: Pixels) -> bytes:
    """A picture as JPEG, in memory."""
    return _jpeg(pixels, QUALITY)


def preview(pixels: Pixels) -> bytes:
    """A picture for aiming: small, and good enough to see what is in view."""
    import cv2

    scale = PREVIEW_SIDE / max(pixels.shape[:2])
    if scale < 1:
        size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _jpeg(pixels, PREVIEW_QUALITY)


def _jpeg(pixels: Pixels, quality: int) -> bytes:
    import cv2

    done, found = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise Unavailable(f"camera: expected a picture that can be written as JPEG, got shape {pixels.shape}")
    return bytes(found.tobytes())
