"""Sound that comes in pieces, kept until it ends and no longer than a recording may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.errors import BadRequest, InvalidInput, TooLarge
from appliance.settings import Settings
from appliance.speech.encode import wav_of
from appliance.speech.wav import MAX_CHANNELS, MAX_RATE, MIN_RATE

WIDTHS = (2, 3, 4)
"""Bytes of a sample, little-endian and signed."""


class Recording:
    """One recording as it grows."""

    def __init__(self, form: Mapping[str, Any], settings: Settings) -> None:
        """`form` has rate, width and channels, as `audio-start` and `audio-chunk` do. Raises InvalidInput."""
        self.rate = _whole(form, "rate", MIN_RATE, MAX_RATE)
        self.width = _whole(form, "width", WIDTHS[0], WIDTHS[-1])
        self.channels = _whole(form, "channels", 1, MAX_CHANNELS)
        frame = self.width * self.channels
        self._seconds = settings.max_audio_seconds
        self._most = min(settings.max_audio_bytes, int(self._seconds * self.rate) * frame)
        self._pcm = bytearray()

    def add(self, piece: bytes, form: Mapping[str, Any]) -> None:
        """Append a piece; raises BadRequest when its format is another one, TooLarge when it is too much."""
        for name in ("rate", "width", "channels"):
            if form.get(name, getattr(self, name)) != getattr(self, name):
                raise BadRequest(f"{name}: expected {getattr(self, name)} as at the start, got another")
        if len(self._pcm) + len(piece) > self._most:
            raise TooLarge(f"recording: expected at most {self._seconds:g} seconds ({self._most} bytes), got more")
        self._pcm += piece

    def wav(self) -> bytes | None:
        """A WAV file of it; None when there is not one whole frame."""
        if len(self._pcm) < self.width * self.channels:
            return None
        return wav_of(bytes(self._pcm), rate=self.rate, width=self.width, channels=self.channels)


def _whole(form: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = form.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        got = value if isinstance(value, int) else "something else"
        raise InvalidInput(f"{name}: expected a whole number from {least} to {most}, got {got}")
    return value
