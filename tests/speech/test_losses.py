"""Lost sound is found, whoever lost it, and told once."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.speech.capture import Capture, open_input
from appliance.speech.devices import PortAudio
from appliance.speech.losses import Continuity, Losses
from tests.speech.fake_sounddevice import FakeSounddevice, device

RATE = 48_000


def gaps(*, missing: float = 0.0, late: float = 0.0, skew: float = 0.0, jitter: float = 0.02) -> list[float]:
    """What is found in 30 s of deliveries: in the middle some are missing, or come late and all at once."""
    random = np.random.default_rng(6)
    watched = Continuity(RATE)
    found = []
    for index in range(1200):
        at = 0.025 * index * (1 + skew)
        if missing and 15 <= at < 15 + missing:
            continue
        now = max(at, 15 + late) if at >= 15 else at
        found.append(watched.add(RATE // 40, 100 + now + jitter * random.random()))
    return [gap for gap in found if gap]


def test_whole_sound_has_no_gaps() -> None:
    assert gaps() == []
    assert gaps(jitter=0.2) == []
    assert gaps(skew=2e-4) == [], "the device's clock is not this one's"
    assert gaps(late=3.0) == [], "late is not lost"


@pytest.mark.parametrize("missing", [0.1, 0.5, 3.0])
def test_what_is_missing_is_found_once(missing: float) -> None:
    (gap,) = gaps(missing=missing)
    assert gap == pytest.approx(missing, abs=0.05)


@pytest.fixture
def fake() -> FakeSounddevice:
    return FakeSounddevice(device("mic"))


@pytest.fixture
def capture(fake: FakeSounddevice) -> Capture:
    return open_input(port=PortAudio(lambda: fake))


def test_what_the_device_reports(fake: FakeSounddevice, capture: Capture) -> None:
    losses = Losses(capture)
    fake.stream.say(np.zeros(480))
    assert losses.found(480, 0.0) == {}
    fake.stream.say(np.zeros(480), flags=True)
    assert losses.found(480, 0.01) == {"device": 0.0}
    assert losses.found(480, 0.02) == {}


def test_what_was_overwritten(fake: FakeSounddevice, capture: Capture) -> None:
    losses = Losses(capture)
    fake.stream.say(np.zeros(3 * RATE))
    taken = capture.ring.read(capture.ring.size, 0)
    assert len(taken) == 2 * RATE * capture.channels
    assert losses.found(2 * RATE, 0.0) == {"ring": 1.0}


def test_the_clock_does_not_tell_again_what_the_device_told(fake: FakeSounddevice) -> None:
    def told(*, reported: bool) -> list[str]:
        capture = open_input(port=PortAudio(lambda: fake))
        losses, found = Losses(capture), []
        for index in range(800):
            if 400 <= index < 420:
                continue
            if reported and index == 420:
                capture.overflows = 1
            found += losses.found(RATE // 40, index / 40)
        return found

    assert told(reported=True) == ["device"]
    assert told(reported=False) == ["gap"]
