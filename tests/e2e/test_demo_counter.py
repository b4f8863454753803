"""A machine without any download hears Mandarin at its own microphone and is understood when it speaks.

The recogniser is the one that was trained here from synthetic speech, and so is what it hears here: sentences and a
voice that its training has not heard, played into the virtual sound card's microphone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
import requests
import soxr

from appliance.artifacts.cases import Case
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.channels.http.technician import HEADER
from appliance.channels.technician.pin import hashed
from appliance.speech.encode import wav
from appliance.speech.hear import DEMO
from appliance.values import Audio
from benchmarks.speech.score import characters
from tests.e2e.conftest import Running, copy_models, installed_store, serving
from tests.e2e.counter import told, until
from tests.soundcard import SPEAKER_RATE, SoundCard

pytestmark = pytest.mark.timeout(600)

PIN = "493817"


@pytest.fixture(scope="module")
def card() -> Iterator[SoundCard]:
    with SoundCard() as made:
        yield made


@pytest.fixture(scope="module")
def counter(espeak: str, card: SoundCard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The appliance at that card with the models of a fresh machine, listening when it is asked to."""
    data = tmp_path_factory.mktemp("data")
    home = installed_store().home(DEMO)
    shutil.copytree(home, copy_models(data) / DEMO / home.name)
    log = tmp_path_factory.mktemp("log") / "serve.log"
    with serving(data, log, **card.added, APPLIANCE_VOICE="push", APPLIANCE_SERVICE_PIN=hashed(PIN)) as running:
        until(lambda: running.features()["microphone"]["state"] in ("ready", "fallback"), "the microphone opens")
        until(lambda: running.features()["speech"]["state"] == "ready", "the voice is ready")
        yield running


@pytest.fixture(scope="module")
def sentence() -> Case:
    """A sentence of the model's cases, of ten characters or more."""
    cases = load_manifests(shipped_root())[DEMO].cases()
    return next(c for c in cases if c.path.name.startswith("clean") and len(str(c.truth["text"])) >= 10)


def test_a_sentence_is_heard_answered_and_the_spoken_answer_is_recognised_again(
    counter: Running, card: SoundCard, sentence: Case
) -> None:
    with told(counter) as events, card.heard() as loudspeaker:
        events.until("state", phase="idle")
        assert counter.ask("/v1/voice/listen", {"language": "zh"})[0] == 202
        events.until("state", phase="listening")
        card.speak(sentence.path).wait()
        reply = events.until("reply")
        assert [name for name, _ in events.all].count("partial") >= 1, "the words are seen while they are spoken"
        assert reply["transcript"]["engine"] == f"ctc:{DEMO}"
        said = str(sentence.truth["text"])
        assert characters(said, reply["transcript"]["text"]).rate <= 0.2, (said, reply["transcript"]["text"])
        assert reply["answer"]["text"]
        events.until("state", phase="speaking")
        events.until("state", phase="idle")
    sound = soxr.resample(loudspeaker.samples, SPEAKER_RATE, 16_000).astype(np.float32)
    status, _, again = counter.ask("/v1/turns", wav(Audio(sound, 16_000)), "audio/wav")
    assert status == 200, again
    answer, heard = reply["answer"]["text"], again["transcript"]["text"]
    assert characters(answer, heard).rate <= 0.2, (answer, heard)


def test_what_hears_is_named_with_how_to_install_a_real_one(counter: Running) -> None:
    asr = counter.features()["asr"]
    assert (asr["state"], asr["backend"]) == ("fallback", "ctc")
    assert DEMO in asr["reason"]
    assert "appliance models pull vosk-small-cn" in asr["reason"]


def test_the_same_sound_is_heard_whole_and_as_it_comes(counter: Running, sentence: Case) -> None:
    said, data = str(sentence.truth["text"]), sentence.path.read_bytes()
    status, _, whole = counter.ask("/v1/turns", data, "audio/wav")
    assert status == 200, whole
    assert characters(said, whole["transcript"]["text"]).rate <= 0.2, whole["transcript"]["text"]
    status, _, opened = counter.ask("/v1/streams", {"language": "zh"})
    assert status == 201, opened
    place, events = f"/v1/streams/{opened['stream']}", []
    for first in range(44, len(data), 6_400):
        status, _, heard = counter.ask(place, data[first : first + 6_400], "audio/pcm")
        assert status == 200, heard
        events += heard["events"]
    assert events, "words are known before the end"
    status, _, answered = counter.ask(f"{place}/answer", {})
    assert status == 200, answered
    assert characters(said, answered["transcript"]["text"]).rate <= 0.2, answered["transcript"]["text"]


def test_silence_is_answered_by_nothing(counter: Running) -> None:
    with told(counter) as events:
        counter.ask("/v1/voice/listen", {"language": "zh"})
        events.until("silence")
        events.until("state", phase="idle")
    assert not [data for name, data in events.all if name == "reply"]


def test_a_technician_sees_what_the_microphone_hears_and_hears_the_loudspeaker(
    counter: Running, card: SoundCard, sentence: Case
) -> None:
    entered = requests.post(f"{counter.url}/v1/technician/visits", json={"pin": PIN}, timeout=20)
    assert entered.status_code == 201, entered.text
    visit = {HEADER: entered.json()["visit"]}
    stream = requests.get(
        f"{counter.url}/v1/technician/microphone",
        headers={**visit, "Accept": "text/event-stream"},
        stream=True,
        timeout=60,
    )
    speaking, levels = None, []
    for line in stream.iter_lines(chunk_size=1):
        if not line.startswith(b"data: "):
            continue
        levels.append(json.loads(line[6:]))
        if len(levels) == 5:
            assert max(seen["level_db"] for seen in levels) < -60, "nobody speaks yet"
            speaking = card.speak(sentence.path)
        if levels[-1]["level_db"] > -30 or len(levels) > 100:
            break
    stream.close()
    assert speaking is not None
    speaking.wait()
    assert levels[-1]["level_db"] > -30, levels[-1]
    assert (levels[-1]["state"], levels[-1]["overflows"]) == ("listening", 0)
    assert levels[-1]["rate"] > 0
    for sound in ("left", "both", "voice"):
        with card.heard() as loudspeaker:
            asked = {"sound": sound}
            played = requests.post(f"{counter.url}/v1/technician/sound", json=asked, headers=visit, timeout=60)
            assert played.status_code == 200, played.text
            assert played.json()["played_s"] >= 1.0
        assert (np.abs(loudspeaker.samples) > 0.01).sum() > SPEAKER_RATE * 0.5, f"{sound} is heard"
    found = requests.get(f"{counter.url}/v1/technician/summary", headers=visit, timeout=20).json()
    assert found["voice"]["speaker"]["failures"] == 0
    assert found["status"]["networks"]
