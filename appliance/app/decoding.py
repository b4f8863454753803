"""Decodes images, of which large ones wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext

from appliance.device.bill import holding
from appliance.settings import Settings
from appliance.vision.image import WORK_PIXELS, Pixels, decode, probe

LARGE_PIXELS = WORK_PIXELS
"""Images of more pixels are decoded one after the other: each takes hundreds of megabytes until it has been shrunk."""


def decoder(settings: Settings) -> Callable[[bytes], tuple[Pixels, tuple[int, int]]]:
    """What makes pixels of an image, within the limits of the settings, and tells its upright width and height."""
    one_large = threading.Lock()

    def decoded(data: bytes) -> tuple[Pixels, tuple[int, int]]:
        info = probe(data)
        large = info.width * info.height > LARGE_PIXELS
        with holding(one_large) if large else nullcontext():
            pixels = decode(data, max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels)
        return pixels, info.upright

    return decoded
