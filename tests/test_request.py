"""Identifiers of requests: whose is taken, and how one goes along into another thread."""

from __future__ import annotations

import threading

import pytest

from appliance.request import begin, carried, chosen, current, fresh, some, under


@pytest.mark.parametrize("given", ["4bf92f35-77b3", "a" * 64, "order_2026.11", "123456ab"])
def test_a_well_formed_identifier_is_taken(given: str) -> None:
    assert chosen(given) == given


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "short1a",
        "a" * 65,
        "13812345678",
        "138-1234-5678",
        "wang-13812345678",
        "DD20261122000381",
        "order-138-1234-5678",
        "has space",
        "line\nbreak",
        "汉" * 9,
        'quote"12',
    ],
)
def test_another_is_replaced(given: str | None) -> None:
    made = chosen(given)
    assert made != given
    assert chosen(made) == made


@pytest.mark.parametrize(
    "given",
    [
        "550e8400-e29b-41d4-a716-446655440000",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "a123456789012345",
    ],
)
def test_digits_that_stand_together_by_chance_are_nobodys_number(given: str) -> None:
    assert chosen(given) == given


def test_our_own_is_taken_again_whatever_its_digits() -> None:
    assert chosen("r1234567890123456") == "r1234567890123456"


def test_new_ones_differ() -> None:
    assert len({fresh() for _ in range(100)}) == 100


def test_it_goes_along_into_another_thread_and_ends_there() -> None:
    seen: list[str] = []
    with under("request-one"):
        thread = threading.Thread(target=carried(lambda: seen.append(current())))
        thread.start()
        thread.join()
        bare = threading.Thread(target=lambda: seen.append(current()))
        bare.start()
        bare.join()
    assert seen == ["request-one", ""]
    assert current() == ""


def test_what_came_by_no_request_gets_one_and_what_has_one_keeps_it() -> None:
    with some():
        made = current()
        assert made
        with some():
            assert current() == made
    assert current() == ""
    begin("request-two")
    with some():
        assert current() == "request-two"
    begin("")
