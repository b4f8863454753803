"""The rule for who wins, on a small pack of its own."""

from __future__ import annotations

from datetime import date

import pytest

from appliance.language.lexicon import Cue, GazetteerEntry, IntentRule, Lexicon, PatternRule
from appliance.language.parse import Parser
from appliance.values import Entity, Intent, Parse, Turn

LEXICON = Lexicon(
    intents=(
        IntentRule(
            "find",
            ("{product}在哪", "{thing:product}(在哪|放哪)"),
            ("东西摆在什么地方",),
            (Cue("{product}", 0.3),),
            ("product",),
        ),
        IntentRule(
            "return", ("[我要]退货",), ("这个我不想要了", "买错了给退吗"), (Cue("退{any:_}货", 0.8), Cue("不退", -0.9))
        ),
        IntentRule("track", ("查快递",), ("快递走到哪了",), (Cue("快递", 0.6), Cue("到哪", 0.5)), ("number",)),
        IntentRule("bye", ("再见",), ("再见👋", "拜拜"), ()),
        IntentRule("out_of_scope", (), ("今天天气怎么样", "谁是总统"), (Cue("天气", 0.8),)),
    ),
    gazetteer=(GazetteerEntry("product", "牙膏", ("牙膏",), "P1"),),
    patterns=(PatternRule("number", r"sf\d{12}"),),
    entity_types=("product", "number"),
    wildcards=("thing", "any"),
    wildcard_refuses="我|你",
    openers=("请问", "hi"),
    closers=("吗", "啊", "谢谢"),
    thresholds={"accept": 0.5, "sound": 0.6},
)


@pytest.fixture(scope="module")
def small() -> Parser:
    return Parser(LEXICON, today=lambda: date(2026, 11, 22))


def said(small: Parser, text: str) -> Parse:
    return small.parse(Turn(text))


@pytest.mark.parametrize(
    ("text", "intent", "source", "least"),
    [
        ("牙膏在哪", "find", "template", 0.97),
        ("请问牙膏在哪啊", "find", "template", 0.97),
        ("东西摆在什么地方", "find", "sentence", 0.99),
        ("牙膏", "find", "entity", 0.85),
        ("请问牙膏", "find", "entity", 0.85),
        ("SF123456789012", "track", "entity", 0.8),
        ("充气船放哪", "find", "template", 0.7),
        ("帮我把这些货退了货架上的退旧货", "return", "keyword", 0.5),
        ("我要腿或", "return", "template", 0.8),
        ("再见再见", "bye", "template", 0.97),
    ],
)
def test_who_wins(small: Parser, text: str, intent: str, source: str, least: float) -> None:
    parse = said(small, text)
    assert (parse.intent.name, parse.source) == (intent, source)
    assert parse.intent.confidence >= least


def test_cues_together_are_surer_than_one(small: Parser) -> None:
    one, both = said(small, "咦快递呀嘛"), said(small, "咦快递呀嘛到哪")
    assert both.intent.name == "track"
    assert both.intent.confidence > max(one.intent.confidence if one.intent.name == "track" else 0, 0.6)


def test_a_counter_cue_takes_away(small: Parser) -> None:
    assert said(small, "哼不退那个破货").intent.name == "out_of_scope"


def test_nothing_fits(small: Parser) -> None:
    parse = said(small, "量子力学")
    assert (parse.intent.name, parse.source) == ("out_of_scope", "none")
    assert parse.intent.confidence > 0.5


def test_out_of_scope_may_be_meant(small: Parser) -> None:
    parse = said(small, "天气预报快递")
    assert parse.intent.name == "out_of_scope"
    assert [intent.name for intent in parse.alternatives][:1] == ["track"]


def test_empty_and_punctuation_are_out_of_scope(small: Parser) -> None:
    for text in ("", "   ", "？？？", "\u200b", "😀"):
        assert said(small, text).intent.name == "out_of_scope"


def test_emoji_alone_means_what_the_pack_says(small: Parser) -> None:
    assert said(small, "👋").intent.name == "bye"


def test_a_wildcard_becomes_an_entity(small: Parser) -> None:
    parse = said(small, "请问 充气船 在哪？")
    (entity,) = parse.entities
    assert (entity.type, entity.text, entity.value, entity.source) == ("product", "充气船", "充气船", "template")
    assert entity.confidence < 0.6


def test_a_refused_wildcard_does_not_match(small: Parser) -> None:
    assert said(small, "我家在哪").source != "template"


def test_an_intent_that_came_along_is_kept(small: Parser) -> None:
    parse = small.parse(Turn("牙膏在哪", intent=Intent("return", 1.0)))
    assert (parse.intent, parse.source, parse.alternatives) == (Intent("return", 1.0), "turn", ())
    assert [entity.type for entity in parse.entities] == ["product"]


def test_entities_that_came_along_are_kept(small: Parser) -> None:
    barcode = Entity("number", "SF123456789012", "SF123456789012", 0, 14, source="barcode")
    parse = small.parse(Turn("SF123456789012", source="barcode", entities=(barcode,)))
    assert parse.entities == (barcode,)
    assert parse.intent.name == "track"


def test_a_type_that_came_along_is_not_guessed_again(small: Parser) -> None:
    tapped = Entity("product", "", "香皂", 0, 0, source="tap")
    parse = small.parse(Turn("牙膏在哪", entities=(tapped,)))
    assert [entity.value for entity in parse.entities] == ["香皂"]


def test_another_reading_helps_when_the_first_means_nothing(small: Parser) -> None:
    parse = small.parse(Turn("凉字理学", alternatives=("胡言乱语", "查快递")))
    assert parse.intent.name == "track"
    assert parse.intent.confidence < 0.97
    assert small.parse(Turn("凉字理学", alternatives=("胡言乱语",))).intent.name == "out_of_scope"


def test_a_pack_of_nothing_understands_nothing() -> None:
    parser = Parser(Lexicon(intents=(IntentRule("out_of_scope"),)))
    assert parser.parse(Turn("你好")).intent == Intent("out_of_scope", 1.0)
    assert parser.entities("13812345678") == ()
    assert parser.language("hello there") == "en"


def test_the_parse_says_how_long_it_took_and_what_it_matched(small: Parser) -> None:
    parse = said(small, "牙膏 在哪？？")
    assert set(parse.timings_ms) == {"clean", "entities", "intent"}
    assert parse.clean == "牙膏在哪?"
    assert parse.language == "zh"
