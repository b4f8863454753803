"""Entities by a network: what it is shown, what its emissions become, and what is kept of that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import BackendFailed, ModelCorrupt
from appliance.language.candidates import LISTED, PATTERN, Candidate
from appliance.language.tagger import MODEL, UNKNOWN, Alphabet, Tagger, mentions, read_alphabet
from appliance.language.viterbi import Floats, Transitions

TAGS = ("O", "B-product", "I-product", "B-person", "I-person")
FREE = Transitions(np.zeros(5, np.float32), np.zeros(5, np.float32), np.zeros((5, 5), np.float32))
ALPHABET = Alphabet({c: n for n, c in enumerate("退货的牙膏张三0a", 2)}, TAGS, FREE, 12)


class FakeRun:
    """A network that emits what it is told to, and remembers what it was shown."""

    def __init__(self, emissions: Floats | None = None) -> None:
        self.emissions = emissions
        self.shown: list[Mapping[str, npt.NDArray[Any]]] = []

    def __call__(
        self, inputs: Mapping[str, npt.NDArray[Any]], /, *, deadline: float | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        self.shown.append(inputs)
        if self.emissions is not None:
            return {"emissions": self.emissions[None]}
        # Without orders it believes the hints.
        return {"emissions": np.eye(len(TAGS), dtype=np.float32)[inputs["hints"]] * 8}


def emitting(tags: str, strength: float = 9.0) -> Floats:
    """Emissions for tags written as O, P/p and N/n for B-/I- of product and of person."""
    numbers = ["OPpNn".index(tag) for tag in tags]
    found: Floats = np.eye(len(TAGS), dtype=np.float32)[numbers] * np.float32(strength)
    return found


def tagger(run: FakeRun, *types: str, alphabet: Alphabet = ALPHABET) -> Tagger:
    return Tagger(run, alphabet, types or ("product", "person"))


def spans(found: tuple[Candidate, ...]) -> list[tuple[str, int, int, str]]:
    return [(one.type, one.start, one.end, one.value) for one in found]


def hint(kind: str, start: int, end: int) -> Candidate:
    return Candidate(kind, start, end, kind, 0.9)


def test_mentions_become_candidates_of_the_model() -> None:
    found = tagger(FakeRun(emitting("NnOPpOO"))).find("张三的牙膏退货", ())
    assert spans(found) == [("person", 0, 2, "张三"), ("product", 3, 5, "牙膏")]
    assert {(one.source, one.rank) for one in found} == {("model", MODEL)}
    assert MODEL == LISTED < PATTERN


def test_a_mention_is_as_sure_as_its_least_sure_character() -> None:
    emissions = emitting("OPpO")
    emissions[2, 2] = 2.0
    (found,) = tagger(FakeRun(emissions)).find("的牙膏的", ())
    # Without an order of tags the posterior of each character is the softmax of its emissions.
    assert found.confidence == pytest.approx(np.exp(2) / (np.exp(2) + 4), abs=1e-4)


def test_the_order_of_tags_counts() -> None:
    between = np.zeros((5, 5), np.float32)
    between[0, 2] = between[1, 0] = -50  # no I- behind an O, and a B- does not stand alone
    strict = replace(ALPHABET, order=replace(FREE, between=between))
    emissions = emitting("OOpO")
    emissions[1, 0], emissions[1, 1] = 3.0, 2.0
    emissions *= 4
    assert spans(tagger(FakeRun(emissions)).find("的牙膏的", ())) == [("product", 2, 3, "膏")]
    assert spans(tagger(FakeRun(emissions), alphabet=strict).find("的牙膏的", ())) == [("product", 1, 3, "牙膏")]


def test_types_that_the_pack_does_not_have_are_no_entities() -> None:
    found = tagger(FakeRun(emitting("NnOPpOO")), "product", "colour").find("张三的牙膏退货", ())
    assert spans(found) == [("product", 3, 5, "牙膏")]


def test_the_network_sees_characters_and_hints() -> None:
    run = FakeRun()
    found = tagger(run).find("张三要牙膏7a", [hint("product", 3, 5), hint("weight", 5, 7)])
    (shown,) = run.shown
    known = ALPHABET.characters
    assert shown["characters"].tolist() == [[*(known[c] for c in "张三"), UNKNOWN, *(known[c] for c in "牙膏0a")]]
    assert shown["hints"].tolist() == [[0, 0, 0, 1, 2, 0, 0]]
    assert {array.dtype for array in shown.values()} == {np.dtype(np.int64)}
    assert spans(found) == [("product", 3, 5, "牙膏")]


def test_every_digit_is_the_same_and_only_those_of_ascii_are_digits() -> None:
    numbers = tagger(FakeRun()).characters("0123456789٣³")[0].tolist()
    assert numbers == [ALPHABET.characters["0"]] * 10 + [UNKNOWN] * 2


def test_hints_beyond_what_is_read_are_cut() -> None:
    reader = tagger(FakeRun())
    hints = [hint("person", 0, 1), hint("product", 2, 9), hint("person", 4, 6), hint("person", 8, 9)]
    assert reader.hints(hints[:2], 4).tolist() == [[3, 0, 1, 2]]
    assert reader.hints(hints[2:], 4).tolist() == [[0, 0, 0, 0]]


def test_a_long_text_is_read_as_far_as_the_network_reads() -> None:
    run = FakeRun()
    text = "牙膏" * 10
    found = tagger(run).find(text, [hint("product", 0, 2), hint("product", 11, 14), hint("product", 18, 20)])
    assert run.shown[0]["characters"].shape == run.shown[0]["hints"].shape == (1, ALPHABET.longest)
    assert spans(found) == [("product", 0, 2, "牙膏"), ("product", 11, 12, "膏")]


def test_one_character_may_be_all_there_is() -> None:
    assert spans(tagger(FakeRun(emitting("P"))).find("膏", ())) == [("product", 0, 1, "膏")]


def test_nothing_is_not_shown_to_the_network() -> None:
    run = FakeRun()
    assert tagger(run).find("", ()) == ()
    assert run.shown == []


def test_what_fails_in_the_network_is_told() -> None:
    def fake_failing(
        _: Mapping[str, npt.NDArray[Any]], /, *, deadline: float | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        raise BackendFailed("net: expected to run")

    with pytest.raises(BackendFailed, match="net: expected to run"):
        Tagger(fake_failing, ALPHABET, ("product",)).find("牙膏", ())


def test_many_threads_get_the_same_entities() -> None:
    reader = tagger(FakeRun())
    asked = [("张三的牙膏", [hint("product", 3, 5)]), ("牙膏", [hint("product", 0, 2)]), ("退货", [])] * 30
    alone = [spans(reader.find(*one)) for one in asked]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda one: spans(reader.find(*one)), asked)) == alone


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ([], []),
        (["O", "O"], []),
        (["B-a"], [(0, 1, "a")]),
        (["B-a", "I-a", "O"], [(0, 2, "a")]),
        (["B-a", "B-a", "I-a"], [(0, 1, "a"), (1, 3, "a")]),
        (["B-a", "I-b", "I-b"], [(0, 1, "a"), (1, 3, "b")]),
        (["O", "I-a", "I-a", "O"], [(1, 3, "a")]),
        (["B-a", "O", "I-a"], [(0, 1, "a"), (2, 3, "a")]),
        (["O", "B-tracking-no", "I-tracking-no"], [(1, 3, "tracking-no")]),
    ],
)
def test_mentions_in_tags(tags: list[str], found: list[tuple[int, int, str]]) -> None:
    assert list(mentions(tags)) == found


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from("ab")), max_size=6))
def test_spans_survive_being_written_as_tags(pieces: list[tuple[int, int, str]]) -> None:
    tags: list[str] = []
    meant = []
    for gap, size, kind in pieces:
        tags += ["O"] * gap
        meant.append((len(tags), len(tags) + size, kind))
        tags += [f"B-{kind}", *[f"I-{kind}"] * (size - 1)]
    assert list(mentions(tags)) == meant


GOOD: dict[str, object] = {
    "characters": ["退", "货"],
    "tags": ["O", "B-product", "I-product"],
    "begin": [0.5, 0.25, -3],
    "end": [1, 2, 3],
    "transitions": [[0, 1, 2], [3, 4, 5], [6, 7, 8]],
    "longest": 128,
}


def test_an_alphabet_is_read(tmp_path: Path) -> None:
    (tmp_path / "tagger.json").write_text(json.dumps(GOOD), "utf-8")
    found = read_alphabet(tmp_path / "tagger.json")
    assert (found.characters, found.tags, found.longest) == ({"退": 2, "货": 3}, ("O", "B-product", "I-product"), 128)
    np.testing.assert_array_equal(found.order.begin, np.array([0.5, 0.25, -3], np.float32))
    np.testing.assert_array_equal(found.order.end, np.array([1, 2, 3], np.float32))
    np.testing.assert_array_equal(found.order.between, np.arange(9, dtype=np.float32).reshape(3, 3))
    assert {part.dtype for part in (found.order.begin, found.order.between)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_a_missing_part_of_an_alphabet_is_named(tmp_path: Path, missing: str) -> None:
    (tmp_path / "tagger.json").write_text(json.dumps({k: v for k, v in GOOD.items() if k != missing}), "utf-8")
    with pytest.raises(ModelCorrupt, match=rf"^tagger\.json: expected an alphabet, got KeyError: '{missing}'$"):
        read_alphabet(tmp_path / "tagger.json")


@pytest.mark.parametrize(
    "wrong",
    [
        {"begin": [0, 1]},
        {"end": [0, 1, 2, 3]},
        {"transitions": [[0, 1], [2, 3]]},
        {"transitions": [[0, 1, 2], [3, 4], [5]]},
        {"begin": ["a", "b", "c"]},
        {"characters": 7},
        {"tags": None},
        {"longest": "far"},
        {"least": "much"},
        {"least": 1.5},
        {"least": -0.1},
        {"least": None},
    ],
)
def test_an_alphabet_of_another_shape_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    (tmp_path / "tagger.json").write_text(json.dumps({**GOOD, **wrong}), "utf-8")
    with pytest.raises(ModelCorrupt, match=r"^tagger\.json: expected an alphabet, got (Type|Value)Error"):
        read_alphabet(tmp_path / "tagger.json")


@pytest.mark.parametrize("content", [None, b"", b"not json", b"[]", b"\xff\xfe"])
def test_a_file_that_is_no_alphabet_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "tagger.json").write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"^tagger\.json: expected an alphabet, got "):
        read_alphabet(tmp_path / "tagger.json")


@pytest.mark.parametrize(("said", "least"), [({}, 0.5), ({"least": 0.65}, 0.65), ({"least": 0}, 0.0)])
def test_the_least_probability_comes_with_the_network(tmp_path: Path, said: dict[str, object], least: float) -> None:
    (tmp_path / "tagger.json").write_text(json.dumps({**GOOD, **said}), "utf-8")
    assert read_alphabet(tmp_path / "tagger.json").least == least


def test_a_mention_less_sure_than_one_half_is_none_unless_the_network_asks_for_another_share() -> None:
    run = FakeRun(emitting("OOpO") * 0.1)
    assert tagger(run).find("的牙膏的", ()) == ()
    (found,) = tagger(run, alphabet=replace(ALPHABET, least=0.1)).find("的牙膏的", ())
    assert 0.1 <= found.confidence < 0.5
    assert tagger(run, alphabet=replace(ALPHABET, least=found.confidence + 0.01)).find("的牙膏的", ()) == ()
