"""The Vosk recogniser, on a fake that hears tones as words and on a damaged folder; a real one in test_vosk_model."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sounds import tone, vosk_folder

from appliance.errors import BackendFailed, DeadlineExceeded, InvalidInput, ModelCorrupt, ModelMissing, Unavailable
from appliance.speech.vosk import VoskRecogniser
from appliance.values import Audio, Segment


def audio(*parts: float) -> Audio:
    """Silences and tones of these seconds in turn, beginning with a silence."""
    pieces = [tone(16000, part, level=0.5 * (n % 2)) for n, part in enumerate(parts)]
    return Audio(np.concatenate(pieces).astype(np.float32), 16000)


def recogniser(folder: Path, behaviour: str = "hear") -> VoskRecogniser:
    """A loaded recogniser of the fake vosk."""
    result = VoskRecogniser(vosk_folder(folder / "model"), language="zh", name="fake-zh", rehearsed=True)
    (result.folder / "behaviour").write_text(behaviour)
    result.load()
    return result


@pytest.mark.usefixtures("fake_vosk")
def test_words_of_all_segments_with_their_times(tmp_path: Path) -> None:
    ear = recogniser(tmp_path)
    sound = audio(0.5, 0.1, 0.2, 0.2, 2.0, 0.3, 0.2, 0.4, 0.5)
    heard = ear.transcribe(sound, (Segment(0.25, 1.25), Segment(2.75, 4.25)))
    assert heard.text == "我要wifi code"
    assert [word.text for word in heard.words] == ["我", "要", "wifi", "code"]
    times = [(word.start, word.end) for word in heard.words]
    np.testing.assert_allclose(times, [(0.5, 0.6), (0.8, 1.0), (3.0, 3.3), (3.5, 3.9)], atol=0.01)
    assert heard.confidence == 0.5
    assert (heard.language, heard.engine, heard.seconds) == ("zh", "vosk:fake-zh", sound.seconds)


@pytest.mark.usefixtures("fake_vosk")
def test_an_endpoint_inside_a_segment_loses_nothing(tmp_path: Path) -> None:
    sound = audio(0.25, 0.1, 1.5, 0.2, 0.5)
    heard = recogniser(tmp_path).transcribe(sound, (Segment(0.0, sound.seconds),))
    assert heard.text == "我要"
    np.testing.assert_allclose([word.start for word in heard.words], [0.25, 1.85], atol=0.01)


@pytest.mark.usefixtures("fake_vosk")
def test_a_word_at_the_very_end_is_kept_inside(tmp_path: Path) -> None:
    heard = recogniser(tmp_path).transcribe(audio(0.5, 0.2), (Segment(0.25, 0.7),))
    assert heard.text == "要"
    assert heard.words[0].end <= 0.7


@pytest.mark.usefixtures("fake_vosk")
def test_what_is_no_word_is_left_out(tmp_path: Path) -> None:
    sound = audio(0.2, 0.5, 0.2)
    assert recogniser(tmp_path).transcribe(sound, (Segment(0.0, 0.9),)).words == ()


@pytest.mark.usefixtures("fake_vosk")
def test_each_recording_gets_a_recogniser_of_its_own(tmp_path: Path) -> None:
    import vosk

    ear = recogniser(tmp_path)
    before = vosk.recognisers
    for _ in range(3):
        assert ear.transcribe(audio(0.2, 0.1, 0.2, 0.1, 0.2), (Segment(0.0, 0.4), Segment(0.4, 0.8))).text == "我我"
    assert vosk.recognisers == before + 3
    assert vosk.levels[-1] < -1, "vosk says nothing but errors"


@pytest.mark.usefixtures("fake_vosk")
def test_samples_out_of_range_do_not_wrap(tmp_path: Path) -> None:
    sound = Audio(audio(0.2, 0.1, 0.2).samples * np.float32(8), 16000)
    assert recogniser(tmp_path).transcribe(sound, (Segment(0.0, 0.5),)).text == "我"


@pytest.mark.usefixtures("fake_vosk")
def test_a_deadline_that_has_passed(tmp_path: Path) -> None:
    ear = recogniser(tmp_path)
    with pytest.raises(DeadlineExceeded, match=r"got 0\.0 s in"):
        ear.transcribe(audio(0.2, 0.1, 0.2), (Segment(0.0, 0.5),), deadline=time.monotonic() - 1)
    assert ear.transcribe(audio(0.2, 0.1, 0.2), (Segment(0.0, 0.5),)).text == "我", "the lock is free again"


@pytest.mark.usefixtures("fake_vosk")
def test_a_deadline_is_kept_between_chunks(tmp_path: Path) -> None:
    ear = recogniser(tmp_path, "slow")
    with pytest.raises(DeadlineExceeded, match="before the deadline"):
        ear.transcribe(audio(60.0), (Segment(0.0, 60.0),), deadline=time.monotonic() + 0.2)


@pytest.mark.usefixtures("fake_vosk")
def test_waiting_for_another_recording_counts(tmp_path: Path) -> None:
    ear = recogniser(tmp_path, "slow")
    first = threading.Thread(target=ear.transcribe, args=(audio(5.0), (Segment(0.0, 5.0),)))
    first.start()
    while not ear._lock.locked():
        time.sleep(0.001)
    with pytest.raises(DeadlineExceeded, match="got a busy one"):
        ear.transcribe(audio(0.2), (Segment(0.0, 0.2),), deadline=time.monotonic() + 0.01)
    first.join()


@pytest.mark.usefixtures("fake_vosk")
@pytest.mark.parametrize("behaviour", ["deaf", "stumble"])
def test_a_failure_inside_vosk_is_typed(tmp_path: Path, behaviour: str) -> None:
    with pytest.raises(BackendFailed, match="vosk:fake-zh: expected to recognise, got Failed to"):
        recogniser(tmp_path, behaviour).transcribe(audio(0.2), (Segment(0.0, 0.2),))


@pytest.mark.usefixtures("fake_vosk")
def test_before_load_after_close_and_load_again(tmp_path: Path) -> None:
    ear = VoskRecogniser(vosk_folder(tmp_path / "model"), language="zh", name="fake-zh")
    sound, all_of_it = audio(0.2, 0.1, 0.2), (Segment(0.0, 0.5),)
    with pytest.raises(Unavailable, match="expected a loaded model, got none") as caught:
        ear.transcribe(sound, all_of_it)
    assert caught.value.retry_after == 5
    ear.load()
    model = ear._model
    ear.load()
    assert ear._model is model
    ear.close()
    ear.close()
    with pytest.raises(Unavailable):
        ear.transcribe(sound, all_of_it)
    ear.load()
    assert ear.transcribe(sound, all_of_it).text == "我"


@pytest.mark.usefixtures("fake_vosk")
def test_a_model_that_this_process_cannot_load_either(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match="expected it to load, got Failed to create a model"):
        recogniser(tmp_path, "refuse")


def test_another_rate_is_refused(tmp_path: Path) -> None:
    ear = VoskRecogniser(tmp_path, language="zh", name="x")
    with pytest.raises(InvalidInput, match="expected 16000 samples per second, got 8000"):
        ear.transcribe(Audio(np.zeros(8, np.float32), 8000), ())


def test_constructing_touches_nothing_and_loading_nothing_says_so(tmp_path: Path) -> None:
    ear = VoskRecogniser(tmp_path / "absent", language="zh", name="vosk-small-cn")
    assert (ear.name, ear.language) == ("vosk:vosk-small-cn", "zh")
    with pytest.raises(ModelMissing):
        ear.load()


def test_the_real_vosk_on_a_damaged_folder(tmp_path: Path) -> None:
    ear = VoskRecogniser(vosk_folder(tmp_path / "model"), language="zh", name="x")
    with pytest.raises(ModelCorrupt, match="VoskAPI"):
        ear.load()


def test_without_the_vosk_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vosk", None)
    ear = VoskRecogniser(vosk_folder(tmp_path / "model"), language="zh", name="x", rehearsed=True)
    with pytest.raises(Unavailable, match="expected the package vosk"):
        ear.load()
