"""A recording heard end to end: a Vosk model imported, the appliance started, a WAV posted, a stranger who speaks.

The model is whichever `make hear-test` fetched, in the place of the Mandarin one: what it hears is not Mandarin, so the
answers are those for words that are not understood, and the way there is what is tested.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Running, Voiced, given_voice
from tests.speech.sounds import not_speech, spoken, wav

pytestmark = [pytest.mark.vosk, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def voiced(vosk_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Voiced:
    """The model, imported by `appliance models import` as vosk-small-cn."""
    return given_voice(tmp_path_factory.mktemp("voice"), vosk_model)


@pytest.fixture(scope="module")
def hearing(voiced: Voiced, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The appliance that hears, serving."""
    log = tmp_path_factory.mktemp("log") / "serve.log"
    with voiced.serving(log) as running:
        yield running


@pytest.fixture(scope="module")
def sentence(espeak: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody who speaks, as a WAV file."""
    path = tmp_path_factory.mktemp("said") / "sentence.wav"
    path.write_bytes(spoken(espeak, "화장실이 어디에 있어요", "ko"))
    return path


def test_readyz_says_that_it_hears_and_in_which_language(hearing: Running) -> None:
    features = hearing.features()
    assert features["asr"]["state"] == "ready"
    assert features["asr"]["backend"] == "vosk"
    assert features["asr"]["languages"] == ["zh"]
    assert "appliance models pull vosk-small-en" in features["asr"]["reason"], "what is missing is said even so"
    assert features["asr"]["models"][0].startswith("vosk-small-cn@")
    assert features["vad"]["state"] == "ready"


def test_a_posted_recording_is_heard_and_answered(hearing: Running, sentence: Path) -> None:
    status, _, reply = hearing.ask("/v1/turns", sentence.read_bytes(), "audio/wav")
    assert status == 200, reply
    heard = reply["transcript"]
    assert heard["text"]
    assert reply["turn"] == reply["turn"] | {"text": heard["text"], "source": "audio", "language": "zh"}
    assert reply["turn"]["confidence"] == pytest.approx(heard["confidence"], abs=1e-3)
    (segment,) = heard["segments"]
    assert 0 <= segment["start"] < segment["end"] <= heard["seconds"]
    for word in heard["words"]:
        assert segment["start"] <= word["start"] <= word["end"] <= segment["end"]
        assert 0 <= word["confidence"] <= 1
    assert list(heard["timings_ms"]) == ["decode", "resample", "level", "vad", "asr"]
    assert reply["backends"] == reply["backends"] | {"asr": "vosk:vosk-small-cn", "vad": "onnxruntime-cpu"}
    assert reply["answer"]["text"]
    again = hearing.ask(f"/v1/turns?session={reply['session']}", sentence.read_bytes(), "audio/wav")[2]
    assert again["session"] == reply["session"], "a conversation goes on by voice"


def test_noise_is_answered_as_nothing_heard(hearing: Running) -> None:
    noise = wav(np.clip(not_speech()["air conditioning"], -1, 1))
    status, _, reply = hearing.ask("/v1/turns", noise, "audio/wav")
    assert status == 200
    assert (reply["transcript"]["text"], reply["transcript"]["segments"]) == ("", [])
    assert "没有听" in reply["answer"]["text"]


def test_another_language_names_its_model(hearing: Running, sentence: Path) -> None:
    status, head, refusal = hearing.ask("/v1/turns?language=en", sentence.read_bytes(), "audio/wav")
    assert (status, refusal["code"]) == (503, "unavailable")
    assert "appliance models pull vosk-small-en" in refusal["remedy"]
    assert int(head["Retry-After"]) >= 1


def test_what_was_said_reaches_no_disk_but_as_an_event_without_sound(hearing: Running, sentence: Path) -> None:
    samples = sentence.read_bytes()[4096:4160]
    assert any(samples)
    assert hearing.ask("/v1/turns", sentence.read_bytes(), "audio/wav")[0] == 200
    files = [path for path in hearing.data.rglob("*") if path.is_file() and "models" not in path.parts]
    assert files
    assert all(samples not in path.read_bytes() for path in files)


def test_the_command_line_hears_too(voiced: Voiced, sentence: Path, tmp_path: Path) -> None:
    done = voiced.run("hear", str(sentence), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (segment,) = told["segments"]
    assert segment["text"] == told["text"] != ""
    assert [word["text"] for word in segment["words"]]
    assert told["engine"] == "vosk:vosk-small-cn"
    assert told["answer"]


def test_a_stranger_speaks_and_sees_what_was_heard(
    hearing: Running, sentence: Path, launch: Callable[..., Browser]
) -> None:
    browser = launch(f"--use-file-for-fake-audio-capture={sentence}")
    page = browser.new_page(viewport={"width": 1080, "height": 1920})
    page.goto(hearing.url)
    expect(page.locator("#speak")).to_have_attribute("aria-disabled", "false")
    page.click("#speak")
    expect(page.locator("#microphone-note")).to_be_visible()
    with page.expect_response("**/v1/streams/*/answer", timeout=120_000) as answered:
        page.click("#microphone-go")
        expect(page.locator("#microphone-live")).to_be_visible()
        expect(page.locator("#microphone-words")).not_to_have_text("", timeout=60_000)
        # The file is played over and over, and its edges may be taken for the end of a sentence.
        if page.locator("#microphone-go").is_visible():
            page.click("#microphone-go")
    heard = answered.value.json()["transcript"]
    assert heard["text"]
    expect(page.locator(".customer .bubble")).to_have_text(heard["text"])
    expect(page.locator(".kiosk .bubble")).to_be_visible()
    # In English there is no recogniser: the button says so before anybody speaks in vain.
    page.click("#en")
    expect(page.locator("#speak")).to_have_attribute("aria-disabled", "true")
    page.click("#speak", force=True)
    expect(page.locator("#microphone-command")).to_have_text("appliance models pull vosk-small-en")
    page.close()
