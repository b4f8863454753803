"""What judges a spoken conversation: when an answer was broken off, ghost words, and sound that went missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from appliance.speech.listen import Final, Partial
from appliance.values import Audio, Transcript
from benchmarks.voice import answers, barge, capture, ghosts, room
from benchmarks.voice.barge import Recorded, Trial
from benchmarks.voice.ghosts import Heard

RATE = 16_000
LOUD = 0.1


class Loudness:
    """Takes every loud block for speech, and the end of the stream for the end of a sentence of `text`."""

    def __init__(self, text: str = "") -> None:
        self.text, self.probability, self.closed = text, 0.0, False

    def feed(self, samples: np.ndarray) -> list[Partial | Final]:
        self.probability = float(np.abs(samples).max() > 0.05)
        return [Partial(self.text, 0.0)] if self.text and self.probability else []

    def finish(self) -> list[Partial | Final]:
        said = Transcript(self.text, 0.9, "zh")
        return [Final(said, Audio(np.zeros(0, np.float32), RATE), 0.0, 1.0, "flushed", {})]

    def close(self) -> None:
        self.closed = True


def hear() -> Any:
    return Loudness()


def tone(seconds: float, gain: float = LOUD) -> np.ndarray:
    return (gain * np.sin(np.arange(round(seconds * RATE)) * 0.3)).astype(np.float32)


def quiet(seconds: float) -> np.ndarray:
    return tone(seconds, 1e-4)


# Interruptions.


def test_an_answer_is_broken_off_after_enough_speech_and_not_by_a_click() -> None:
    assert barge.broken_at(np.concatenate((quiet(1), tone(0.06), quiet(1))), hear) is None
    assert barge.broken_at(np.concatenate((quiet(1), tone(0.5), quiet(1))), hear) == pytest.approx(1.08, abs=0.021)


def test_a_recording_is_over_when_it_is_over_or_broken_off() -> None:
    recorded = Recorded(tone(0.05))
    assert [len(recorded.read(1)) for _ in range(3)] == [320, 320, 160]
    assert recorded.done
    other = Recorded(tone(1))
    other.stop()
    assert other.done


def test_speech_begins_with_the_sound_before_what_was_found_and_not_with_the_room() -> None:
    samples = np.concatenate((quiet(0.3), tone(0.01), quiet(0.3), tone(0.2, 0.04), tone(1), quiet(0.2)))
    assert barge.onset(samples, hear) == pytest.approx(0.61, abs=0.021)
    with pytest.raises(ValueError, match="somebody speaks"):
        barge.onset(quiet(1), hear)


def test_a_level_is_that_of_the_loud_part() -> None:
    found = barge.levelled(np.concatenate((quiet(2), tone(1))), -20.0)
    assert np.sqrt(np.mean(found[-RATE:] ** 2)) == pytest.approx(0.1, rel=0.05)


def test_trials_are_counted_by_level_and_limits_hold_where_echo_is_cancelled() -> None:
    done = [
        Trial(0.0, True, False, None),
        Trial(0.0, True, True, 150.0),
        Trial(0.0, False, False, 30.0),
        Trial(0.0, False, True, -900.0),
    ]
    rows = {(row["echo_db"], row["cancelled"]): row for row in barge.summed(done)}
    assert (rows[0.0, True]["false"], rows[0.0, True]["true"], rows[0.0, True]["delay"]["p50_ms"]) == (0, 1, 150.0)
    assert (rows[0.0, False]["false"], rows[0.0, False]["early"], rows[0.0, False]["true"]) == (1, 1, 0)
    assert barge.missed([rows[0.0, True], rows[0.0, False]]) == []
    late = [row for row in barge.summed([Trial(-6.0, True, True, 450.0)]) if row["interrupted"]]
    assert barge.missed(late) == [
        "barge-in at -6 dB with echo cancellation: expected silence within 200 ms (p50), got 450 ms"
    ]
    wrong = [row for row in barge.summed([Trial(-6.0, True, True, -5.0), Trial(-6.0, True, False, 9.0)])
             if row["interrupted"]]  # fmt: skip
    assert len(barge.missed(wrong)) == 2


# The mark that aligns a recording.


def test_the_mark_is_found_in_noise_and_missed_where_it_is_not() -> None:
    noise = (0.01 * np.random.default_rng(3).standard_normal(RATE)).astype(np.float32)
    sound = noise.copy()
    sound[5000 : 5000 + len(room.mark())] += 0.5 * room.mark()
    assert room.found(sound) == 5000 + len(room.mark())
    with pytest.raises(ValueError, match="mark"):
        room.found(noise)


# Ghost words.


@pytest.mark.parametrize("kind", sorted(ghosts.KINDS))
def test_sounds_are_ten_seconds_and_of_their_level(kind: str) -> None:
    draw = np.random.default_rng(1)
    others = [np.random.default_rng(n).standard_normal(RATE).astype(np.float32) for n in range(5)]
    sound = ghosts.KINDS[kind](draw, others)
    assert (sound.dtype, sound.shape) == (np.float32, (160_000,))
    level = 20 * np.log10(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))
    assert level == pytest.approx(-70 if kind == "silence" else ghosts.LEVEL_DB, abs=0.5)


def test_words_are_counted_where_nobody_speaks_and_answers_anywhere() -> None:
    heard = ghosts.heard("fan", 1 / 6, Loudness("小店你好"), lambda text: text or None, [], lambda _: None)  # type: ignore[arg-type]
    assert (heard.utterances, heard.worded, heard.woken) == (1, 1, 1)
    assert ghosts.missed({"fan": heard}) != []
    assert ghosts.missed({"babble": Heard(10, utterances=4, partials=9, worded=4)}) == []
    (said,) = ghosts.missed({"babble": Heard(10, woken=2)})
    assert said == "babble: expected no answer in 10 minutes, got 2"


# Capture.


def test_a_second_knows_its_place_and_a_gap_moves_it() -> None:
    wanted = capture.pattern()
    endless = np.tile(wanted, 3)
    assert capture.place(endless[:RATE], wanted)[0] == 0
    for begin in (1234, 7 * RATE + 99, 8 * RATE - 1):  # the last two go beyond the pattern's end
        where, fits = capture.place(endless[begin : begin + RATE], wanted)
        assert (where, fits) == (begin, pytest.approx(1.0, abs=1e-3))
    assert capture.place(np.random.default_rng(9).standard_normal(RATE).astype(np.float32), wanted)[1] < 0.1


def test_a_loss_that_nobody_reported_is_a_miss_and_silence_put_in_is_none() -> None:
    found = {"seconds": 60.0, "fitting": 59.0, "wall_s": 60.0, "shifts": [{"at": 3, "by": 0.2}], "losses": []}
    assert capture.missed(found) == ["capture: expected every loss reported, got 1 jumps and 0 reports"]
    assert capture.missed(found | {"losses": [{"at": 3, "cause": "gap", "seconds": 0.2}]}) == []
    assert capture.missed(found | {"shifts": [{"at": 3, "by": -0.2}]}) == []
    assert capture.missed(found | {"shifts": [], "seconds": 30.0, "fitting": 30.0}) == [
        "capture: expected 60 s of sound, got 30 s"
    ]
    (nothing,) = capture.missed(found | {"shifts": [], "fitting": 0.0})
    assert nothing == "capture: expected what was played in 60 s, found it in 0"


# The wait for an answer.


class Sentence(Loudness):
    """One utterance, over with the first silence behind it."""

    def feed(self, samples: np.ndarray) -> list[Partial | Final]:
        before = self.probability
        super().feed(samples)
        latency = {"silence": 500.0, "vad": 1.0, "finish": 30.0, "asr": 90.0}
        said = Transcript(self.text, 0.9, "zh")
        over = before and not self.probability
        return [Final(said, Audio(samples, RATE), 0.0, 1.0, "silence", latency)] if over else []


def test_what_a_customer_waits_is_work_behind_the_end_and_silence_before_it() -> None:
    asked: list[str] = []
    found = answers.waited(
        [tone(0.5)] * 3, lambda: Sentence("你好"), lambda said: asked.append(said.text), lambda _: None
    )  # type: ignore[arg-type,return-value,func-returns-value]
    assert asked == ["你好"] * 3
    assert found[0]["silence"] == 500.0
    assert found[0]["finish"] == 30.0
    assert 0 <= found[0]["answer"] < 1000
    rows = answers.summed([{"silence": 500.0, "vad": 1.0, "finish": 30.0, "answer": 9.0}])
    assert rows["from the end decision"] == {"count": 1, "p50_ms": 40.0, "p95_ms": 40.0}
    assert rows["from the last speech"]["p95_ms"] == 540.0
    assert answers.missed(rows) == []


def test_slow_answers_and_no_answers_are_missed() -> None:
    slow = answers.summed([{"silence": 500.0, "vad": 1.0, "finish": 30.0, "answer": 900.0}])
    assert len(answers.missed(slow)) == 2
    assert answers.waited([tone(0.5)], lambda: Sentence(""), lambda said: None, lambda _: None, lambda _: None) == []  # type: ignore[arg-type,return-value]
    assert answers.missed(answers.summed([])) == ["answers: expected sentences in which words are recognised, got none"]
