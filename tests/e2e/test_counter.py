"""At the counter: somebody speaks into the kiosk's own microphone and hears its answer, all through real PortAudio.

The sound card exists in software only, and the recogniser is whichever `make hear-test` fetched: what it hears is no
Mandarin, so the answer is that for words that are not understood, and the way there and back is what is tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import Running, given_voice
from tests.e2e.counter import told, until
from tests.soundcard import SoundCard
from tests.speech.sounds import spoken

pytestmark = [pytest.mark.vosk, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def card() -> Iterator[SoundCard]:
    with SoundCard() as made:
        yield made


@pytest.fixture(scope="module")
def counter(vosk_model: Path, card: SoundCard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The appliance at that card, listening when it is asked to."""
    voiced = given_voice(tmp_path_factory.mktemp("voice"), vosk_model, **card.added, APPLIANCE_VOICE="push")
    with voiced.serving(tmp_path_factory.mktemp("log") / "serve.log") as running:
        until(lambda: running.features()["microphone"]["state"] in ("ready", "fallback"), "the microphone opens")
        yield running


@pytest.fixture(scope="module")
def sentence(espeak: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody who speaks for some seconds, so that a slow machine has words before the end."""
    path = tmp_path_factory.mktemp("said") / "sentence.wav"
    path.write_bytes(
        spoken(
            espeak,
            "안녕하세요 화장실이 어디에 있는지 알고 싶은데 우유하고 빵은 어디에 있고 얼마인지도 말해 주세요",
            "ko",
        )
    )
    return path


def test_a_sentence_is_heard_answered_and_spoken(counter: Running, card: SoundCard, sentence: Path) -> None:
    with told(counter) as events, card.heard() as loudspeaker:
        events.until("state", phase="idle")
        assert counter.ask("/v1/voice/listen", {"language": "zh"})[0] == 202
        events.until("state", phase="listening")
        card.speak(sentence).wait()
        reply = events.until("reply")
        assert [name for name, _ in events.all].count("partial") >= 1, "the words are seen while they are spoken"
        assert reply["turn"]["source"] == "audio"
        assert reply["transcript"]["engine"] == "vosk:vosk-small-cn"
        assert reply["transcript"]["text"]
        assert reply["answer"]["text"]
        events.until("state", phase="speaking")
        events.until("state", phase="idle")
    sound = loudspeaker.samples
    loud = np.abs(sound) > 0.01
    assert loud.sum() > 48_000 * 0.3, "the answer is heard"
    state = counter.ask("/v1/voice")[2]
    assert state["microphone"]["state"] in ("listening", "muted")
    assert state["microphone"]["overflows"] == 0
    assert state["speaker"]["failures"] == 0


def test_nobody_speaks_and_the_kiosk_says_nothing(counter: Running, card: SoundCard) -> None:
    with told(counter) as events, card.heard() as loudspeaker:
        counter.ask("/v1/voice/listen", {"language": "zh"})
        events.until("silence")
        events.until("state", phase="idle")
    assert np.abs(loudspeaker.samples).max(initial=0) < 0.001
    assert not [data for name, data in events.all if name == "reply"]


def test_a_language_that_nobody_hears_is_said(counter: Running) -> None:
    with told(counter) as events:
        counter.ask("/v1/voice/listen", {"language": "en"})
        error = events.until("error")
        assert error["code"] == "unavailable"
        assert "appliance models pull vosk-small-en" in error["remedy"]
    until(lambda: counter.ask("/v1/voice")[2]["phase"] == "idle", "the kiosk rests again")


def test_a_sound_server_that_dies_is_shown_and_the_next_sentence_is_heard_without_a_restart(
    counter: Running, card: SoundCard, sentence: Path
) -> None:
    card.kill()
    until(lambda: counter.features()["microphone"]["state"] == "failed", "the microphone's loss is shown")
    assert " / " in counter.features()["microphone"]["reason"]
    assert counter.ask("/v1/turns", {"text": "你好"})[0] == 200, "who types is answered all the while"
    card.restart()
    until(lambda: counter.features()["microphone"]["state"] in ("ready", "fallback"), "it comes back")
    with told(counter) as events, card.heard() as loudspeaker:
        counter.ask("/v1/voice/listen", {"language": "zh"})
        events.until("state", phase="listening")
        card.speak(sentence).wait()
        assert events.until("reply")["transcript"]["text"]
        events.until("state", phase="speaking")
        events.until("state", phase="idle")
    assert (np.abs(loudspeaker.samples) > 0.01).sum() > 48_000 * 0.3


def test_a_sound_server_that_dies_in_mid_sentence_ends_it_and_nothing_hangs(
    counter: Running, card: SoundCard, sentence: Path
) -> None:
    with told(counter) as events:
        counter.ask("/v1/voice/listen", {"language": "zh"})
        events.until("state", phase="listening")
        playing = card.speak(sentence)
        events.until("partial")
        card.kill()
        playing.wait()
        # Half a sentence is answered for what it is, or nothing was left of it.
        until(lambda: counter.ask("/v1/voice")[2]["phase"] == "idle", "the conversation ends")
    card.restart()
    until(lambda: counter.features()["microphone"]["state"] in ("ready", "fallback"), "it comes back")
