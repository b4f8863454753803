"""The boost of a sequence depends on the sequence alone: tokens in complete phrases, and in one that has begun."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.speech.ctc.phrases import START, Phrases, Place

SEQUENCES = st.lists(st.integers(1, 3), max_size=12).map(tuple)


def walk(phrases: Phrases, sequence: tuple[int, ...]) -> Place:
    place = START
    for token in sequence:
        place = phrases.step(place, token)
    return place


def covered(phrases: list[tuple[int, ...]], sequence: tuple[int, ...]) -> tuple[int, int]:
    """Tokens in complete phrases, and those behind them that a phrase begins with: by looking everywhere."""
    inside = set()
    for phrase in filter(None, phrases):
        for at in range(len(sequence) - len(phrase) + 1):
            if sequence[at : at + len(phrase)] == phrase:
                inside |= set(range(at, at + len(phrase)))
    begun = max(
        (
            n
            for phrase in phrases
            for n in range(1, len(phrase) + 1)
            if sequence[-n:] == phrase[:n] and n <= len(sequence)
        ),
        default=0,
    )
    return len(inside), len({len(sequence) - 1 - n for n in range(begun)} - inside)


@given(st.lists(SEQUENCES, max_size=4), SEQUENCES)
def test_boost_is_that_of_looking_everywhere(phrases: list[tuple[int, ...]], sequence: tuple[int, ...]) -> None:
    place = walk(Phrases(phrases, 2.0), sequence)
    whole, begun = covered(phrases, sequence)
    assert place.settled == pytest.approx(2.0 * whole)
    assert place.boost == pytest.approx(2.0 * (whole + begun))


def test_a_phrase_that_breaks_off_is_taken_back() -> None:
    phrases = Phrases([(1, 2, 3)], 1.5)
    assert [walk(phrases, (1, 2, 3)[:n]).boost for n in range(4)] == [0, 1.5, 3.0, 4.5]
    assert walk(phrases, (1, 2, 9)).boost == 0
    assert walk(phrases, (1, 2, 3, 9)).boost == 4.5
    # It broke off, but another has begun with its last token.
    assert walk(phrases, (1, 2, 1)).boost == 1.5


def test_what_goes_on() -> None:
    phrases = Phrases([(1, 2), (1, 3), ()], 1.0)
    assert phrases.firsts() == {1}
    assert phrases.follow(walk(phrases, (9, 1))) == {2, 3}
    assert phrases
    assert not Phrases([()], 1.0)
