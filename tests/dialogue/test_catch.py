from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.dialogue.catch import ACCEPT, CONFIRM, REPEAT, TABLE, Heard, Thresholds, judge, of
from appliance.values import Intent, Parse, Turn

MILK = Heard(confidence=0.9, characters=6, intent="find_product", sure=0.97, margin=0.9, whole=True)
NOISE = Heard(confidence=0.5, characters=4, intent="out_of_scope", sure=0.6, margin=0.3)


CASES = [
    ("silence", REPEAT, replace(NOISE, characters=0, repeats=5)),
    ("patience", ACCEPT, replace(NOISE, repeats=2)),
    ("certain", ACCEPT, MILK),
    ("certain", ACCEPT, replace(NOISE, confidence=0.95)),
    ("faint", CONFIRM, replace(MILK, confidence=0.2)),
    ("faint", CONFIRM, replace(NOISE, confidence=0.2, answers=True)),
    ("lost", REPEAT, replace(NOISE, confidence=0.2)),
    ("lost", REPEAT, replace(MILK, confidence=0.2, sure=0.5)),
    ("answer", ACCEPT, replace(NOISE, answers=True)),
    ("breath", REPEAT, replace(NOISE, characters=1)),
    ("breath", REPEAT, replace(MILK, confidence=0.6, characters=1, sure=0.6)),
    ("nonsense", REPEAT, NOISE),
    ("costly", CONFIRM, replace(MILK, confidence=0.6, intent="cancel")),
    ("doubtful", CONFIRM, replace(MILK, confidence=0.6, sure=0.6)),
    ("doubtful", CONFIRM, replace(MILK, confidence=0.6, whole=False, margin=0.05)),
    ("meant", ACCEPT, replace(MILK, confidence=0.6)),
    ("meant", ACCEPT, replace(MILK, confidence=0.6, characters=1)),  # 对, as a sentence of the pack
    ("certain", ACCEPT, replace(MILK, intent="cancel")),
]


@pytest.mark.parametrize(("reason", "action", "heard"), CASES)
def test_the_table(reason: str, action: str, heard: Heard) -> None:
    verdict = judge(heard)
    assert (verdict.reason, verdict.action) == (reason, action)


def test_every_row_is_tested_and_says_why() -> None:
    reasons = [row.reason for row in TABLE]
    assert len(set(reasons)) == len(reasons)
    assert set(reasons) == {reason for reason, _, _ in CASES}
    assert all(len(row.why) > 10 for row in TABLE)


heards = st.builds(
    Heard,
    confidence=st.floats(0, 1),
    characters=st.integers(0, 30),
    intent=st.sampled_from(["find_product", "cancel", "out_of_scope", "affirm"]),
    sure=st.floats(0, 1),
    margin=st.floats(0, 1),
    whole=st.booleans(),
    answers=st.booleans(),
    repeats=st.integers(0, 1),
)


@given(heards, st.floats(0, 1))
def test_hearing_better_never_makes_it_worse(heard: Heard, more: float) -> None:
    order = [REPEAT, CONFIRM, ACCEPT]
    better = replace(heard, confidence=max(heard.confidence, more))
    assert order.index(judge(better).action) >= order.index(judge(heard).action)


@given(heards)
def test_a_customer_is_not_asked_for_ever(heard: Heard) -> None:
    at = Thresholds()
    if heard.characters:
        assert judge(replace(heard, repeats=at.patience), at).action == ACCEPT


def test_thresholds_are_the_integrator_s() -> None:
    strict = Thresholds(lost=0.6, certain=0.95)
    assert judge(replace(MILK, confidence=0.5)).action == ACCEPT
    assert judge(replace(MILK, confidence=0.5), strict).action == CONFIRM


def test_what_is_known_of_a_turn() -> None:
    turn = Turn("牛奶 在哪？", source="audio", confidence=0.7)
    parse = Parse(Intent("find_product", 0.9), alternatives=(Intent("check_price", 0.4),), source="template")
    heard = of(turn, parse, answers=False, repeats=1)
    assert heard == Heard(0.7, 4, "find_product", 0.9, pytest.approx(0.5), whole=True, repeats=1)
    assert of(turn, Parse(Intent("out_of_scope", 0.2), source="none"), answers=True).margin == pytest.approx(0.2)
