"""From sounds to characters: the search finds the likeliest writing, the model reads what was written, names count."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from acoustic_network import CHARACTERS, READS, UNITS, spelling
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ModelCorrupt, ModelMissing
from appliance.speech.ctc import characters
from appliance.speech.ctc.characters import Order, Spelling, Weights, Writer

COUNT = len(CHARACTERS)


def deep() -> Spelling:
    """`spelling` with triples of characters, so that contexts of two matter."""
    shallow = spelling()
    pairs = shallow.orders[1]
    triples = np.array(sorted([(0 * COUNT + 6) * COUNT + 7, (6 * COUNT + 7) * COUNT + 9]), np.int64)
    weighed = Order(pairs.keys, pairs.logp, np.linspace(-1, -0.25, len(pairs.keys)).astype(np.float32))
    longest = Order(triples, np.array([-0.25, -0.5], np.float32), np.zeros(2, np.float32))
    return Spelling(
        shallow.units, shallow.characters, (shallow.orders[0], weighed, longest),
        shallow.first, shallow.reads, shallow.chance,
    )  # fmt: skip


def tables(model: Spelling) -> list[dict[tuple[int, ...], tuple[float, float]]]:
    """Every order as a dictionary: the slow way to look at it."""
    found = []
    for n, order in enumerate(model.orders, 1):
        rows = {}
        for key, logp, backoff in zip(order.keys.tolist(), order.logp.tolist(), order.backoff.tolist(), strict=True):
            gram = tuple(key // COUNT**at % COUNT for at in reversed(range(n)))
            rows[gram] = (logp, backoff)
        found.append(rows)
    return found


def slowly(rows: list[dict[tuple[int, ...], tuple[float, float]]], context: tuple[int, ...], character: int) -> float:
    """Probability of a character behind a context, as back-off models define it."""
    if (gram := (*context, character)) in rows[len(context)]:
        return rows[len(context)][gram][0]
    if not context:
        return float("-inf")
    weight = rows[len(context) - 1].get(context, (0.0, 0.0))[1]
    return weight + slowly(rows, context[1:], character)


@given(st.lists(st.integers(-1, COUNT - 1), min_size=2, max_size=2), st.lists(st.integers(0, COUNT - 1), min_size=1))
def test_probabilities_back_off_as_defined(context: list[int], wanted: list[int]) -> None:
    if context[1] == -1:
        context = [-1, -1]
    model = deep()
    rows = tables(model)
    found = model.score(np.array([context]), np.array(wanted))
    known = tuple(one for one in context if one != -1)
    assert found[0] == pytest.approx([slowly(rows, known, one) for one in wanted], abs=1e-5)


@given(st.lists(st.lists(st.integers(1, len(UNITS) - 1), min_size=1, max_size=2, unique=True), max_size=5))
def test_the_search_finds_the_likeliest_writing(heard: list[list[int]]) -> None:
    model, weights = deep(), Weights(language=0.8, beam=500)
    rows = tables(model)
    writer = Writer(model, weights)
    slots = [(units, [-0.1 - 0.7 * at for at in range(len(units))], -2.0) for units in heard]
    for slot in slots:
        writer.push(*slot)

    def choices(slot: tuple[list[int], list[float], float]) -> list[tuple[int | None, float]]:
        units, sounds, nothing = slot
        said: list[tuple[int | None, float]] = [(None, nothing)]
        return said + [(c, s) for unit, s in zip(units, sounds, strict=True) for c in READS[unit]]

    best = -np.inf
    for path in itertools.product(*map(choices, slots)):
        written = [0, *(c for c, _ in path if c is not None), 1]
        language = sum(slowly(rows, tuple(written[max(0, at - 2) : at]), written[at]) for at in range(1, len(written)))
        best = max(best, 0.8 * language + sum(sound for _, sound in path))
    found = [0, *(CHARACTERS.index(c) for c in writer.text(ended=True)), 1]
    language = sum(slowly(rows, tuple(found[max(0, at - 2) : at]), found[at]) for at in range(1, len(found)))
    sound = 0.0
    at = 1
    numbered = {slot: c for c, slot in writer.written(ended=True)}
    for number, slot in enumerate(slots):
        if number in numbered:
            sound += max(s for c, s in choices(slot) if c == found[at])
            at += 1
        else:
            sound += slot[2]
    assert 0.8 * language + sound == pytest.approx(best, abs=1e-3)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "characters.npz"
    model = deep()
    characters.save(model, path)
    read = characters.load(path)
    assert (read.units, read.characters) == (model.units, model.characters)
    for ours, theirs in zip(read.orders, model.orders, strict=True):
        assert np.array_equal(ours.keys, theirs.keys)
        assert np.abs(ours.logp - theirs.logp).max() <= 1 / 24 + 1e-6
    for name in ("first", "reads"):
        assert np.array_equal(getattr(read, name), getattr(model, name))


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "characters.npz"
    with pytest.raises(ModelMissing):
        characters.load(path)
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ModelCorrupt, match=r"characters\.npz"):
        characters.load(path)
    characters.save(deep(), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelCorrupt):
        characters.load(path)
    np.savez(path, units=np.array("a"))
    with pytest.raises(ModelCorrupt):
        characters.load(path)


def test_names_of_the_pack_are_favoured() -> None:
    model = deep()
    ma, shi = UNITS.index("ma3"), UNITS.index("shi4")
    plain, named = Writer(model, Weights()), Writer(model, Weights(), model.favoured(["码事A", "字"]))
    for writer in (plain, named):
        writer.push([ma], [0.0])
        writer.push([shi], [0.0])
    assert plain.text() != "码事"
    assert named.text() == "码事"


def test_a_slot_without_characters_says_nothing_and_keeps_its_number() -> None:
    writer = Writer(deep(), Weights())
    writer.push([0], [0.0])
    writer.push([UNITS.index("ni3")], [0.0])
    assert writer.written() == [("你", 1)]
    assert Writer(deep(), Weights()).text(ended=True) == ""
