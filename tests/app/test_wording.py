"""What was heard becomes what the pack reads; the pack's wake phrase is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.app.wording import build_wake, build_wording, likely
from appliance.errors import PackInvalid
from appliance.language.parse import Parser
from appliance.packs.compile import load_pack
from appliance.packs.schema import Pack


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack("store")


@pytest.fixture(scope="module")
def parser(pack: Pack) -> Parser:
    return Parser(pack.lexicon)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("我的电话是幺三八零零一三八零零零", "我的电话是13800138000"),
        ("顺风快递到哪了", "顺丰快递到哪了"),
        ("西衣液在哪里", "洗衣液在哪里"),
        ("收件人是李西依", "收件人是李西依"),
        ("洗衣液在哪里", "洗衣液在哪里"),
        ("", ""),
    ],
)
def test_numbers_and_names(pack: Pack, parser: Parser, said: str, meant: str) -> None:
    assert build_wording(pack, parser, heard=lambda: True)(said).text == meant


def test_without_a_recogniser_no_names_are_indexed_and_numbers_are_written_all_the_same(
    pack: Pack, parser: Parser
) -> None:
    worded = build_wording(pack, parser, heard=lambda: False)
    assert worded("顺风快递幺三八零零一三八零零零").text == "顺风快递13800138000"


def test_the_packs_wake_phrase_and_what_follows_it(pack: Pack) -> None:
    wakes = build_wake(pack)
    assert wakes("小店你好") == ""
    assert wakes("小店你好，我要寄快递") == "我要寄快递"
    assert wakes("我要寄快递") is None


def test_a_pack_without_one_has_the_usual_phrase_and_an_unfit_one_is_refused(pack: Pack) -> None:
    assert build_wake(replace(pack, wake=()))("小店你好") == ""
    with pytest.raises(PackInvalid, match="too short"):
        build_wake(replace(pack, wake=("你好",)))
    with pytest.raises(PackInvalid, match="customers say"):
        build_wake(replace(pack, wake=("请问一下",)))


def test_what_customers_say_is_sentences_names_the_wake_phrase_and_numerals_each_once() -> None:
    said = likely(load_pack("store"))
    assert len(said) == len(set(said))
    for one in ("好的", "小店你好", "洗衣液", "幺"):
        assert one in said


def test_names_are_put_right_once_a_recogniser_has_joined(pack: Pack, parser: Parser) -> None:
    joined: list[str] = []
    worded = build_wording(pack, parser, heard=lambda: joined)
    assert worded("顺风快递到哪了").text == "顺风快递到哪了"
    joined.append("zh")
    assert worded("顺风快递到哪了").text == "顺丰快递到哪了"
