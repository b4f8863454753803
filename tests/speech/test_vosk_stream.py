"""Streams of the Vosk recogniser, on a fake that hears tones as words; a real one in test_vosk_stream_model."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sounds import tone, vosk_folder

from appliance.errors import BackendFailed, DeadlineExceeded, Unavailable
from appliance.inference.backend import WrongState
from appliance.listener import Listener, silent
from appliance.speech.asr import Streaming
from appliance.speech.vosk import VoskRecogniser
from appliance.speech.vosk_stream import VoskStream
from appliance.values import Audio, Segment, Transcript

pytestmark = pytest.mark.usefixtures("fake_vosk")


def audio(*parts: float) -> Audio:
    """Silences and tones of these seconds in turn, beginning with a silence."""
    pieces = [tone(16000, part, level=0.5 * (n % 2)) for n, part in enumerate(parts)]
    return Audio(np.concatenate(pieces).astype(np.float32), 16000)


SENTENCE = audio(0.3, 0.1, 0.2, 0.2, 0.2, 0.3, 0.2, 0.4, 0.1)


def recogniser(folder: Path, behaviour: str = "hear", listener: Listener = silent) -> VoskRecogniser:
    """A loaded recogniser of the fake vosk."""
    model = vosk_folder(folder / "model", behaviour)
    result = VoskRecogniser(model, language="zh", name="fake-zh", rehearsed=True, listener=listener)
    result.load()
    return result


def spoken(stream: VoskStream, samples: np.ndarray, size: int = 1600) -> Transcript:
    """Feed everything in pieces of `size`, and finish."""
    for at in range(0, len(samples), size):
        stream.feed(samples[at : at + size])
    return stream.finish()


def soon(true: Callable[[], bool]) -> bool:
    """Whether something becomes true within ten seconds."""
    until = time.monotonic() + 10
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


NOTHING = np.zeros(0, np.float32)


@pytest.mark.parametrize("size", [160, 512, 3999, 4000, 100_000])
@pytest.mark.parametrize("parts", [(0.3, 0.1, 0.2, 0.2), (0.25, 0.1, 1.5, 0.2, 0.5), (0.7,), (0.0, 0.4)])
def test_a_stream_hears_what_a_recording_holds(tmp_path: Path, size: int, parts: Sequence[float]) -> None:
    ear: Streaming = recogniser(tmp_path)
    sound = audio(*parts)
    whole = ear.transcribe(sound, (Segment(0.0, sound.seconds),))
    heard = spoken(ear.stream(), sound.samples, size)  # type: ignore[arg-type]
    assert heard == whole
    assert heard.seconds == sound.seconds


def test_the_text_grows_while_somebody_speaks(tmp_path: Path) -> None:
    stream = recogniser(tmp_path).stream()
    seen = [""]
    for at in range(0, len(SENTENCE.samples), 4000):
        stream.feed(SENTENCE.samples[at : at + 4000])
        assert soon(lambda: stream._waiting == 0)
        seen.append(stream.feed(NOTHING))
    heard = stream.finish()
    assert heard.text == "我要wifi code"
    assert seen[0] == ""
    assert "我" in seen
    assert len(set(seen)) >= 4
    assert [len(text) for text in seen] == sorted(len(text) for text in seen)
    assert [word.text for word in heard.words] == ["我", "要", "wifi", "code"]
    assert heard.words[1].start == pytest.approx(0.6, abs=0.01)
    assert (heard.confidence, heard.language, heard.engine) == (0.5, "zh", "vosk:fake-zh")


def test_words_before_an_endpoint_stay_in_the_text(tmp_path: Path) -> None:
    stream = recogniser(tmp_path).stream()
    sound = audio(0.25, 0.1, 1.15, 0.2, 0.3)
    stream.feed(sound.samples)
    assert soon(lambda: stream.feed(NOTHING) == "我要")
    assert stream.finish().text == "我要"


def test_each_utterance_has_a_recogniser_of_its_own_on_its_own_thread(tmp_path: Path) -> None:
    import vosk

    ear = recogniser(tmp_path)
    for _ in range(3):
        assert spoken(ear.stream(), SENTENCE.samples).text == "我要wifi code"
    assert soon(lambda: gc.collect() >= 0 and vosk.alive == 0), "and none is kept, because a kept one grows"
    assert vosk.recognisers == 3
    assert threading.current_thread().name not in vosk.threads


def test_fed_samples_may_be_overwritten(tmp_path: Path) -> None:
    stream = recogniser(tmp_path).stream()
    block = np.empty(1600, np.float32)
    for at in range(0, len(SENTENCE.samples), 1600):
        piece = SENTENCE.samples[at : at + 1600]
        block[: len(piece)] = piece
        stream.feed(block[: len(piece)])
        block[:] = 0.7
    assert stream.finish().text == "我要wifi code"


class Heard:
    """Keeps the events that it is told."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.events.append({"event": event, **fields})


