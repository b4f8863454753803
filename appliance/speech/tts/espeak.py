"""espeak-ng (github.com/espeak-ng/espeak-ng, GPL-3) as a separate program: the voice that every machine can have.

Its Mandarin voice `cmn` reads the tone numbers of pinyin in English, and reads polyphones in characters wrongly;
`cmn-latn-pinyin` reads pinyin well. Which voices a machine has is found out by what they make of a known sentence, not
by their names: a voice counts when the tones in its phonemes are those that were asked for.
"""

from __future__ import annotations

import logging
import re
import subprocess
import threading
import time
from collections.abc import Sequence
from xml.sax.saxutils import escape

from appliance.errors import ApplianceError, BackendFailed, DeadlineExceeded, InvalidInput, Unavailable
from appliance.speech.tts.pinyin import Pinyin
from appliance.speech.tts.reading import Run, spoken
from appliance.speech.tts.voice import joined
from appliance.speech.wav import decode
from appliance.values import Audio

log = logging.getLogger(__name__)

PROGRAM = "espeak-ng"
MELODY = 160
"""How far the pitch of Chinese moves, in percent of the voice's own range, which is a few semitones only: narrow for
the tones of Mandarin."""
_OWN = 100
_CHINESE = ("cmn-latn-pinyin", "cmn", "zh")
_ENGLISH = ("en-us", "en-gb", "en")
_PROBE = "yin2 hang2 zai4 chong2 qing4"
_PROBE_TONES = ["35", "35", "51", "35", "51"]
_ENGLISH_PROBE, _ENGLISH_PHONEMES = "seven", re.compile(r"s\W*[Ee]\W*v")
_TONE = re.compile(r"\d\d")
_LONGEST_S, _MOST_BYTES = 1200.0, 64 << 20
_INSTALL = ("请运行 `sudo apt-get install espeak-ng`", "Run `sudo apt-get install espeak-ng`")
_BROKEN = (
    "请安装带 cmn-latn-pinyin 声音的 espeak-ng 1.51 或更高版本：`sudo apt-get install espeak-ng espeak-ng-data`",
    "Install espeak-ng 1.51 or later with its voice cmn-latn-pinyin: `sudo apt-get install espeak-ng espeak-ng-data`",
)


class _Died(BackendFailed):
    """The program was ended by a signal."""


