"""The microphone in a Chromium that plays a file into it: what arrives is that very sound, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fake_door import FakeDoor
from playwright.sync_api import Browser, Page, expect
from visitor import Visit

from appliance.speech.wav import decode
from appliance.values import Audio, Feature
from tests.speech.sounds import wav

pytestmark = pytest.mark.browser

RATE = 48_000
PITCHES = (440.0, 1250.0, 3100.0)


def warble(seconds: float) -> np.ndarray:
    """Three tones that come and go like syllables: noise suppression takes a steady tone for noise."""
    at = np.arange(round(RATE * seconds)) / RATE
    syllables = np.clip(np.sin(2 * np.pi * 3 * at), 0, 1)
    return sum(0.2 * syllables * np.sin(2 * np.pi * pitch * at) for pitch in PITCHES)


@pytest.fixture(scope="module")
def hearing(launch: Callable[..., Browser], tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """A Chromium whose microphone hears `warble` over and over."""
    played = tmp_path_factory.mktemp("played") / "warble.wav"
    played.write_bytes(wav(warble(6.0), RATE))
    return launch(f"--use-file-for-fake-audio-capture={played}")


@pytest.fixture
def stand(hearing: Browser) -> Iterator[Callable[[Any], Page]]:
    """Open the page on that Chromium: `stand(server)`."""
    visits: list[Visit] = []

    def open_page(server: Any) -> Page:
        visits.append(Visit(hearing, server))
        return visits[-1].page

    yield open_page
    for each in visits:
        each.close()


def record(page: Page, seconds: float = 2.0) -> None:
    """Speak for some seconds, as a customer does."""
    expect(page.locator("#speak")).to_have_attribute("aria-disabled", "false")
    page.click("#speak")
    expect(page.locator("#microphone-note")).to_contain_text("录音只在本机识别")
    assert page.evaluate("document.getElementById('microphone-live').hidden"), "the notice stands before the recording"
    page.click("#microphone-go")
    expect(page.locator("#microphone-live")).to_be_visible()
    expect(page.locator("#microphone-go")).to_have_text("说完了")
    page.wait_for_timeout(seconds * 1000)
    page.click("#microphone-go")
    expect(page.locator(".customer .bubble")).to_have_text("洗衣液在哪")


def received(server: Any) -> Audio:
    """The one recording that arrived, which must be 16-bit mono PCM with true sizes."""
    (data,) = server.door.recordings
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    assert int.from_bytes(data[40:44], "little") == len(data) - 44
    assert int.from_bytes(data[20:22], "little") == 1
    assert int.from_bytes(data[22:24], "little") == 1
    assert int.from_bytes(data[34:36], "little") == 16
    return decode(data, max_seconds=60, max_bytes=1 << 25)


def strongest(audio: Audio, count: int = 3) -> list[float]:
    """Pitches of the `count` highest peaks, in Hz."""
    spectrum = np.abs(np.fft.rfft(audio.samples * np.hanning(len(audio.samples))))
    pitches = np.fft.rfftfreq(len(audio.samples), 1 / audio.rate)
    found = []
    for _ in range(count):
        peak = int(np.argmax(spectrum))
        found.append(float(pitches[peak]))
        spectrum[np.abs(pitches - pitches[peak]) < 60] = 0
    return sorted(found)


def test_what_arrives_is_the_very_sound(serve, stand):
    server = serve(FakeDoor(asr="ready"))
    page = stand(server)
    record(page)
    audio = received(server)
    assert audio.rate == 16_000
    assert audio.seconds > 2.0
    assert strongest(audio) == pytest.approx(PITCHES, abs=8)
    assert np.abs(audio.samples).max() > 0.05
    assert page.evaluate("document.querySelector('#microphone').open") is False


def test_a_browser_that_cannot_resample_records_at_its_own_rate(serve, stand):
    server = serve(FakeDoor(asr="ready"))
    page = stand(server)
    own = page.evaluate(
        """() => {
          const usual = AudioContext.prototype.createMediaStreamSource;
          AudioContext.prototype.createMediaStreamSource = function (stream) {
            if (this.sampleRate === 16000) throw new DOMException('different rates', 'NotSupportedError');
            return usual.call(this, stream);
          };
          return new AudioContext().sampleRate;
        }"""
    )
    record(page)
    audio = received(server)
    assert audio.rate == own
    assert strongest(audio) == pytest.approx(PITCHES, abs=8)


def test_nothing_is_sent_when_the_dialog_is_closed_and_the_microphone_goes_off(serve, stand):
    server = serve(FakeDoor(asr="ready"))
    page = stand(server)
    page.evaluate(
        """() => {
          const devices = navigator.mediaDevices, usual = devices.getUserMedia.bind(devices);
          devices.getUserMedia = async (wanted) => { window.opened = await usual(wanted); return window.opened; };
        }"""
    )
    page.click("#speak")
    page.click("#microphone-go")
    expect(page.locator("#microphone-live")).to_be_visible()
    assert page.evaluate("opened.active") is True
    page.click("#microphone [data-close]")
    expect(page.locator("#microphone")).to_be_hidden()
    # A dialog's close event comes in a task of its own, after the dialog has gone.
    page.wait_for_function("opened.getTracks().every((track) => track.readyState === 'ended')")
    page.wait_for_timeout(500)
    assert server.door.recordings == []
    page.click("#speak")
    expect(page.locator("#microphone-note")).to_be_visible()
    expect(page.locator("#microphone-go")).to_be_enabled()


def test_a_recording_under_way_is_wiped_even_while_it_ends(serve, stand):
    server = serve(FakeDoor(asr="ready"))
    page = stand(server)
    page.click("#speak")
    page.click("#microphone-go")
    expect(page.locator("#microphone-live")).to_be_visible()
    page.wait_for_timeout(500)
    page.evaluate("document.getElementById('microphone-go').click(); document.getElementById('restart').click();")
    page.wait_for_timeout(800)
    assert server.door.recordings == []
    expect(page.locator("#microphone")).to_be_hidden()


def test_a_machine_without_microphone_says_so(serve, stand):
    server = serve(FakeDoor(asr="ready"))
    page = stand(server)
    page.evaluate(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('none', 'NotFoundError')); 0"
    )
    page.click("#speak")
    page.click("#microphone-go")
    expect(page.locator("#microphone-problem")).to_have_text("没有找到麦克风，或未获得使用许可。")
    expect(page.locator("#microphone-go")).to_be_enabled()


def test_off_says_why_and_what_staff_can_run(serve, visit):
    page = visit(serve())
    speak = page.locator("#speak")
    expect(speak).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#speak-icon")).to_have_attribute("href", "#i-mic-off")
    speak.click(force=True)
    expect(page.locator("#microphone-problem")).to_contain_text("语音功能未开启")
    expect(page.locator("#microphone-off")).to_contain_text("店员")
    expect(page.locator("#microphone-command")).to_have_text("appliance models pull vosk-model-small-cn-0.22")
    expect(page.locator("#microphone-go")).to_be_hidden()
    expect(page.locator("#microphone-note")).to_be_hidden()
    page.click("#microphone-off summary")
    expect(page.locator("#microphone-reason")).to_contain_text("no model is installed")
    page.keyboard.press("Escape")
    page.click("#en")
    speak.click(force=True)
    expect(page.locator("#microphone-problem")).to_contain_text("Speech is off on this machine")
    expect(page.locator("#microphone-off")).to_contain_text("Staff: run the command")


class OnlyChinese(FakeDoor):
    """A door with a recogniser for Chinese and none for English."""

    def features(self) -> tuple[Feature, ...]:
        reason = (
            "zh: vosk-small-cn 已加载 / vosk-small-cn loaded\n"
            "en: 模型未安装 → 请运行 `appliance models pull vosk-small-en` / "
            "vosk-small-en: expected it, found none → Run `appliance models pull vosk-small-en`; x"
        )
        heard = Feature("asr", "ready", "vosk", reason, languages=("zh",))
        return tuple(heard if feature.name == "asr" else feature for feature in super().features())


def test_the_state_gives_each_statement_in_the_language_of_the_page(serve, visit):
    page = visit(serve(OnlyChinese(asr="ready")))
    page.click("#state")
    shown = page.locator("#features li", has_text="vosk-small-cn").locator("p.backend")
    chinese = ["zh: vosk-small-cn 已加载", "en: 模型未安装 → 请运行 `appliance models pull vosk-small-en`"]
    english = [
        "zh: vosk-small-cn loaded",
        "en: vosk-small-en: expected it, found none → Run `appliance models pull vosk-small-en`; x",
    ]
    expect(shown).to_have_text(["vosk", *chinese])
    page.keyboard.press("Escape")
    page.click("#en")
    page.click("#state")
    expect(shown).to_have_text(["vosk", *english])


def test_each_language_has_its_own_microphone(serve, visit):
    page = visit(serve(OnlyChinese(asr="ready")))
    speak = page.locator("#speak")
    expect(speak).to_have_attribute("aria-disabled", "false")
    page.click("#en")
    expect(speak).to_have_attribute("aria-disabled", "true")
    speak.click(force=True)
    expect(page.locator("#microphone-command")).to_have_text("appliance models pull vosk-small-en")
    expect(page.locator("#microphone-reason")).to_have_text(
        "vosk-small-en: expected it, found none → Run `appliance models pull vosk-small-en`; x"
    )
    page.keyboard.press("Escape")
    page.click("#zh")
    expect(speak).to_have_attribute("aria-disabled", "false")


def test_words_are_seen_while_they_are_spoken_and_the_sound_goes_there_as_it_is(serve, stand):
    server = serve(FakeDoor(asr="ready", streams=1))
    page = stand(server)
    page.click("#speak")
    page.click("#microphone-go")
    expect(page.locator("#microphone-words")).to_have_text("洗衣液", timeout=20_000)
    expect(page.locator("#microphone-words")).to_have_text("洗衣液在哪", timeout=20_000)
    page.click("#microphone-go")
    expect(page.locator(".customer .bubble")).to_have_text("洗衣液在哪")
    assert server.door.recordings == [], "nothing is sent twice"
    (heard,) = server.door.hearings
    assert heard.closed
    audio = Audio(np.concatenate(heard.sound), 16_000)
    assert strongest(audio) == pytest.approx(PITCHES, abs=8)


def test_a_stream_that_breaks_loses_nothing_of_what_was_said(serve, stand):
    server = serve(FakeDoor(asr="ready", streams=1))
    page = stand(server)
    page.route("**/v1/streams/*", lambda route: route.abort())
    page.click("#speak")
    page.click("#microphone-go")
    expect(page.locator("#microphone-live")).to_be_visible()
    page.wait_for_timeout(1500)
    page.click("#microphone-go")
    expect(page.locator(".customer .bubble")).to_have_text("洗衣液在哪")
    assert received(server).seconds > 1.0


def test_a_closed_dialog_closes_its_stream(serve, stand):
    server = serve(FakeDoor(asr="ready", streams=1))
    page = stand(server)
    page.click("#speak")
    page.click("#microphone-go")
    expect(page.locator("#microphone-words")).not_to_have_text("", timeout=20_000)
    with page.expect_response(lambda response: response.request.method == "DELETE") as closed:
        page.click("#microphone [data-close]")
    assert closed.value.status == 204
    assert server.door.hearings[0].closed
