"""The streaming recogniser: what it hears depends on the sound alone, not on how it is cut; slots; what goes wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("kaldi_native_fbank")

import acoustic_network  # noqa: E402

from appliance.errors import (  # noqa: E402
    DeadlineExceeded,
    InvalidInput,
    ModelCorrupt,
    ModelMismatch,
    ModelMissing,
    Unavailable,
)
from appliance.inference.backend import WrongState  # noqa: E402
from appliance.speech.ctc import stream as stream_module  # noqa: E402
from appliance.speech.ctc.stream import CtcStreaming, read_sizes  # noqa: E402
from appliance.speech.resample import RATE  # noqa: E402
from appliance.values import Audio, Segment  # noqa: E402


def run_of(backend):  # type: ignore[no-untyped-def]
    return lambda inputs, /, *, deadline=None: backend.infer(inputs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return acoustic_network.folder(tmp_path_factory.mktemp("acoustic"))


@pytest.fixture(scope="module")
def hears(folder: Path) -> Iterator[CtcStreaming]:
    with acoustic_network.backend(folder) as backend:
        yield CtcStreaming(run_of(backend), folder, name="tiny")


SOUND = acoustic_network.sound()


def whole(hears: CtcStreaming, samples: np.ndarray):  # type: ignore[no-untyped-def]
    stream = hears.stream()
    stream.feed(samples)
    return stream.finish()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, len(SOUND)), max_size=12))
def test_what_is_heard_does_not_depend_on_how_the_sound_is_cut(hears: CtcStreaming, cuts: list[int]) -> None:
    stream = hears.stream()
    for part in np.split(SOUND, sorted(cuts)):
        stream.feed(part)
    heard = stream.finish()
    assert heard == whole(hears, SOUND)
    assert len(heard.text) >= 5, "a sound in which nothing is heard would show nothing"
    assert heard.seconds == 2.0


def test_one_sample_after_the_other_is_heard_alike(hears: CtcStreaming) -> None:
    stream = hears.stream()
    for sample in SOUND[:3000]:
        stream.feed(sample[None])
    assert stream.finish() == whole(hears, SOUND[:3000])


def test_partials_come_before_the_end(hears: CtcStreaming) -> None:
    stream = hears.stream()
    partials = [stream.feed(SOUND[:0])]
    assert partials == [""]
    partials += [stream.feed(SOUND[at : at + 1600]) for at in range(0, len(SOUND), 1600)]
    assert len({*partials}) > 2
    assert len(stream.finish().text) >= len(partials[-1]) - 2


@pytest.mark.parametrize(("least", "words"), [(0.0, True), (1.01, False)])
def test_what_is_not_sure_enough_to_be_speech_is_not_told(
    hears: CtcStreaming, monkeypatch: pytest.MonkeyPatch, least: float, words: bool
) -> None:
    monkeypatch.setattr(stream_module, "LEAST", least)
    stream = hears.stream()
    partials = [stream.feed(part) for part in np.split(SOUND, 20)]
    heard = stream.finish()
    assert any(partials) is words
    assert bool(heard.words) is bool(heard.text) is words


def test_a_recording_is_a_stream_for_each_segment(hears: CtcStreaming) -> None:
    segments = (Segment(0.1, 0.9), Segment(1.0, 1.75))
    heard = hears.transcribe(Audio(SOUND, RATE), segments)
    alone = [whole(hears, SOUND[round(s.start * RATE) : round(s.end * RATE)]) for s in segments]
    assert heard.text == "".join(one.text for one in alone)
    for word in heard.words:
        assert any(s.start <= word.start <= word.end <= s.end for s in segments)
        assert 0 < word.confidence <= 1
    assert heard.engine == "ctc:tiny"
    assert heard.language == "zh"
    assert heard.seconds == 2.0


@pytest.mark.parametrize("count", [0, 1, 399, 400, 2560])
def test_short_sounds_are_heard_to_their_end(hears: CtcStreaming, count: int) -> None:
    heard = whole(hears, SOUND[:count])
    assert all(0 <= word.start <= word.end <= count / RATE for word in heard.words)
    assert heard.seconds == count / RATE


def test_the_tail_brings_out_what_was_said_last(hears: CtcStreaming) -> None:
    """The network is late by DELAY steps: without silence behind the sound its last steps would be missing."""
    stream = hears.stream()
    stream.feed(SOUND)
    last = stream.finish().words[-1]
    assert last.end > 2.0 - 0.16


def test_names_of_the_pack_and_of_the_moment_are_favoured(folder: Path) -> None:
    with acoustic_network.backend(folder) as backend:
        run = run_of(backend)
        plain = whole(CtcStreaming(run, folder, name="tiny"), SOUND).text
        pairs = ["你马你马", "A马A"]
        at_start = whole(CtcStreaming(run, folder, name="tiny", phrases=pairs), SOUND).text
        stream = CtcStreaming(run, folder, name="tiny").stream(phrases=pairs)
        stream.feed(SOUND)
        assert stream.finish().text == at_start != plain


def test_streams_do_not_know_of_each_other(hears: CtcStreaming) -> None:
    first, second = hears.stream(), hears.stream()
    other = acoustic_network.sound(1.5, seed=9)
    for at in range(0, len(SOUND), 800):
        first.feed(SOUND[at : at + 800])
        second.feed(other[at : at + 800])
    assert first.finish() == whole(hears, SOUND)
    assert second.finish() == whole(hears, other)


def test_a_stream_that_is_over_says_so(hears: CtcStreaming) -> None:
    stream = hears.stream()
    stream.feed(SOUND[:1000])
    stream.finish()
    with pytest.raises(WrongState):
        stream.feed(SOUND[:1000])
    with pytest.raises(WrongState):
        stream.finish()
    stream.close()
    given_up = hears.stream()
    given_up.close()
    given_up.close()
    with pytest.raises(WrongState):
        given_up.feed(SOUND[:10])


def test_a_closed_recogniser_begins_nothing(folder: Path) -> None:
    with acoustic_network.backend(folder) as backend:
        hears = CtcStreaming(run_of(backend), folder, name="tiny")
        hears.close()
        hears.close()
        with pytest.raises(Unavailable, match="closed"):
            hears.stream()


def test_what_does_not_fit_is_refused(hears: CtcStreaming) -> None:
    with pytest.raises(InvalidInput, match="16000"):
        hears.transcribe(Audio(SOUND, 8000), (Segment(0, 1),))
    with pytest.raises(InvalidInput, match="shape"):
        hears.stream().feed(SOUND[None])
    with pytest.raises(DeadlineExceeded):
        hears.transcribe(Audio(SOUND, RATE), (Segment(0, 2),), deadline=time.monotonic() - 1)


def test_another_networks_classes_are_refused(tmp_path: Path) -> None:
    other = acoustic_network.folder(tmp_path / "other", units=9)
    with acoustic_network.backend(other, 9) as backend:
        stream = CtcStreaming(run_of(backend), other, name="other").stream()
        with pytest.raises(ModelMismatch, match="7 classes"):
            stream.feed(SOUND)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"delay": 1}', '{"front": [3]}'])
def test_broken_sizes_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "acoustic.json"
    with pytest.raises(ModelMissing):
        read_sizes(path)
    path.write_text(content, "utf-8")
    with pytest.raises(ModelCorrupt, match=r"acoustic\.json"):
        read_sizes(path)


def test_sizes_that_cannot_be_are_refused(folder: Path, tmp_path: Path) -> None:
    good = json.loads((folder / "acoustic.json").read_text("utf-8"))
    for wrong in ({"piece": 6}, {"piece": 0}, {"layers": 0}, {"width": "many"}):
        (tmp_path / "acoustic.json").write_text(json.dumps(good | wrong), "utf-8")
        with pytest.raises(ModelCorrupt):
            read_sizes(tmp_path / "acoustic.json")
