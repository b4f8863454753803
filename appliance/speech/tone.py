"""A tone to try a loudspeaker with."""

from __future__ import annotations

import numpy as np

from appliance.values import Audio

HZ = 660.0
"""Every loudspeaker of a kiosk plays it, however small."""
SECONDS = 1.0
LEVEL = 0.5
"""Amplitude, -6 dB of full scale; the volume of the settings comes on top."""
RATE = 48_000
_RAMP_S = 0.02


def tone(seconds: float = SECONDS, hz: float = HZ) -> Audio:
    """A sine that begins and ends without a click."""
    at = np.arange(round(seconds * RATE)) / RATE
    ramp = np.clip(np.minimum(at, at[::-1]) / _RAMP_S, 0.0, 1.0)
    return Audio((LEVEL * ramp * np.sin(2 * np.pi * hz * at)).astype(np.float32), RATE)
