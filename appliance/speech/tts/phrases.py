"""Keeps the sound of fixed phrases, so that what is said every day is heard at once.

Only phrases that were named beforehand are kept. An answer with a customer's number in it is not: its sound would
outlast the customer.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.errors import ApplianceError
from appliance.listener import Listener, silent
from appliance.speech.tts.reading import pieces
from appliance.speech.tts.voice import Voice, joined
from appliance.values import Audio

Key = tuple[str, str, str]
"""Engine with its manner, language, text."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a cache holds, and how it did."""

    phrases: int
    """Sounds held."""
    held_bytes: int
    """Bytes of their samples."""
    hits: int
    """Times that a sound was there."""
    misses: int
    """Times that a fixed phrase had to be made."""


class Phrases:
    """Sounds by key, as 16-bit samples, the longest unused given up first. Thread-safe."""

    def __init__(self, most_bytes: int = 16 << 20) -> None:
        """Hold at most `most_bytes` of samples: 16 MiB are about 6 minutes at 22,050 Hz."""
        self._most = most_bytes
        self._lock = threading.Lock()
        self._sounds: OrderedDict[Key, tuple[npt.NDArray[np.int16], int]] = OrderedDict()
        self._bytes = self._hits = self._misses = 0

    @property
    def kept(self) -> Kept:
        """What is held now."""
        with self._lock:
            return Kept(len(self._sounds), self._bytes, self._hits, self._misses)

    def get(self, key: Key) -> Audio | None:
        """The sound of `key` as float32, or None."""
        with self._lock:
            found = self._sounds.get(key)
            if found is None:
                self._misses += 1
                return None
            self._hits += 1
            self._sounds.move_to_end(key)
        samples, rate = found
        return Audio(samples.astype(np.float32) / np.float32(32767), rate)

    def put(self, key: Key, audio: Audio) -> None:
        """Hold `audio` under `key`; one that alone is larger than the whole is not held."""
        samples = np.rint(np.clip(audio.samples, -1.0, 1.0) * 32767).astype(np.int16)
        if samples.nbytes > self._most:
            return
        with self._lock:
            old = self._sounds.pop(key, None)
            self._bytes += samples.nbytes - (old[0].nbytes if old else 0)
            self._sounds[key] = (samples, audio.rate)
            while self._bytes > self._most:
                _, (gone, _) = self._sounds.popitem(last=False)
                self._bytes -= gone.nbytes

    def clear(self) -> None:
        """Give all of it up."""
        with self._lock:
            self._sounds.clear()
            self._bytes = 0


class Remembering:
    """A voice that looks its fixed phrases up before it says them; itself a voice."""

    def __init__(
        self,
        voice: Voice,
        phrases: Phrases,
        fixed: Iterable[str] = (),
        *,
        manner: str = "",
        listener: Listener = silent,
    ) -> None:
        """Say through `voice`; keep in `phrases` the sentences of the texts `fixed` and no others.

        `manner` tells apart what the voice's name does not, as its speed and pitch. `listener` hears `speech.phrases`
        (made, failed) when `prepare` ends.
        """
        self._voice = voice
        self._phrases = phrases
        self._fixed = frozenset(piece for text in fixed for piece in pieces(text))
        self._manner = manner
        self._listener = listener
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        """The voice's own."""
        return self._voice.name

    @property
    def languages(self) -> tuple[str, ...]:
        """The voice's own."""
        return self._voice.languages

    def probe(self) -> None:
        """The voice's own."""
        self._voice.probe()

    def say(self, text: str, language: str) -> Audio:
        """As `Voice.say`: each sentence from the cache where it is a fixed one, or made and, if fixed, kept."""
        parts = [self._sentence(piece, language) for piece in pieces(text)]
        if len(parts) == 1:
            return parts[0]
        return joined([("。", part) for part in parts if len(part.samples)])

    def prepare(self, language: str) -> int:
        """Make all fixed phrases that are not held yet; how many were. For a background thread; ends with `close`.

        A phrase that cannot be said is passed over.
        """
        made = failed = 0
        for piece in sorted(self._fixed):
            if self._closed.is_set():
                break
            key = self._key(piece, language)
            if self._phrases.get(key) is None:
                try:
                    self._phrases.put(key, self._voice.say(piece, language))
                    made += 1
                except ApplianceError:
                    failed += 1
        self._listener("speech.phrases", made=made, failed=failed)
        return made

    def stop(self) -> None:
        """The voice's own."""
        self._voice.stop()

    def close(self) -> None:
        """End `prepare`, give the sounds up and close the voice."""
        self._closed.set()
        self._voice.close()
        self._phrases.clear()

    def _sentence(self, piece: str, language: str) -> Audio:
        if piece not in self._fixed:
            return self._voice.say(piece, language)
        key = self._key(piece, language)
        held = self._phrases.get(key)
        if held is None:
            held = self._voice.say(piece, language)
            self._phrases.put(key, held)
        return held

    def _key(self, piece: str, language: str) -> Key:
        return (f"{self._voice.name} {self._manner}", language, piece)
