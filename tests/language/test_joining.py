"""The network's probabilities and the pack's evidence as one opinion."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.language.joining import TRUST, UNSURE, joined, settled
from appliance.values import Intent

NAMES = ("find", "greet", "out_of_scope", "return", "track")
CHANCES = st.lists(st.floats(0, 1), min_size=5, max_size=5)


def network(**chances: float) -> tuple[Intent, ...]:
    return tuple(Intent(name, chance) for name, chance in chances.items())


def test_the_network_alone_is_kept_as_it_is() -> None:
    found = joined(network(greet=0.2, find=0.7, track=0.1), {})
    assert [name for _, name in found] == ["find", "greet", "track"]
    assert [chance for chance, _ in found] == pytest.approx([0.7, 0.2, 0.1])


def test_evidence_multiplies_by_a_power_of_e() -> None:
    found = joined(network(find=0.5, greet=0.4, track=0.1), {"greet": 0.8, "track": 0.3}, trust=2.0)
    raised = {"find": 0.5, "greet": 0.4 * math.exp(1.6), "track": 0.1 * math.exp(0.6)}
    total = sum(raised.values())
    assert [name for _, name in found] == ["greet", "find", "track"]
    assert {name: chance for chance, name in found} == pytest.approx({n: r / total for n, r in raised.items()})


def test_evidence_decides_where_the_network_hesitates_and_not_where_it_is_sure() -> None:
    evidence = {"track": 0.9}
    assert joined(network(find=0.5, track=0.45), evidence)[0][1] == "track"
    assert joined(network(find=0.9, track=0.05), evidence)[0][1] == "find"


def test_no_trust_leaves_the_network_as_it_is() -> None:
    alone = network(find=0.6, track=0.4)
    assert joined(alone, {"track": 1.0}, trust=0.0) == joined(alone, {})
    assert joined(alone, {"track": 1.0}) == joined(alone, {"track": 1.0}, trust=TRUST)


def test_evidence_for_an_intent_that_the_network_does_not_know_adds_none() -> None:
    assert joined(network(find=0.6, track=0.4), {"juggle": 1.0}) == joined(network(find=0.6, track=0.4), {})


def test_equals_come_in_the_order_of_their_names_whatever_order_they_were_given_in() -> None:
    forth, back = network(track=0.25, find=0.25, greet=0.5), network(greet=0.5, find=0.25, track=0.25)
    assert [name for _, name in joined(forth, {})] == [name for _, name in joined(back, {})]
    assert [name for _, name in joined(forth, {})] == ["greet", "find", "track"]


def test_a_network_that_gives_nothing_a_chance_divides_by_no_zero() -> None:
    assert joined(network(find=0.0, track=0.0), {"find": 1.0}) == ((0.0, "find"), (0.0, "track"))


@given(CHANCES.filter(lambda chances: sum(chances) > 0.01), CHANCES)
def test_probabilities_sum_to_one_and_come_best_first(chances: list[float], evidence: list[float]) -> None:
    given_ = [Intent(name, chance) for name, chance in zip(NAMES, chances, strict=True)]
    found = joined(given_, dict(zip(NAMES, evidence, strict=True)))
    assert sorted(name for _, name in found) == sorted(NAMES)
    assert math.fsum(chance for chance, _ in found) == pytest.approx(1.0)
    assert [chance for chance, _ in found] == sorted((chance for chance, _ in found), reverse=True)


def test_the_likeliest_is_the_intent_and_the_next_three_are_its_alternatives() -> None:
    best, others = settled([(0.4, "find"), (0.25, "track"), (0.15, "greet"), (0.1, "bye"), (0.1, "help")])
    assert best == Intent("find", 0.4)
    assert others == (Intent("track", 0.25), Intent("greet", 0.15), Intent("bye", 0.1))


def test_what_is_hardly_likely_is_not_offered() -> None:
    _, others = settled([(0.9, "find"), (0.04, "track"), (0.0399, "greet")])
    assert others == (Intent("track", 0.04),)


def test_out_of_scope_when_it_is_likeliest() -> None:
    best, others = settled([(0.5, "out_of_scope"), (0.3, "find"), (0.1, "track"), (0.06, "greet"), (0.04, "bye")])
    assert best == Intent("out_of_scope", 0.5)
    assert others == (Intent("find", 0.3), Intent("track", 0.1), Intent("greet", 0.06))


def test_out_of_scope_is_no_alternative() -> None:
    best, others = settled([(0.5, "find"), (0.4, "out_of_scope"), (0.1, "track")])
    assert (best.name, [other.name for other in others]) == ("find", ["track"])


def test_out_of_scope_when_even_the_likeliest_is_unlikely() -> None:
    ranked = [(0.29, "find"), (0.28, "track"), (0.22, "greet"), (0.21, "bye")]
    best, others = settled(ranked)
    assert best == Intent("out_of_scope", 0.71)
    assert [other.name for other in others] == ["find", "track", "greet"]
    assert settled(ranked, unsure=0.25)[0] == Intent("find", 0.29)


def test_the_least_that_is_enough() -> None:
    assert settled([(UNSURE, "find"), (1 - UNSURE, "x")][:1])[0] == Intent("find", UNSURE)
    assert settled([(math.nextafter(UNSURE, 0), "find")])[0].name == "out_of_scope"


def test_confidences_are_given_with_four_digits() -> None:
    best, others = settled([(2 / 3, "find"), (1 / 3, "track")])
    assert (best.confidence, others[0].confidence) == (0.6667, 0.3333)
