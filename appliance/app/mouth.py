"""What the kiosk says aloud: voices, their fixed phrases, and the loudspeaker."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict

from appliance.app.metered import MeteredVoice
from appliance.device.bill import Bills
from appliance.errors import ApplianceError, InvalidInput, Unavailable
from appliance.listener import Listener
from appliance.settings import Settings
from appliance.speech.speaker import Playing, Speaker
from appliance.speech.tone import tone
from appliance.speech.tts.engines import candidates
from appliance.speech.tts.phrases import Phrases, Remembering
from appliance.speech.tts.tempo import at_pace
from appliance.speech.tts.voice import Voice, chosen, sentences
from appliance.values import Audio, Feature, statements

LANGUAGES = ("zh", "en")
OFF = "speech: 设置为不出声 / turned off by the setting speech_engine"
STARTING = "speech: 正在准备 / getting ready"
"""What the feature says until it is known what speaks."""
TEST = {"zh": "您好，这是扬声器测试。", "en": "Hello, this is a test of the loudspeaker."}
"""What is said to a technician who tries the loudspeaker."""
TEST_S = 15.0
"""Longest that such a test lasts."""
LONGEST = 2000
"""Characters said at once at most."""


class SpokenWords:
    """Says things. Thread-safe; `probe` finds out what speaks, once."""

    def __init__(self, voices: Sequence[Voice], speaker: Speaker | None) -> None:
        """Speak by the first of `voices` that speaks a language, out of `speaker` (None: sound is only made)."""
        self._voices, self._speaker = tuple(voices), speaker
        self._reasons: dict[str, str] = {}
        self._found: dict[str, Voice] = {}
        self._closed = threading.Event()
        self._probed = threading.Event()

    def start(self, *languages: str) -> threading.Thread:
        """Probe, then make the fixed phrases of `languages`, in the background: the process serves meanwhile."""

        def run() -> None:
            self.probe()
            for language in languages:
                self._prepare(language)

        thread = threading.Thread(target=run, name="speech", daemon=True)
        thread.start()
        return thread

    def probe(self) -> None:
        """Find out what speaks each language; nothing raises, `feature` says what is missing."""
        for language in LANGUAGES:
            try:
                self._found[language] = chosen(self._voices, language)
                self._reasons[language] = f"{language}: {self._found[language].name} / {self._found[language].name}"
            except ApplianceError as error:
                self._reasons[language] = f"{language}: {error.account}"
        self._probed.set()

    def _prepare(self, language: str) -> None:
        voice = self._found.get(language)
        if isinstance(voice, Remembering) and not self._closed.is_set():
            voice.prepare(language)

    @property
    def audible(self) -> bool:
        """True where something may speak and there is a loudspeaker to speak from."""
        return bool(self._voices) and self._speaker is not None

    def feature(self) -> Feature:
        """State of `speech` now and why."""
        if not self._voices:
            return Feature("speech", "off", "none", statements((OFF,)))
        if not self._probed.is_set():
            return Feature("speech", "off", "none", statements((STARTING,)))
        reasons = list(self._reasons.values())
        state = "ready" if "zh" in self._found else "fallback" if self._found else "off"
        speaker = self._speaker.state if self._speaker is not None else None
        if speaker is not None and speaker.failures:
            state = "failed" if state != "off" else state
            reasons.insert(0, f"{speaker.state}: {speaker.reason}")
        engine = next((self._found[each].name.partition(":")[0] for each in LANGUAGES if each in self._found), "none")
        return Feature("speech", state, engine, statements(reasons), languages=tuple(self._found))

    def loudspeaker(self) -> dict[str, object]:
        """The loudspeaker's state, JSON types only; empty without one."""
        return asdict(self._speaker.state) if self._speaker is not None else {}

    def render(self, text: str, language: str, speed: float = 1.0) -> Audio:
        """`text` as sound, `speed` times as fast as usual. Raises InvalidInput, Unavailable, or as the voice does."""
        if not 0 < len(text) <= LONGEST:
            raise InvalidInput(f"text: expected 1 to {LONGEST} characters, got {len(text)}")
        return at_pace(self._voice(language).say(text, language), speed)

    def say(self, text: str, language: str) -> Playing:
        """Begin to say `text` out of the loudspeaker, the first sentence while the next is made."""
        if self._speaker is None:
            raise self._mute()
        return self._speaker.play(sentences(self._voice(language), text, language))

    def test(self, which: str, language: str = "zh") -> dict[str, object]:
        """See `channels.door.Door.sound`."""
        if which == "voice":
            playing = self.say(TEST[language], language)
        elif self._speaker is None:
            raise self._mute()
        else:
            playing = self._speaker.play(tone(), side=which)
        if not playing.wait(TEST_S):
            playing.stop()
            raise Unavailable(f"speech: expected the end of a test within {TEST_S:g} s, got none", retry_after=1)
        if playing.error is not None:
            raise playing.error
        if playing.stopped:  # a technician would write down as heard what was not
            raise Unavailable("speech: expected a test to its end, got another sound in between", retry_after=1)
        return {"played_s": round(playing.played_s, 2), "speaker": self.loudspeaker()}

    def _mute(self) -> Unavailable:
        return Unavailable(
            "speech: expected a loudspeaker, got none in use",
            remedy=(
                "一体机自己的扬声器随 APPLIANCE_VOICE=push 或 wake 启用，且 speech_engine 不能为 off",
                "APPLIANCE_VOICE=push or wake puts the kiosk's own loudspeaker to use, unless speech_engine is off",
            ),
            retry_after=60,
        )

    def close(self) -> None:
        """Fall silent and release everything."""
        self._closed.set()
        if self._speaker is not None:
            self._speaker.close()
        for voice in self._voices:
            voice.close()

    def _voice(self, language: str) -> Voice:
        found = self._found.get(language)
        return found if found is not None else chosen(self._voices, language)


def build_mouth(
    settings: Settings, phrases: Sequence[str], listener: Listener, bills: Bills | None = None
) -> SpokenWords:
    """What the settings ask for, being probed; the loudspeaker is used only where the kiosk's own microphone is."""
    if settings.speech_engine == "off":
        return SpokenWords((), None)
    voices: Sequence[Voice] = candidates(settings.speech_engine, settings.speech_voice)
    if bills is not None:
        voices = [MeteredVoice(voice, bills) for voice in voices]
    kept = Phrases()
    remembering = [Remembering(voice, kept, phrases, listener=listener) for voice in voices]
    speaker = None
    if settings.voice != "off":
        speaker = Speaker(settings.speaker, settings.speaker_volume, listener=listener)
    words = SpokenWords(remembering, speaker)
    words.start("zh")
    return words
