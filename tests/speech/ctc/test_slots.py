"""Slots: what was heard, syllable by syllable, tones apart."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.speech.ctc.slots import SYLLABLES, Slot, Slots

UNITS = ("<blank>", "ma1", "ni3", "hao3", "A", "ma4")
"""Classes of the rows below."""


def chances(*rows: dict[int, float]) -> np.ndarray:
    """Logarithms of the probabilities of the classes; what is not named shares the rest."""
    found = np.zeros((len(rows), len(UNITS)), np.float32)
    for line, row in zip(found, rows, strict=True):
        line[:] = (1 - sum(row.values())) / (len(UNITS) - len(row))
        for unit, value in row.items():
            line[unit] = value
    return np.log(np.maximum(found, 1e-9))


def heard(rows: np.ndarray, maybe: float = 0.2, tone: float = 1.0) -> list[Slot]:
    slots = Slots(UNITS, maybe, tone)
    found = slots.push(rows)
    last = slots.open()
    return [*found, last] if last else found


def test_neighbouring_steps_of_one_syllable_are_one_slot() -> None:
    rows = chances(
        {0: 0.9}, {1: 0.6}, {1: 0.8}, {0: 0.9}, {1: 0.7}, {2: 0.7}, {0: 0.9}, {0: 0.7, 3: 0.25}, {0: 0.9}, {4: 0.8}
    )
    found = heard(rows)
    assert [(s.units[0], s.first, s.last) for s in found] == [(1, 1, 3), (1, 4, 5), (2, 5, 6), (3, 7, 8), (4, 9, 10)]
    assert found[0].logprobs[0] == pytest.approx(np.log(0.8), abs=1e-5), "the surest step speaks for the slot"
    assert found[0].sure == pytest.approx(0.84, abs=1e-4), "ma4's share of the rest, too"
    assert found[3].nothing == pytest.approx(np.log(0.7), abs=1e-5)


def test_a_syllable_that_is_sure_is_not_cheaply_dropped() -> None:
    row = chances({1: 0.99})
    row[0, 0] = -40.0
    (slot,) = heard(row)
    assert slot.nothing == -40.0


def test_pieces_give_what_the_whole_gives() -> None:
    rows = np.random.default_rng(3).normal(0, 3, (80, len(UNITS))).astype(np.float32)
    rows -= np.log(np.exp(rows).sum(1, keepdims=True))
    slots = Slots(UNITS, 0.2, 0.4)
    found = [slot for row in rows for slot in slots.push(row[None])]
    last = slots.open()
    assert [*found, *([last] if last else [])] == heard(rows, tone=0.4)


def test_tones_of_one_syllable_are_heard_together() -> None:
    """Neither ma1 nor ma4 beats the blank; ma does."""
    (slot,) = heard(chances({0: 0.4, 1: 0.3, 5: 0.2}), maybe=0.9)
    assert slot.units[:2] == (1, 5)


def test_a_tone_that_changes_on_the_way_is_the_same_syllable_unless_both_are_sure() -> None:
    wavering = chances({1: 0.45, 5: 0.4}, {1: 0.4, 5: 0.45})
    assert len(heard(wavering)) == 1
    sure = chances({1: 0.9}, {5: 0.9})
    assert [slot.units[0] for slot in heard(sure)] == [1, 5], "妈骂 without a pause"


@pytest.mark.parametrize("tone", [0.0, 0.5, 1.0])
def test_a_tone_counts_by_its_weight(tone: float) -> None:
    (slot,) = heard(chances({0: 0.05, 1: 0.6, 5: 0.2}), tone=tone)
    assert slot.sure == pytest.approx(0.8, abs=1e-4), "whatever tones weigh"
    scores = dict(zip(slot.units, slot.logprobs, strict=True))
    assert scores[1] - scores[5] == pytest.approx(tone * np.log(3), abs=1e-4)
    whole = np.log(0.8)
    assert scores[1] == pytest.approx(whole + tone * (np.log(0.6) - whole), abs=1e-4)


def test_what_is_far_behind_is_left_out() -> None:
    (slot,) = heard(chances({1: 0.999999, 0: 1e-7, 2: 1e-7, 3: 1e-7, 4: 1e-7}))
    assert slot.units[0] == 1
    assert set(slot.units) == {1}
    units = ("<blank>", *(f"{letter}a{tone}" for letter in "bpmfdtnl" for tone in "1234"))
    row = np.log(np.full((1, len(units)), 1 / len(units), np.float32))
    slots = Slots(units, 0.1)
    slots.push(row)
    slot = slots.open()
    assert slot is not None
    assert len({units[unit][:-1] for unit in slot.units}) == SYLLABLES
    assert len(slot.units) == 4 * SYLLABLES


def test_nothing_heard_makes_no_slot() -> None:
    assert heard(chances({0: 0.9}, {0: 0.95})) == []
