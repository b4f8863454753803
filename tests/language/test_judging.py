"""The tagger beside tables and patterns: what it finds, what beats it, and what it judges."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.language.parse import Parser
from appliance.values import Entity, Turn
from tests.language.fake_minds import TAGS, Thinking, found


def test_the_tagger_finds_what_no_table_lists(thinking: Thinking, plain: Parser) -> None:
    assert plain.parse(Turn("那个榴莲千层过期了")).entities == ()
    thinking.tagging.spans = ((2, 6, "product"),)
    assert found(thinking.parse("那个榴莲千层过期了")) == [("product", "榴莲千层", "榴莲千层", "model")]


def test_its_spans_point_into_the_words_as_they_were_given(thinking: Thinking) -> None:
    text = "  那个 ＡＢＣ 饼皮，过期了"
    clean = thinking.parse(text).clean
    start = clean.index("abc")
    thinking.tagging.spans = ((start, clean.index("皮") + 1, "product"),)
    (entity,) = thinking.parse(text).entities
    assert text[entity.start : entity.end] == entity.text
    assert entity.text.startswith("ＡＢＣ")
    assert entity.text.endswith("饼皮")
    assert entity.value.startswith("abc")


def test_it_is_shown_what_tables_and_patterns_found(thinking: Thinking) -> None:
    thinking.parse("张总电饭煲13812345678")
    (shown,) = thinking.tagging.shown
    tags = [TAGS[number] for number in shown["hints"][0]]
    assert tags[2:5] == ["B-product", "I-product", "I-product"]
    assert tags[5:] == ["B-phone", *["I-phone"] * 10]
    assert shown["characters"][0, 5:].tolist() == [2] * 11


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("税号91350100M000100Y43开票", "tax_no", "91350100M000100Y43"),
        ("邮政的RA123456785CN到没", "tracking_no", "RA123456785CN"),
    ],
)
def test_a_number_that_passes_its_checksum_beats_a_guess(thinking: Thinking, text: str, kind: str, value: str) -> None:
    thinking.tagging.spans = ((0, len(text), "product"),)
    assert [(entity.type, entity.value, entity.source) for entity in thinking.parse(text).entities] == [
        (kind, value, "pattern")
    ]


def test_a_pattern_beats_a_guess_that_is_no_longer(thinking: Thinking) -> None:
    thinking.tagging.spans = ((2, 13, "person"),)
    assert found(thinking.parse("打给13812345678")) == [("phone", "13812345678", "13812345678", "pattern")]


def test_a_listed_name_is_what_the_network_makes_of_it(judging: Thinking) -> None:
    judging.tagging.spans = ((1, 7, "product"),)
    assert found(judging.parse("那电饭煲保护套呢", find_product=0.9)) == [
        ("product", "电饭煲保护套", "电饭煲保护套", "model")
    ]
    judging.tagging.spans = ()
    assert found(judging.parse("那电饭煲保护套呢", find_product=0.9)) == []


def test_a_listed_name_that_the_network_marks_keeps_its_value(judging: Thinking, plain: Parser) -> None:
    (listed,) = plain.parse(Turn("那边的厕所脏死了")).entities
    assert (listed.type, listed.source) == ("place", "gazetteer")
    assert listed.value != listed.text
    judging.tagging.spans = ((listed.start, listed.end, "place"),)
    (marked,) = judging.parse("那边的厕所脏死了").entities
    assert marked == replace(listed, source="model", confidence=marked.confidence)


def test_a_bare_number_that_the_network_does_not_mark_is_none_and_a_phone_is_one(judging: Thinking) -> None:
    assert found(judging.parse("三斤的那个13812345678")) == [("phone", "13812345678", "13812345678", "pattern")]
    judging.tagging.spans = ((0, 2, "weight"),)
    assert [kind for kind, *_ in found(judging.parse("三斤的那个13812345678"))] == ["weight", "phone"]


def test_an_address_has_the_network_s_bounds_and_the_province_that_tables_know(judging: Thinking) -> None:
    text = "寄到杭州西湖区文三路东头老粮站"
    (listed,) = judging.parser._finder.find(text)
    assert (listed.type, listed.end < len(text)) == ("address", True)
    judging.tagging.spans = ((2, len(text), "address"),)
    (marked,) = judging.parse(text).entities
    assert (marked.text, marked.value, marked.source) == (text[2:], text[2:], "model")
    assert marked.detail == listed.detail
    assert marked.detail["province"] == "浙江省"


def test_a_person_whom_the_network_marks_has_the_name_as_the_pattern_writes_it(
    judging: Thinking, plain: Parser
) -> None:
    text = "我叫zhang san"
    (named,) = plain.parse(Turn(text)).entities
    assert named.value == "Zhang San"
    judging.tagging.spans = ((2, len(text), "person"),)
    parse = judging.parse(text)
    assert found(parse) == [("person", "zhang san", "Zhang San", "model")]
    assert parse.personal == ()


def test_what_a_pattern_takes_for_a_person_or_an_address_is_what_the_network_makes_of_it(judging: Thinking) -> None:
    text = "我叫张建国住杭州西湖区"
    assert sorted(one.type for one in judging.parser._finder.find(text)) == ["address", "person"]
    assert found(judging.parse(text)) == []


def test_what_stands_behind_the_network_s_reading_is_not_judged_by_it(judging: Thinking) -> None:
    text = "那个" * 64 + "电饭煲"
    assert [entity.text for entity in judging.parse(text).entities] == ["电饭煲"]


def test_a_name_that_the_network_does_not_mark_is_no_entity_but_stays_masked(judging: Thinking, plain: Parser) -> None:
    text = "张师傅修的"
    (named,) = plain.parse(Turn(text)).entities
    parse = judging.parse(text)
    assert parse.entities == ()
    assert parse.personal == (named,)


def test_the_text_of_a_photo_is_left_to_tables_and_patterns(thinking: Thinking, plain: Parser) -> None:
    turn = Turn("牛奶250ml 11.60 2026-11-22 18:30", source="image")
    assert thinking.parser.parse(turn).entities == plain.parse(turn).entities
    assert thinking.tagging.shown == []


def test_emissions_that_are_not_finite_leave_tables_and_patterns(judging: Thinking) -> None:
    judging.tagging.spans, judging.tagging.strength = ((0, 2, "product"),), float("nan")
    assert [entity.source for entity in judging.parse("那个电饭煲").entities] == ["gazetteer"]


def test_a_type_that_came_along_is_not_guessed_again(thinking: Thinking) -> None:
    tapped = Entity("product", "", "香皂", 0, 0, source="tap")
    thinking.tagging.spans = ((2, 6, "product"),)
    parse = thinking.parser.parse(Turn("那个榴莲千层过期了", entities=(tapped,)))
    assert parse.entities == (tapped,)
