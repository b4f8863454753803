"""Voice activity: the rules on made-up probabilities, and the real network on real sound."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sounds import not_speech, spoken

from appliance.artifacts.cases import Case, load_cases
from appliance.artifacts.manifest import shipped_root
from appliance.errors import InvalidInput, SettingInvalid
from appliance.inference.backend import Run
from appliance.speech.resample import to_16k
from appliance.speech.vad import FRAME, FRAME_SECONDS, USUAL, Rules, Vad, find_segments
from appliance.speech.wav import decode
from appliance.values import Audio, Segment

BARE = Rules(minimum_speech=0, minimum_silence=3 * FRAME_SECONDS, pre_roll=0, tail=0)
"""Rules that neither drop nor pad, with a patience of three frames."""


def frames(pattern: str) -> list[float]:
    """`#` speech, `+` between release and threshold, `.` silence."""
    return [{"#": 0.9, "+": 0.4, ".": 0.1}[mark] for mark in pattern]


def found(pattern: str, rules: Rules = BARE) -> list[tuple[int, int]]:
    """Segments in `pattern` in frames."""
    segments = find_segments(frames(pattern), rules, len(pattern) * FRAME_SECONDS)
    return [(round(s.start / FRAME_SECONDS), round(s.end / FRAME_SECONDS)) for s in segments]


@pytest.mark.parametrize(
    "pattern, expected",
    [
        ("", []),
        ("......", []),
        ("++++++", []),
        ("..###....", [(2, 5)]),
        ("..###", [(2, 5)]),
        ("###", [(0, 3)]),
        (".#++#++....", [(1, 7)]),  # between the two levels nothing changes
        ("+++###", [(3, 6)]),
        ("##..##....", [(0, 6)]),  # two frames of silence are no end
        ("##...##....", [(0, 2), (5, 7)]),  # three are
        ("##..+..+...##", [(0, 8), (11, 13)]),
        ("#..........#", [(0, 1), (11, 12)]),
    ],
)
def test_hysteresis(pattern: str, expected: list[tuple[int, int]]) -> None:
    assert found(pattern) == expected


def test_short_bursts_are_dropped() -> None:
    rules = replace(BARE, minimum_speech=3 * FRAME_SECONDS)
    assert found("..##......###.....##", rules) == [(10, 13)]
    assert found("..#.#.....#.#.#...", rules) == [(10, 15)], "gaps within speech are not speech"


def test_padding_stays_inside_the_sound_and_shares_gaps() -> None:
    rules = replace(BARE, pre_roll=4 * FRAME_SECONDS, tail=2 * FRAME_SECONDS)
    assert found(".###........###.", rules) == [(0, 6), (8, 16)]
    assert found("###....###", rules) == [(0, 5), (5, 10)], "the gap is shared in the middle"


def test_a_long_segment_is_cut_where_speech_is_least_likely() -> None:
    rules = replace(BARE, maximum=32 * FRAME_SECONDS)
    assert found("#" * 20 + "+" + "#" * 40, rules) == [(0, 20), (20, 36), (36, 61)]
    assert found("#" * 32, rules) == [(0, 32)]


@given(st.lists(st.floats(0, 1, width=32), max_size=200), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(1, 3))
def test_segments_are_in_order_inside_and_apart(
    values: list[float], silence: float, pad: float, longest: float
) -> None:
    rules = Rules(minimum_silence=silence, pre_roll=pad, tail=pad, maximum=longest)
    seconds = len(values) * FRAME_SECONDS
    before = 0.0
    for segment in find_segments(values, rules, seconds):
        assert before <= segment.start < segment.end <= seconds
        assert segment.end - segment.start <= longest + 2 * pad + FRAME_SECONDS
        before = segment.end


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"threshold": 0.3}, "release <= threshold"),
        ({"threshold": 1.0}, "threshold < 1"),
        ({"release": 0.0}, "0 < release"),
        ({"tail": -0.1}, "0 or more"),
        ({"maximum": float("nan")}, "at least 1 s"),
        ({"maximum": 0.5}, "at least 1 s, got 0.5"),
    ],
)
def test_rules_that_contradict_each_other(changes: Mapping[str, float], words: str) -> None:
    with pytest.raises(SettingInvalid, match=words):
        replace(USUAL, **changes)


class FakeNetwork:
    """Counts frames in its state, keeps what it was given and says `speech` where a frame is loud."""

    def __init__(self) -> None:
        self.calls: list[dict[str, np.ndarray]] = []
        self.deadlines: list[float | None] = []

    def __call__(self, inputs: Mapping[str, np.ndarray], /, *, deadline: float | None = None) -> dict[str, np.ndarray]:
        self.calls.append(dict(inputs))
        self.deadlines.append(deadline)
        loud = np.abs(inputs["input"]).max(axis=1).astype(np.float32)
        return {"speech_probs": loud, "hn": inputs["h"] + len(loud), "cn": inputs["c"] - len(loud)}


def audio(samples: np.ndarray) -> Audio:
    return Audio(samples.astype(np.float32), 16000)


def test_frames_overlap_by_their_context() -> None:
    network = FakeNetwork()
    samples = np.arange(1, FRAME * 2 + 101) / 2000
    assert Vad(network).probabilities(audio(samples)).shape == (3,)
    (call,) = network.calls
    expected = np.concatenate([np.zeros(64), samples, np.zeros(FRAME - 100)]).astype(np.float32)
    assert call["input"].shape == (3, 576)
    assert call["input"].flags.c_contiguous
    for row in range(3):
        np.testing.assert_array_equal(call["input"][row], expected[row * FRAME : row * FRAME + 576])
    assert not call["h"].any()
    assert call["h"].shape == call["c"].shape == (1, 1, 128)


def test_state_and_deadline_go_along_a_long_recording() -> None:
    network = FakeNetwork()
    values = Vad(network).probabilities(audio(np.ones(FRAME * 600)), deadline=12.5)
    assert values.shape == (600,)
    assert [len(call["input"]) for call in network.calls] == [256, 256, 88]
    assert [call["h"].flat[0] for call in network.calls] == [0, 256, 512]
    assert [call["c"].flat[0] for call in network.calls] == [0, -256, -512]
    assert network.deadlines == [12.5] * 3


def test_no_sound_at_all_asks_nothing() -> None:
    network = FakeNetwork()
    assert Vad(network).segments(audio(np.zeros(0))) == ()
    assert network.calls == []


def test_another_rate_is_refused() -> None:
    with pytest.raises(InvalidInput, match="expected 16000 samples per second, got 8000"):
        Vad(FakeNetwork()).segments(Audio(np.zeros(8000, np.float32), 8000))


# From here on the real network.


def recording(data: bytes) -> Audio:
    return to_16k(decode(data, max_seconds=60, max_bytes=1 << 25))


def between(*parts: Audio | float) -> Audio:
    """Sounds and silences (in seconds) one after the other."""
    return audio(np.concatenate([np.zeros(round(p * 16000)) if isinstance(p, float) else p.samples for p in parts]))


CASES = load_cases(shipped_root() / "silero-vad" / "cases")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path.stem)
def test_shipped_cases(vad: Vad, case: Case) -> None:
    sound = recording(case.path.read_bytes())
    truth: list[list[float]] = case.truth["speech"]
    segments = vad.segments(sound)
    assert len(segments) == len(truth)
    for segment, (start, end) in zip(segments, truth, strict=True):
        assert segment.start < start + 0.02, "the first syllable is kept whole"
        assert segment.end > end - 0.02, "and so is the last"
    frames_of = (np.arange(len(vad.probabilities(sound))) + 0.5) * FRAME_SECONDS
    spoken_at = np.array([any(a <= t < b for a, b in truth) for t in frames_of])
    agreement = (spoken_at == (vad.probabilities(sound) >= 0.5)).mean()
    assert agreement >= 0.9


def test_there_are_cases_with_and_without_speech() -> None:
    assert {bool(case.truth["speech"]) for case in CASES} == {True, False}


def test_pieces_equal_the_whole(vad: Vad, vad_run: Run, espeak: str) -> None:
    sound = between(
        recording(spoken(espeak, "xi3 yi1 ye4 zai4 na3 li3")), 5.0, recording(spoken(espeak, "ni3 hao3")), 3.0
    )
    whole = FakeNetwork()
    Vad(whole).probabilities(sound)
    everything = np.concatenate([call["input"] for call in whole.calls])
    assert len(everything) > 256
    zero = np.zeros((1, 1, 128), np.float32)
    at_once = vad_run({"input": everything, "h": zero, "c": zero})["speech_probs"]
    np.testing.assert_allclose(vad.probabilities(sound), at_once, atol=1e-5)


@pytest.mark.parametrize("word", ["shi4", "dui4", "bu4", "yi1"])
@pytest.mark.parametrize("speed", [160, 220])
def test_a_curt_word_is_heard(vad: Vad, espeak: str, word: str, speed: int) -> None:
    said = recording(spoken(espeak, word, speed=speed))
    (segment,) = vad.segments(between(1.0, said, 1.0))
    assert segment.start < 1.1
    assert segment.end > 1.2


@pytest.mark.parametrize("name", not_speech())
def test_what_is_no_speech(vad: Vad, name: str) -> None:
    assert vad.segments(audio(np.clip(not_speech()[name], -1, 1))) == ()


def test_speech_in_noise_is_found(vad: Vad, espeak: str) -> None:
    said = recording(spoken(espeak, "qing3 wen4 xi3 yi1 ye4 zai4 na3 li3"))
    sound = between(2.0, said, 2.0).samples
    level = float(np.sqrt(np.mean(said.samples**2)))
    (segment,) = vad.segments(audio(sound + 0.1 * level * np.random.default_rng(7).standard_normal(len(sound))))
    assert 1.4 < segment.start < 2.2
    assert segment.end == pytest.approx(2 + said.seconds, abs=0.6)


def test_two_threads_do_not_share_state(vad: Vad, espeak: str) -> None:
    sounds = [between(0.5, recording(spoken(espeak, word)), 1.0) for word in ("ni3 hao3", "zai4 jian4", "bu4 yao4 le5")]
    alone = [vad.segments(sound) for sound in sounds]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(vad.segments, sounds * 5))
    assert together == alone * 5
    assert all(isinstance(segment, Segment) for segments in alone for segment in segments)


def test_a_deadline_reaches_the_backend(vad_run: Run) -> None:
    seen: list[float | None] = []

    def spy(inputs: Mapping[str, np.ndarray], /, *, deadline: float | None = None) -> dict[str, np.ndarray]:
        seen.append(deadline)
        return vad_run(inputs)

    limit = time.monotonic() + 30
    Vad(spy).segments(audio(np.zeros(16000)), deadline=limit)
    assert seen == [limit]


def test_a_sentence_after_a_long_silence_is_where_it_was_said(vad: Vad, espeak: str) -> None:
    said = recording(spoken(espeak, "xi3 yi1 ye4 zai4 na3 li3"))
    first, second = vad.segments(between(1.0, said, 40.0, said, 5.0))
    assert second.start - first.start == pytest.approx(40 + said.seconds, abs=0.15)
    assert second.end - first.end == pytest.approx(40 + said.seconds, abs=0.15)
