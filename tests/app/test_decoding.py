"""Large images are decoded one after the other, small ones beside each other."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from appliance.app import decoding
from appliance.errors import InvalidInput
from appliance.settings import Settings
from appliance.vision.container import ImageInfo


@pytest.mark.parametrize("side, at_once", [(6000, 1), (1000, 4)])
def test_large_images_are_decoded_one_after_the_other(monkeypatch, side, at_once):
    """Small ones are not kept waiting: four of them meet inside the decoder."""
    inside, most, lock = 0, 0, threading.Lock()
    meeting = threading.Barrier(at_once)

    def decode(data: bytes, **_: object) -> object:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        meeting.wait(10)
        if at_once == 1:
            time.sleep(0.02)  # time for another to come in, if it could
        with lock:
            inside -= 1
        return np.zeros((2, 2, 3), np.uint8)

    monkeypatch.setattr(decoding, "probe", lambda data: ImageInfo("PNG", side, side, 1))
    monkeypatch.setattr(decoding, "decode", decode)
    decoded = decoding.decoder(Settings())
    threads = [threading.Thread(target=decoded, args=(b"",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == at_once


def test_broken_image_leaves_the_decoder_free(monkeypatch):
    def decode(data: bytes, **_: object) -> object:
        raise InvalidInput("image: expected a complete PNG, got a truncated one")

    monkeypatch.setattr(decoding, "probe", lambda data: ImageInfo("PNG", 6000, 6000, 1))
    monkeypatch.setattr(decoding, "decode", decode)
    decoded = decoding.decoder(Settings())
    for _ in range(2):
        with pytest.raises(InvalidInput):
            decoded(b"")
