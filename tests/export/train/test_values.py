"""Invented values have the form that customers give them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest

from appliance.language.numbers import parse_number
from appliance.packs.compile import load_pack
from export.train import values

NUMBER = "(?:[0-9]{1,3}|[一二三四五六七八九十百零]{1,5})"
SAID, ANY = "[零幺二三四五六七八九]", "[0-9零幺二三四五六七八九]"
ALONE = "|".join(f"[0-9]{{{count}}}|{SAID}{{{count}}}" for count in (4, 6, 8))
SPOKEN = str.maketrans("零幺二三四五六七八九", "0123456789")


def drawn(draw: Callable[[random.Random], str], count: int = 400) -> list[str]:
    rng = random.Random(11)
    return [draw(rng) for _ in range(count)]


def test_chinese_numbers_are_read_back() -> None:
    for number in range(1, 1000):
        assert parse_number(values._chinese(number)) == number
    assert [values._chinese(n) for n in (0, 10, 11, 20, 100, 101, 110, 111, 999)] == [
        "零", "十", "十一", "二十", "一百", "一百零一", "一百一十", "一百一十一", "九百九十九",
    ]  # fmt: skip


def test_phones_are_mobile_numbers_written_grouped_or_spoken() -> None:
    found = drawn(values.phone)
    plain = [re.sub("[ -]", "", said.translate(SPOKEN)) for said in found]
    assert all(re.fullmatch("1[3-9][0-9]{9}", said) for said in plain)
    assert any(said.isascii() and said.isdigit() for said in found)
    assert any(re.fullmatch(r"\d{3}[ -]\d{4}[ -]\d{4}", said) for said in found)
    assert any(re.fullmatch("[幺零二三四五六七八九]{11}", said) for said in found)


@pytest.mark.parametrize(
    ("draw", "form"),
    [
        (values.tracking_no, f"(?i:SF|YT|JT|JD|77|43){ANY}{{13}}|(?i:ZTO|STO|73){ANY}{{12}}"),
        (values.pickup_code, f"[0-9]{{1,2}}-[1-9]-[0-9]{{4}}|{SAID}{{1,2}}杠{SAID}杠{SAID}{{4}}|{ALONE}"),
        (values.order_no, "(?:DD|NO|E)?(?:2026|2025|1100|88)(?:[0-9]{4}|[0-9]{8}|[0-9]{10})"),
        (values.weight, rf"(?:{NUMBER}|[0-9]{{1,2}}\.[1-9])(?:公斤半?|斤半?|千克|kg|克|KG)"),
        (values.amount, rf"[0-9]{{1,3}}\.[0-9]{{1,2}}(?:元|块|块钱)|{NUMBER}(?:块|元|块钱|块五|块八)"),
        (values.ticket_no, f"[ABCDabc](?:[0-9]{{3}}|{SAID}{{2}})"),
        (values.email, r"[a-z]{3,8}(?:[0-9]{2}|[0-9]{4})?@[a-z0-9]+\.com"),
        (values.tax_no, "91[0-9]{6}MA[0-9A-HJ-NPQRTUWXY]{8}"),
    ],
)
def test_numbers_have_their_form(draw: Callable[[random.Random], str], form: str) -> None:
    wrong = [said for said in drawn(draw) if not re.fullmatch(form, said)]
    assert wrong == []


def test_names_begin_with_a_family_name_of_the_pack() -> None:
    found = drawn(lambda rng: values.person(rng, ("欧阳", "司马")))
    assert all(said.startswith(("欧阳", "司马")) and 3 <= len(said) <= 4 for said in found)
    assert any(said.endswith("先生") for said in found)
    assert all(said[0] in "王李张刘陈杨赵黄周吴" for said in drawn(values.person))


def test_addresses_begin_with_a_place() -> None:
    words = values._words()
    places = (*words["cities"], *words["provinces"])
    found = drawn(values.address)
    assert all(said.startswith(places) for said in found)
    assert any(re.search(f"{NUMBER}号", said) for said in found)
    assert any(re.search(r"\d+栋\d+0[1-4]$", said) for said in found)


def test_days_and_times_are_written_or_listed() -> None:
    words = values._words()
    days = [said for said in drawn(values.date) if said not in words["dates"]]
    assert days
    assert all(re.fullmatch(f"{NUMBER}月{NUMBER}[号日]", said) for said in days)
    times = [said for said in drawn(values.time) if said not in words["times"]]
    assert times
    assert all(re.fullmatch(f"(?:早上|上午|下午|晚上)?{NUMBER}(?:点|点半|点钟|点二十)", said) for said in times)


def test_quantities_count_something() -> None:
    counted = "|".join(map(re.escape, values._words()["counted"]))
    known = set(values._words()["counted_goods"])
    said = drawn(values.quantity)
    assert all(one in known or re.fullmatch(f"[一两三四五六十半几236](?:{counted})", one) for one in said)
    assert 0.15 < sum(one in known for one in said) / len(said) < 0.6


def test_every_type_of_the_pack_is_invented_and_no_other() -> None:
    pack = load_pack("store")
    found = values.inventors(pack)
    assert set(found) == set(pack.lexicon.entity_types)
    for kind, draw in found.items():
        said = drawn(draw, 50)
        assert all(value == value.strip() != "" for value in said), kind
        assert len(set(said)) > 5, kind


@pytest.mark.parametrize("kind", ["product", "brand", "place"])
def test_listed_things_come_from_the_packs_tables_and_as_often_from_what_no_table_has(kind: str) -> None:
    pack = load_pack("store")
    surfaces = {surface for entry in pack.lexicon.gazetteer if entry.type == kind for surface in entry.surfaces}
    others = set(values._words()[values._GOODS[kind]])
    assert set(drawn(values.inventors(pack, goods=False)[kind])) <= surfaces
    found = drawn(values.inventors(pack)[kind])
    assert set(found) <= surfaces | others
    assert 0.3 < sum(said in surfaces for said in found) / len(found) < 0.9


def test_no_word_is_listed_twice() -> None:
    for name, words in values._words().items():
        assert len(words) == len(set(words)), name
        assert all(isinstance(word, str) and word == word.strip() != "" for word in words), name


def test_the_same_seed_draws_the_same() -> None:
    for kind, draw in values.inventors(load_pack("store")).items():
        assert drawn(draw, 20) == drawn(draw, 20), kind