class EspeakVoice:
    """Speaks Chinese and English through one child process for each run of one language. Thread-safe."""

    def __init__(
        self,
        program: str = PROGRAM,
        *,
        words_per_minute: int = 165,
        pitch: int = 50,
        melody: int = MELODY,
        telephone: bool = True,
        timeout_s: float = 10.0,
    ) -> None:
        """Use `program` at `words_per_minute` (80 to 450) and `pitch` (0 to 99), each child ended after `timeout_s`.

        `melody` (50 to 200) is how far the pitch of Chinese moves, in percent of the voice's own range. `telephone`
        says 1 as 幺 in numbers that are read digit by digit. Raises InvalidInput beyond these ranges.
        """
        if not (80 <= words_per_minute <= 450 and 0 <= pitch <= 99 and 50 <= melody <= 200):
            raise InvalidInput(
                "espeak-ng: expected 80 to 450 words a minute, a pitch of 0 to 99 and a melody of 50 to 200, "
                f"got {words_per_minute}, {pitch}, {melody}"
            )
        self._program = program
        self._manner = ["-s", str(words_per_minute), "-p", str(pitch)]
        self._melody = melody
        self._telephone = telephone
        self._timeout = timeout_s
        self._lock = threading.Lock()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._stops = 0
        self._voices: dict[str, str] = {}
        self._pinyin: Pinyin | None = None
        self._reason: Unavailable | None = None
        self._speed = words_per_minute

    @property
    def name(self) -> str:
        """The program with its voices, for example `espeak-ng:cmn-latn-pinyin+en-us`; without before `probe`."""
        return ":".join(filter(None, ["espeak-ng", "+".join(self._voices.values())]))

    @property
    def languages(self) -> tuple[str, ...]:
        """What it was found to speak; empty before `probe`."""
        return tuple(self._voices)

    @property
    def speed(self) -> int:
        """Words per minute."""
        return self._speed

    def probe(self) -> None:
        """Find the voices by what they make of known sentences, and read the tables of pinyin, once.

        Raises Unavailable where the program is absent or reads neither language; where it reads only English,
        `languages` says so, and `say` in Chinese raises with the reason.
        """
        with self._lock:
            if self._voices:
                return
        voices: dict[str, str] = {}
        heard: list[str] = []
        for voice in _CHINESE:
            phonemes = self._phonemes(voice, _PROBE)
            heard.append(f"{voice}: {' '.join(phonemes.split()) or 'nothing'}")
            if reads_pinyin(phonemes):
                voices["zh"] = voice
                break
        english = (voice for voice in _ENGLISH if _ENGLISH_PHONEMES.search(self._phonemes(voice, _ENGLISH_PROBE)))
        if found := next(english, None):
            voices["en"] = found
        reason = Unavailable(
            f"espeak-ng: expected a voice that reads the pinyin {_PROBE!r}, got {'; '.join(heard)}", remedy=_BROKEN
        )
        if not voices:
            raise reason
        pinyin = Pinyin() if "zh" in voices else None
        with self._lock:
            self._voices, self._pinyin, self._reason = voices, pinyin, reason

    def say(self, text: str, language: str) -> Audio:
        """Say `text` at 22,050 Hz, each run of Chinese by the pinyin voice and of English by the English one.

        Raises as the contract says; DeadlineExceeded when a child takes longer than the timeout, and is killed.
        """
        self.probe()
        with self._lock:
            stops = self._stops
        parts = []
        for run in spoken(text, language, telephone=self._telephone):
            written = self._written(run)
            if written:
                parts.append((run.text, self._sound(written, self._voice(run.language), stops, run.language)))
        return joined(parts)

    def phonemes(self, text: str, language: str) -> str:
        """What is said of `text` in espeak-ng's own phoneme names, runs apart by lines."""
        self.probe()
        runs = spoken(text, language, telephone=self._telephone)
        return "\n".join(self._phonemes(self._voice(run.language), self._written(run)).strip() for run in runs)

    def stop(self) -> None:
        """Kill the children; the threads that wait for them raise Unavailable."""
        with self._lock:
            self._stops += 1
            for child in self._children:
                child.kill()

    def close(self) -> None:
        """The same; the tables of pinyin go too, and come back with the next `say`."""
        self.stop()
        with self._lock:
            self._voices, self._pinyin = {}, None

    def _written(self, run: Run) -> str:
        """What the program is given for a run: pinyin, or the English words."""
        if run.language != "zh":
            return run.text
        pinyin = self._pinyin
        if pinyin is None:
            raise self._reason or Unavailable("espeak-ng: expected it open, got closed")
        return pinyin.read(run.text)

    def _voice(self, language: str) -> str:
        # A machine without an English voice still says Latin words, by the rules of pinyin; never the other way round.
        voice = self._voices.get(language) or (self._voices.get("zh") if language == "en" else None)
        if voice is None:
            raise self._reason or Unavailable("espeak-ng: expected it open, got closed")
        return voice

    def _sound(self, text: str, voice: str, stops: int, language: str) -> Audio:
        arguments = ["-v", voice, *self._manner, "--stdout"]
        data = b""
        if language == "zh" and self._melody != _OWN:
            wide = f'<speak><prosody range="{self._melody}%">{escape(text)}</prosody></speak>'  # there is no option
            try:
                data = self._run(["-m", *arguments], wide, stops)
            except _Died as error:  # 1.51 does, of a few sentences in some ranges and voices
                log.warning("said in the voice's own range of pitch: %s", error.detail)
        data = data or self._run(arguments, text, stops)
        try:
            return decode(data, max_seconds=_LONGEST_S, max_bytes=_MOST_BYTES)
        except ApplianceError as error:
            raise BackendFailed(f"espeak-ng: expected sound of {len(text)} characters, got: {error.detail}") from error

    def _phonemes(self, voice: str, text: str) -> str:
        try:
            return self._run(["-v", voice, "-x", "-q"], text, self._stops).decode("utf-8", "replace")
        except BackendFailed:  # how it ends for a voice that it does not have
            return ""

    def _run(self, arguments: Sequence[str], text: str, stops: int) -> bytes:
        command = [self._program, "-b", "1", *arguments, "--stdin"]
        started = time.monotonic()
        with self._lock:
            if self._stops != stops:
                raise _stopped()
            try:
                child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            except FileNotFoundError as error:
                raise Unavailable(
                    f"speech: expected the program {self._program}, found none", remedy=_INSTALL
                ) from error
            except OSError as error:
                raise BackendFailed(f"espeak-ng: expected a program that starts, got {error}") from error
            self._children.add(child)
        try:
            out, err = child.communicate(text.encode("utf-8"), timeout=self._timeout)
        except subprocess.TimeoutExpired:
            took = time.monotonic() - started
            raise DeadlineExceeded(
                f"espeak-ng: expected to end in {self._timeout:g} s, got none in {took:.1f}"
            ) from None
        finally:
            with self._lock:
                self._children.discard(child)
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe is not None:
                    pipe.close()
        if self._stops != stops:
            raise _stopped()
        if child.returncode != 0:
            said = " ".join(err.decode("utf-8", "replace").split())[:300]
            kind = _Died if child.returncode < 0 else BackendFailed
            raise kind(f"espeak-ng: expected exit status 0, got {child.returncode}: {said}")
        return out


def reads_pinyin(phonemes: str) -> bool:
    """Whether these phonemes of the probe are Mandarin throughout, with the tones that were asked for."""
    return "(" not in phonemes and _TONE.findall(phonemes) == _PROBE_TONES


def _stopped() -> Unavailable:
    return Unavailable("espeak-ng: expected to finish, got stopped", retry_after=1)