def test_phrases_become_a_grammar_and_unknown_words_are_told_once(tmp_path: Path) -> None:
    import vosk

    listener = Heard()
    ear = recogniser(tmp_path, listener=listener)
    phrases = ["我要", "wifi密码"]
    for _ in range(2):
        assert spoken(ear.stream(phrases=phrases), SENTENCE.samples).text == "我要wifi"
    assert [json.loads(text) for text in vosk.grammars] == [["我 要", "wifi [unk]", "[unk]"]] * 2
    told = {"event": "asr_phrases", "engine": "vosk:fake-zh", "used": True, "unknown": ("密码",), "reason": ""}
    assert listener.events == [told]
    assert spoken(ear.stream(), SENTENCE.samples).text == "我要wifi code", "without phrases everything is heard"
    assert ear.stream(phrases=["code"]).finish().text == ""
    assert json.loads(vosk.grammars[-1]) == ["code", "[unk]"]


def test_a_model_that_does_not_know_the_unknown(tmp_path: Path) -> None:
    import vosk

    spoken(recogniser(tmp_path, "plain").stream(phrases=["我要密码"]), SENTENCE.samples)
    assert json.loads(vosk.grammars[-1]) == ["我 要"]


def test_where_no_grammar_can_be_everything_is_heard_and_said(tmp_path: Path) -> None:
    import vosk

    listener = Heard()
    ear = recogniser(tmp_path, listener=listener)
    assert spoken(ear.stream(phrases=["密码"]), SENTENCE.samples).text == "我要wifi code"
    (ear.folder / "graph" / "HCLG.fst").write_text("composed before")
    assert spoken(ear.stream(phrases=["我要"]), SENTENCE.samples).text == "我要wifi code"
    assert vosk.grammars == ["", ""]
    assert [(told["used"], told["unknown"]) for told in listener.events] == [(False, ("密码",)), (False, ())]
    assert "knows none" in str(listener.events[0]["reason"])
    assert "composed before" in str(listener.events[1]["reason"])


@pytest.mark.parametrize("behaviour", ["deaf", "stumble"])
def test_a_failure_on_the_thread_comes_to_who_feeds_and_who_finishes(tmp_path: Path, behaviour: str) -> None:
    ear = recogniser(tmp_path, behaviour)
    stream = ear.stream()
    with pytest.raises(BackendFailed, match="vosk:fake-zh: expected to recognise, got Failed to"):
        spoken(stream, SENTENCE.samples)
    with pytest.raises(BackendFailed, match="got Failed to"):
        stream.finish()
    assert soon(lambda: not stream._thread.is_alive())

    def fed() -> bool:
        feeding.feed(SENTENCE.samples[:4000])
        return False

    feeding = ear.stream()
    with pytest.raises(BackendFailed, match="got Failed to"):
        soon(fed)
    feeding.close()


def stuck(folder: Path, *, queue_s: float = 30.0, patience_s: float = 0.1) -> VoskStream:
    """A stream whose recogniser does not come to an end until `vosk.gate` is set."""
    import vosk

    model = vosk.Model(str(vosk_folder(folder / "model", "stuck")))
    make: Callable[[], object] = lambda: vosk.KaldiRecognizer(model, 16000.0)  # noqa: E731
    return VoskStream(make, name="vosk:stuck", language="zh", queue_s=queue_s, patience_s=patience_s)


