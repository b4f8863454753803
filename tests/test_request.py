"""Identifiers of requests: whose is taken, and how one goes along into another thread."""

from __future__ import annotations

import threading

import pytest

from appliance.request import begin, carried, chosen, current, fresh, some, under, well_formed


@pytest.mark.parametrize(
    "given",
    [
        "550e8400-e29b-41d4-a716-446655440000",
        "550E8400-E29B-41D4-A716-446655440000",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "4BF92F3577B34DA6A3CE929D0E0E4736",
        "4bf92f3577b34da6" * 4,
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ],
)
def test_what_only_programs_make_is_taken(given: str) -> None:
    assert chosen(given) == given


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "short1a",
        "gateway-0042",
        "ouyang-mingyue",
        "zhang.tiezhu.01",
        "wang_xiaoming_2026",
        "a" * 64,
        "deadbeef" * 4,
        "13812345678",
        "138-1234-5678",
        "6222021234567890",
        "11010519491231002X",
        "wang-13812345678",
        "DD20261122000381",
        "dd20261122000381",
        "WANGXIAOMINGZHANGTIEZHU000",
        "00000000000000001234567890123456",
        "4bf92f3577b34da6a3CE929D0E0E4736",
        "4bf92f3577b34da6a3ce929d0e0e4736\n",
        "４bf92f3577b34da6a3ce929d0e0e4736",
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


def test_our_own_is_taken_again_whatever_its_digits() -> None:
    assert chosen("r1234567890123456") == "r1234567890123456"


def test_new_ones_differ() -> None:
    made = {fresh() for _ in range(5000)}
    assert len(made) == 5000
    assert all(map(well_formed, made)), "and one is taken again where it comes in anew"


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
