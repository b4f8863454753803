"""Utterances in a stream: as in a recording on made-up probabilities, and with the real network on real sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from fakes.network import LoudNetwork, sound
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import not_speech, spoken

from appliance.errors import BackendFailed
from appliance.inference.backend import Run
from appliance.speech.resample import RATE, to_16k
from appliance.speech.segment import Began, Ended, Endpointer, Event, Speech
from appliance.speech.vad import FRAME, FRAME_SECONDS, USUAL, Rules, Vad, find_segments
from appliance.speech.wav import decode
from appliance.values import Audio

BARE = Rules(minimum_speech=0, minimum_silence=3 * FRAME_SECONDS, pre_roll=0, tail=0)
"""Rules that neither drop nor pad, with a patience of three frames."""


def heard(endpointer: Endpointer, samples: np.ndarray, sizes: Sequence[int] = (FRAME,)) -> list[Event]:
    """All events of `samples`, fed in pieces of `sizes` in turn, and of the end."""
    events, at, turn = [], 0, 0
    while at < len(samples):
        size = sizes[turn % len(sizes)]
        events += endpointer.feed(samples[at : at + size])
        at, turn = at + size, turn + 1
    return events + endpointer.flush()


def pattern(marks: str) -> np.ndarray:
    """`#` speech, `+` between release and threshold, `.` silence; one mark a frame."""
    return sound([{"#": 0.9, "+": 0.4, ".": 0.1}[mark] for mark in marks])


def ended(events: Sequence[Event]) -> list[Ended]:
    return [event for event in events if isinstance(event, Ended)]


def frames(seconds: float) -> int:
    return round(seconds / FRAME_SECONDS)


def found(marks: str, rules: Rules = BARE) -> list[tuple[int, int, str]]:
    """Utterances in frames, without their padding, and why they ended."""
    events = heard(Endpointer(LoudNetwork(), rules), pattern(marks))
    return [(frames(end.onset), frames(end.last), end.reason) for end in ended(events)]


@pytest.mark.parametrize(
    "marks, expected",
    [
        ("", []),
        ("......", []),
        ("++++++", []),
        ("..###...", [(2, 5, "silence")]),
        ("..###..", [(2, 5, "flushed")]),
        (".#++#++....", [(1, 7, "silence")]),
        ("##...##....", [(0, 2, "silence"), (5, 7, "silence")]),
        ("##..##", [(0, 6, "flushed")]),
        ("##..+..+...##", [(0, 8, "silence"), (11, 13, "flushed")]),
    ],
)
def test_hysteresis(marks: str, expected: list[tuple[int, int, str]]) -> None:
    assert found(marks) == expected


def test_the_end_is_known_after_the_silence_and_no_later() -> None:
    endpointer = Endpointer(LoudNetwork(), BARE)
    assert ended(endpointer.feed(pattern("##.."))) == []
    (end,) = ended(endpointer.feed(pattern(".")))
    assert end.decided == pytest.approx(5 * FRAME_SECONDS)
    assert not endpointer.speaking


def test_a_burst_is_no_utterance_and_speech_is_one_as_soon_as_it_is_long_enough() -> None:
    endpointer = Endpointer(LoudNetwork(), replace(BARE, minimum_speech=3 * FRAME_SECONDS))
    assert endpointer.feed(pattern("..##......##")) == []
    assert not endpointer.speaking
    began, speech = endpointer.feed(pattern("#"))
    assert isinstance(began, Began)
    assert (frames(began.at), frames(began.onset)) == (10, 10)
    assert isinstance(speech, Speech)
    assert len(speech.samples) == 3 * FRAME, "all of it, from the first frame"
    assert endpointer.speaking
    assert endpointer.probability == pytest.approx(0.9)
    endpointer.feed(pattern("..."))
    assert not endpointer.speaking


def test_pre_roll_first_then_speech_as_it_comes_then_the_tail() -> None:
    rules = replace(BARE, pre_roll=2.5 * FRAME_SECONDS, tail=1.5 * FRAME_SECONDS)
    samples = pattern("......##.#....")
    events = heard(Endpointer(LoudNetwork(), rules), samples)
    assert isinstance(events[0], Began)
    assert events[0].at == pytest.approx(3.5 * FRAME_SECONDS)
    pieces = [len(event.samples) / FRAME for event in events if isinstance(event, Speech)]
    assert pieces == [3.5, 1.0, 1.0, 1.0, 1.0, 0.5], "silence within the utterance, but none behind the tail"
    (end,) = ended(events)
    assert (end.start, end.end) == (events[0].at, pytest.approx(11.5 * FRAME_SECONDS))
    np.testing.assert_array_equal(end.audio.samples, samples[int(3.5 * FRAME) : int(11.5 * FRAME)])


def test_silence_that_was_held_back_is_given_when_speech_goes_on() -> None:
    endpointer = Endpointer(LoudNetwork(), replace(BARE, tail=FRAME_SECONDS))
    endpointer.feed(pattern("#."))
    assert endpointer.feed(pattern(".")) == []
    (speech,) = endpointer.feed(pattern("#"))
    assert isinstance(speech, Speech)
    np.testing.assert_array_equal(speech.samples, pattern(".#"))


def test_a_long_utterance_is_cut_and_what_follows_begins_the_next() -> None:
    rules = replace(BARE, maximum=32 * FRAME_SECONDS, pre_roll=3 * FRAME_SECONDS, tail=2 * FRAME_SECONDS)
    marks = "." * 5 + "#" * 20 + "+" + "#" * 40 + "...."
    samples = pattern(marks)
    events = heard(Endpointer(LoudNetwork(), rules), samples)
    assert [(frames(e.onset), frames(e.last), e.reason) for e in ended(events)] == [
        (5, 25, "maximum"),
        (25, 41, "maximum"),
        (41, 66, "silence"),
    ]
    first, second, third = ended(events)
    assert first.end == second.start == second.onset, "no padding at a cut, and nothing between"
    together = np.concatenate([end.audio.samples for end in (first, second, third)])
    np.testing.assert_array_equal(together, samples[2 * FRAME : 68 * FRAME])
    after = events[events.index(first) + 1 :]
    assert isinstance(after[0], Began)
    assert isinstance(after[1], Speech)
    assert len(after[1].samples) > FRAME, "what was said since the cut comes at once"


def test_two_utterances_never_share_sound() -> None:
    rules = replace(BARE, pre_roll=4 * FRAME_SECONDS, tail=2 * FRAME_SECONDS)
    first, second = ended(heard(Endpointer(LoudNetwork(), rules), pattern(".###....###.")))
    assert (frames(first.start), frames(first.end)) == (0, 6)
    assert (frames(second.start), frames(second.end)) == (6, 12)


RUNS = st.lists(
    st.tuples(st.sampled_from((0.0, 0.1, 0.34, 0.35, 0.36, 0.4, 0.5, 0.6, 0.9, 1.0)), st.integers(1, 25)), max_size=14
).map(lambda runs: [value for value, count in runs for _ in range(count)])
NOISE = st.lists(st.floats(0, 1, width=32), max_size=150)
RULES = st.builds(
    Rules,
    minimum_speech=st.floats(0, 0.3),
    minimum_silence=st.floats(0, 0.6),
    pre_roll=st.floats(0, 0.4),
    tail=st.floats(0, 0.4),
    maximum=st.floats(1, 2.5),
)
SIZES = st.lists(st.sampled_from((160, 511, 512, 513, 1600, 4096, 99_999)), min_size=1, max_size=4)


@given(NOISE | RUNS, RULES, SIZES, st.integers(0, FRAME - 1))
@settings(max_examples=120, deadline=None)
def test_the_same_speech_as_in_a_recording(values: list[float], rules: Rules, sizes: list[int], short: int) -> None:
    samples = sound(values)
    samples = samples[: max(0, len(samples) - short)]
    seconds = len(samples) / RATE
    # The last frame may be short, and is as loud as its first sample: the probabilities are still `values`.
    ends = ended(heard(Endpointer(LoudNetwork(), rules), samples, sizes))

    bare = find_segments(values, replace(rules, pre_roll=0, tail=0), len(values) * FRAME_SECONDS)
    assert [(end.onset, end.last) for end in ends] == [
        (pytest.approx(s.start), pytest.approx(min(s.end, seconds))) for s in bare
    ]
    padded = find_segments(values, rules, seconds)
    for index, (end, segment) in enumerate(zip(ends, padded, strict=True)):
        before = ends[index - 1] if index else None
        after = ends[index + 1] if index + 1 < len(ends) else None
        near = 2 * max(rules.pre_roll, rules.tail)
        # Where causality lets it, the padding too is that of a recording, to the sample.
        if before is None or end.onset - before.last >= near or end.onset == before.last:
            assert end.start == pytest.approx(segment.start, abs=1 / RATE)
        else:
            assert end.start >= before.end
        if end.last + rules.tail <= end.decided and (after is None or after.onset - end.last >= near):
            assert end.end == pytest.approx(segment.end, abs=1 / RATE)


@given(NOISE | RUNS, RULES, SIZES)
@settings(max_examples=80, deadline=None)
def test_pieces_are_the_audio_and_the_audio_is_the_sound(values: list[float], rules: Rules, sizes: list[int]) -> None:
    samples = sound(values)
    events = heard(Endpointer(LoudNetwork(), rules), samples, sizes)
    pieces: list[np.ndarray] = []
    speaking, before = False, 0.0
    for event in events:
        if isinstance(event, Began):
            assert not speaking
            speaking, pieces = True, []
            assert before <= event.at <= event.onset
        elif isinstance(event, Speech):
            assert speaking
            assert len(event.samples)
            pieces.append(event.samples)
        else:
            assert speaking
            speaking, before = False, event.end
            begin, end = round(event.start * RATE), round(event.end * RATE)
            np.testing.assert_array_equal(event.audio.samples, samples[begin:end])
            given_out = np.concatenate([np.zeros(0, np.float32), *pieces])
            if event.reason == "maximum":
                most = min(len(given_out), len(event.audio.samples))
                np.testing.assert_array_equal(given_out[:most], event.audio.samples[:most])
            else:
                np.testing.assert_array_equal(given_out, event.audio.samples)
            assert event.start <= event.onset < event.last <= event.decided
    assert not speaking


@given(NOISE | RUNS, RULES, SIZES)
@settings(max_examples=50, deadline=None)
def test_how_the_sound_comes_changes_nothing(values: list[float], rules: Rules, sizes: list[int]) -> None:
    samples = sound(values)[:-7] if values else sound(values)
    one, other = (ended(heard(Endpointer(LoudNetwork(), rules), samples, s)) for s in (sizes, [len(samples) + 1]))
    assert [replace(end, audio=None) for end in one] == [replace(end, audio=None) for end in other]  # type: ignore[arg-type]


def test_after_a_flush_time_goes_on_and_the_network_begins_anew() -> None:
    network = LoudNetwork()
    endpointer = Endpointer(network, BARE)
    (end,) = ended([*endpointer.feed(pattern("..##")[:-100]), *endpointer.flush()])
    assert (end.reason, end.end) == ("flushed", pytest.approx(4 * FRAME_SECONDS - 100 / RATE))
    assert endpointer.heard == pytest.approx(end.end)
    assert not endpointer.speaking
    assert ended(endpointer.flush()) == []
    before = len(network.states)
    (again,) = ended(heard(endpointer, pattern(".##....")))
    assert network.states[before] == 0
    assert again.onset == pytest.approx(end.end + FRAME_SECONDS)


def test_a_reset_forgets_the_utterance_and_the_time() -> None:
    endpointer = Endpointer(LoudNetwork(), replace(BARE, pre_roll=1.0))
    endpointer.feed(pattern("....###"))
    endpointer.reset()
    assert (endpointer.speaking, endpointer.heard, endpointer.probability) == (False, 0.0, 0.0)
    (end,) = ended(heard(endpointer, pattern(".##...")))
    assert (end.start, end.onset) == (0.0, pytest.approx(FRAME_SECONDS)), "nothing from before is in its pre-roll"


def test_what_the_network_failed_at_was_not_heard() -> None:
    network = LoudNetwork()
    endpointer = Endpointer(network, BARE)
    samples = pattern("..##...")
    endpointer.feed(samples[: 3 * FRAME + 5])
    network.failure = BackendFailed("the network fails")
    with pytest.raises(BackendFailed):
        endpointer.feed(samples[3 * FRAME + 5 :])
    network.failure = None
    (end,) = ended(endpointer.feed(samples[3 * FRAME + 5 :]))
    assert (frames(end.onset), frames(end.last)) == (2, 4)


def test_state_goes_from_frame_to_frame_and_frames_overlap() -> None:
    blocks: list[np.ndarray] = []
    loud = LoudNetwork()

    def spy(inputs: dict[str, np.ndarray], /, *, deadline: float | None = None) -> dict[str, np.ndarray]:
        blocks.append(inputs["input"].copy())
        return loud(inputs)

    whole: list[np.ndarray] = []

    def keep(inputs: dict[str, np.ndarray], /, *, deadline: float | None = None) -> dict[str, np.ndarray]:
        whole.append(inputs["input"].copy())
        return LoudNetwork()(inputs)

    samples = pattern("..##...#") + np.random.default_rng(3).uniform(-0.05, 0.05, 8 * FRAME).astype(np.float32)
    heard(Endpointer(spy), samples[:-10], (700, 1, 1300))
    Vad(keep).probabilities(Audio(samples[:-10], RATE))
    np.testing.assert_array_equal(np.concatenate(blocks), np.concatenate(whole))
    assert loud.states == [sum(len(block) for block in blocks[:n]) for n in range(len(blocks))]


@pytest.mark.parametrize("marks", ["." * 3000, "+" * 3000, "#...." * 600, "#" * 3000])
def test_memory_does_not_grow(marks: str) -> None:
    rules = replace(USUAL, maximum=2.0, minimum_silence=0.064)
    endpointer = Endpointer(LoudNetwork(), rules)
    most = 0
    for at in range(0, len(marks), 50):
        endpointer.feed(pattern(marks[at : at + 50]))
        most = max(most, len(endpointer._frames) + len(endpointer._values))
    assert most < 300


# From here on the real network.


def said(espeak: str, *parts: str | float) -> Audio:
    """Sentences and silences (in seconds) one after the other."""
    pieces = []
    for part in parts:
        if isinstance(part, float):
            pieces.append(np.zeros(round(part * RATE), np.float32))
        else:
            pieces.append(to_16k(decode(spoken(espeak, part), max_seconds=60, max_bytes=1 << 25)).samples)
    return Audio(np.concatenate(pieces), RATE)


def test_real_speech_is_found_where_a_recording_has_it(vad_run: Run, vad: Vad, espeak: str) -> None:
    audio = said(espeak, 0.7, "xi3 yi1 ye4 zai4 na3 li3", 1.5, "ni3 hao3", 2.0, "niu2 nai3 duo1 shao3 qian2", 0.3)
    segments = vad.segments(audio)
    assert len(segments) == 3
    for size in (FRAME, 1600, 160, len(audio.samples)):
        ends = ended(heard(Endpointer(vad_run), audio.samples, (size,)))
        assert [(end.start, end.end) for end in ends] == [
            (pytest.approx(s.start, abs=1 / RATE), pytest.approx(s.end, abs=1 / RATE)) for s in segments
        ]
        assert ends[0].reason == "silence"


def test_a_long_speech_is_cut_as_a_recording_is(vad_run: Run, espeak: str) -> None:
    rules = replace(USUAL, maximum=2.0, minimum_silence=1.5)
    audio = said(espeak, 0.5, "xi3 yi1 ye4 zai4 na3 li3 niu2 nai3 duo1 shao3 qian2 wo3 yao4 tui4 huo4", 2.0)
    segments = Vad(vad_run, rules).segments(audio)
    assert len(segments) >= 2
    ends = ended(heard(Endpointer(vad_run, rules), audio.samples, (1000,)))
    assert [(end.start, end.end) for end in ends] == [
        (pytest.approx(s.start, abs=1 / RATE), pytest.approx(s.end, abs=1 / RATE)) for s in segments
    ]
    assert [end.reason for end in ends] == ["maximum"] * (len(ends) - 1) + ["silence"]


@pytest.mark.parametrize("name", ["silence", "pink noise", "mains hum", "scanner beeps"])
def test_what_is_no_speech_brings_nothing(vad_run: Run, name: str) -> None:
    samples = np.clip(not_speech()[name], -1, 1).astype(np.float32)
    assert heard(Endpointer(vad_run), samples, (1600,)) == []