def test_sound_that_cannot_be_decoded_in_time_does_not_pile_up(tmp_path: Path) -> None:
    import vosk

    stream = stuck(tmp_path, queue_s=1.0)
    second = np.zeros(16000, np.float32)
    stream.feed(second)
    with pytest.raises(BackendFailed, match="expected decoding to keep up, got 1 s of sound waiting"):
        stream.feed(second)
    vosk.gate.set()
    stream.close()
    assert not stream._thread.is_alive()


def test_who_feeds_waits_while_there_is_no_room(tmp_path: Path) -> None:
    import vosk

    stream = stuck(tmp_path, queue_s=1.0, patience_s=20.0)
    stream.feed(SENTENCE.samples[:16000])
    timer = threading.Timer(0.05, vosk.gate.set)
    timer.start()
    stream.feed(SENTENCE.samples[16000:])
    assert vosk.gate.is_set()
    stream.finish()
    timer.join()


def test_an_end_that_does_not_come_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    import vosk

    stream = stuck(tmp_path)
    stream.feed(SENTENCE.samples)
    with pytest.raises(DeadlineExceeded, match=r"expected the words within 0\.1 s"):
        stream.finish()
    with pytest.raises(WrongState):
        stream.feed(SENTENCE.samples)
    vosk.gate.set()
    stream.close()
    assert not stream._thread.is_alive()


def test_breaking_off_decodes_no_more(tmp_path: Path) -> None:
    ear = recogniser(tmp_path, "slow")
    stream = ear.stream()
    stream.feed(np.zeros(16000 * 20, np.float32))
    stream.close()
    stream.close()
    assert not stream._thread.is_alive(), "twenty seconds would have taken four"
    for call in (lambda: stream.feed(NOTHING), stream.finish):
        with pytest.raises(WrongState, match="got one that is over"):
            call()


def test_who_waits_for_the_end_is_told_when_it_is_broken_off(tmp_path: Path) -> None:
    import vosk

    stream = stuck(tmp_path, patience_s=20.0)
    stream.feed(SENTENCE.samples)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(stream.finish)
        assert soon(lambda: stream._ending)
        closing = threading.Thread(target=stream.close)
        closing.start()
        with pytest.raises(WrongState, match="closed meanwhile"):
            waiting.result(10)
        vosk.gate.set()
        closing.join()


def test_a_stream_is_finished_once(tmp_path: Path) -> None:
    stream = recogniser(tmp_path).stream()
    assert stream.finish().text == ""
    with pytest.raises(WrongState):
        stream.finish()
    stream.close()


def test_streams_side_by_side_and_beside_a_recording_hear_their_own(tmp_path: Path) -> None:
    ear = recogniser(tmp_path, "slow")
    sounds = [audio(0.3, length, 0.2) for length in (0.1, 0.2, 0.3, 0.4)]
    whole = audio(0.3, 0.4, 0.2)
    with ThreadPoolExecutor(5) as pool:
        recording = pool.submit(ear.transcribe, whole, (Segment(0.0, whole.seconds),))
        heard = list(pool.map(lambda sound: spoken(ear.stream(), sound.samples), sounds))
    assert [each.text for each in heard] == ["我", "要", "wifi", "code"]
    assert recording.result().text == "code"


def test_closing_the_model_breaks_off_its_streams(tmp_path: Path) -> None:
    ear = recogniser(tmp_path, "slow")
    with pytest.raises(Unavailable, match="expected a loaded model, got none"):
        VoskRecogniser(ear.folder, language="zh", name="x").stream()
    stream = ear.stream()
    stream.feed(np.zeros(16000 * 20, np.float32))
    ear.close()
    assert not stream._thread.is_alive()
    with pytest.raises(WrongState):
        stream.finish()
    with pytest.raises(Unavailable):
        ear.stream()
    ear.load()
    assert spoken(ear.stream(), SENTENCE.samples).text == "我要wifi code"
