"""The store's parser with networks: who decides, what each adds to a Parse, and what remains when one fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from appliance.errors import BackendFailed, DeadlineExceeded
from appliance.language.joining import UNSURE
from appliance.language.lexicon import OUT_OF_SCOPE
from appliance.language.parse import Minds, Parser
from appliance.packs.schema import Pack
from appliance.values import Intent, Turn
from tests.language.fake_minds import CLASSIFIER, TAGGER, TODAY, Thinking, decided, found, frequent

# Rule 1


@pytest.mark.parametrize(
    ("text", "intent", "source"),
    [
        ("我要退货", "return_exchange", "sentence"),
        ("我要投诉", "complaint", "sentence"),
        ("请问一下牙膏在哪", "find_product", "template"),
    ],
)
def test_what_the_pack_says_word_by_word_decides_over_a_sure_network(
    thinking: Thinking, plain: Parser, text: str, intent: str, source: str
) -> None:
    parse = thinking.parse(text, greet=0.99)
    assert (parse.intent.name, parse.source) == (intent, source)
    assert (parse.intent, parse.alternatives) == (plain.parse(Turn(text)).intent, plain.parse(Turn(text)).alternatives)


def test_a_sentence_that_the_pack_gives_as_out_of_scope_stays_so(thinking: Thinking) -> None:
    parse = thinking.parse("shut up", greet=0.99)
    assert (parse.intent.name, parse.source) == (OUT_OF_SCOPE, "none")


# Rule 2


@pytest.mark.parametrize(
    ("text", "intent"),
    [("SF1392847561099", "track_parcel"), ("请问洗衣液500克", "find_product"), ("D077", "queue_ticket")],
)
def test_an_entity_alone_means_what_the_pack_says(thinking: Thinking, text: str, intent: str) -> None:
    parse = thinking.parse(text, greet=0.99)
    assert parse.intent.name == intent
    assert parse.source != "model"


def test_an_entity_of_the_tagger_alone_does_too(thinking: Thinking, plain: Parser) -> None:
    assert plain.parse(Turn("请问榴莲千层")).intent.name == OUT_OF_SCOPE
    thinking.tagging.spans = ((2, 6, "product"),)
    parse = thinking.parse("请问榴莲千层", greet=0.99)
    assert parse.intent.name == "find_product"
    assert parse.source != "model"


# Rule 3


def test_the_network_decides_where_the_pack_has_no_sentence(thinking: Thinking, plain: Parser) -> None:
    text = "这个我拿回来你们收不收"
    assert plain.parse(Turn(text)).intent.name == OUT_OF_SCOPE
    parse = thinking.parse(text, return_exchange=0.8, refund_status=0.15)
    assert (parse.intent.name, parse.source) == ("return_exchange", "model")
    assert "refund_status" in [other.name for other in parse.alternatives]


def test_without_evidence_the_network_s_probabilities_are_the_answer(thinking: Thinking) -> None:
    parse = thinking.parse("绿野仙踪", store_hours=0.6, promotion=0.25, help=0.1)
    assert parse.source == "model"
    assert parse.intent.name == "store_hours"
    assert parse.intent.confidence == pytest.approx(0.6, abs=0.02)
    assert [other.name for other in parse.alternatives] == ["promotion", "help"]
    assert [other.confidence for other in parse.alternatives] == pytest.approx([0.25, 0.1], abs=0.02)


def test_cues_help_where_the_network_hesitates_and_cannot_overrule_it(thinking: Thinking, plain: Parser) -> None:
    text = "昨天那个快递到底啥情况"
    assert plain.parse(Turn(text)).intent.name == "track_parcel"
    unsure = thinking.parse(text, track_parcel=0.4, send_parcel=0.45)
    assert (unsure.intent.name, unsure.source) == ("track_parcel", "model")
    assert unsure.intent.confidence > 0.45
    assert thinking.parse(text, track_parcel=0.03, send_parcel=0.93).intent.name == "send_parcel"


def test_what_a_wildcard_took_is_kept_for_its_own_intent_only(thinking: Thinking) -> None:
    parse = thinking.parse("螺丝刀放在几号货架", find_product=0.9)
    assert (parse.intent.name, parse.source) == ("find_product", "model")
    assert found(parse) == [("product", "螺丝刀", "螺丝刀", "template")]
    parse = thinking.parse("螺丝刀放在几号货架", store_hours=0.99)
    assert (parse.intent.name, found(parse)) == ("store_hours", [])


# Rule 4


@pytest.mark.parametrize(
    "text",
    ["我要推货", "螺丝刀放在几号货架", "昨天那个快递到底啥情况", "绿野仙踪", "牙膏", "单号SF1392847561002的咋没动静"],
)
def test_a_network_that_fails_leaves_what_the_pack_makes_of_it(thinking: Thinking, plain: Parser, text: str) -> None:
    thinking.understanding.error = BackendFailed("understand-zh: expected to run")
    assert decided(thinking.parse(text)) == decided(plain.parse(Turn(text)))


# Rule 5


def test_below_the_least_probability_it_is_out_of_scope(thinking: Thinking) -> None:
    parse = thinking.parse("绿野仙踪", store_hours=0.2, promotion=0.19, help=0.18)
    assert (parse.intent.name, parse.source) == (OUT_OF_SCOPE, "model")
    assert parse.intent.confidence == pytest.approx(0.8, abs=0.02)
    assert [other.name for other in parse.alternatives] == ["store_hours", "promotion", "help"]
    enough = thinking.parse("绿野仙踪", store_hours=UNSURE + 0.05)
    assert (enough.intent.name, enough.source) == ("store_hours", "model")


def test_a_probability_that_is_too_little_for_templates_is_enough_for_the_network(
    thinking: Thinking, pack: Pack
) -> None:
    parse = thinking.parse("绿野仙踪", store_hours=0.4, promotion=0.3)
    assert parse.intent.name == "store_hours"
    assert parse.intent.confidence < pack.lexicon.thresholds["accept"]


def test_out_of_scope_when_the_network_says_so(thinking: Thinking) -> None:
    parse = thinking.parse("绿野仙踪", out_of_scope=0.7, chitchat=0.2)
    assert (parse.intent.name, parse.source) == (OUT_OF_SCOPE, "model")
    assert parse.intent.confidence == pytest.approx(0.7, abs=0.02)
    assert [other.name for other in parse.alternatives] == ["chitchat"]


def test_another_reading_is_tried_when_the_network_finds_nothing_in_the_first(thinking: Thinking) -> None:
    thinking.understanding.chances = {OUT_OF_SCOPE: 0.9}
    parse = thinking.parser.parse(Turn("我药腿祸来着", alternatives=("绿野仙踪", "我要退货")))
    assert (parse.intent.name, parse.source) == ("return_exchange", "sentence")
    assert parse.intent.confidence == pytest.approx(0.99 * 0.9, abs=1e-3)
    assert thinking.understanding.runs == 1


def test_an_intent_that_came_along_is_not_asked_of_the_network(thinking: Thinking) -> None:
    thinking.understanding.chances = {"greet": 0.99}
    parse = thinking.parser.parse(Turn("绿野仙踪", intent=Intent("help", 1.0)))
    assert (parse.intent, parse.source, parse.alternatives) == (Intent("help", 1.0), "turn", ())


# What the networks add


def test_a_parse_says_what_each_network_made_of_it(thinking: Thinking) -> None:
    thinking.understanding.moods = (0.75, 0.2, 0.05)
    parse = thinking.parse("七天之内无理由退换有没有", return_exchange=0.9)
    assert parse.sentiment is not None
    assert parse.sentiment.name == "neg"
    assert parse.sentiment.confidence == pytest.approx(0.75, abs=1e-3)
    assert parse.faq[0].id == "return_changed_mind"
    assert parse.faq[0].way == "七天之内无理由退换有没有"
    assert parse.faq[0].meaning > 0.2
    assert parse.models == (TAGGER, CLASSIFIER)
    assert list(parse.timings_ms) == ["clean", "entities", "tagger", "encoder", "intent", "faq"]
    assert all(ms >= 0 for ms in parse.timings_ms.values())


def test_without_networks_nothing_of_theirs_is_said(plain: Parser, pack: Pack) -> None:
    parse = plain.parse(Turn("七天之内无理由退换有没有"))
    assert (parse.sentiment, parse.faq, parse.models) == (None, (), ())
    assert set(parse.timings_ms) == {"clean", "entities", "intent"}
    empty = Parser(pack.lexicon, lambda: TODAY, Minds()).parse(Turn("七天之内无理由退换有没有"))
    assert decided(empty) == decided(parse)


def test_frequent_questions_serve_without_a_network(pack: Pack) -> None:
    parser = Parser(pack.lexicon, lambda: TODAY, Minds(faq=frequent(pack, None)))
    parse = parser.parse(Turn("七天之内无理由退换有没有"))
    assert (parse.faq[0].id, parse.faq[0].meaning) == ("return_changed_mind", 0.0)
    strange = parser.parse(Turn("绿野仙踪")).faq
    assert parse.faq[0].confidence > 0.5 > max(match.confidence for match in strange)
    assert (parse.sentiment, parse.models) == (None, ())
    assert set(parse.timings_ms) == {"clean", "entities", "intent", "faq"}


def test_a_frequent_question_is_believed_less_in_a_turn_that_is_out_of_scope(thinking: Thinking) -> None:
    inside, outside = (
        thinking.parse("买回家后悔了退掉", **chances).faq[0] for chances in ({"greet": 0.9}, {OUT_OF_SCOPE: 0.99})
    )
    assert inside.id == outside.id
    assert inside.confidence > outside.confidence


@pytest.mark.parametrize(
    ("changed", "asks"),
    [
        ({}, True),
        ({"source": "audio"}, True),
        ({"source": "image"}, False),
        ({"intent": Intent("help", 1.0), "source": "tap"}, False),
    ],
)
def test_who_shows_a_photo_or_brings_an_intent_asks_no_frequent_question(
    thinking: Thinking, changed: dict[str, Any], asks: bool
) -> None:
    parse = thinking.parser.parse(replace(Turn("七天之内无理由退换有没有"), **changed))
    assert bool(parse.faq) == ("faq" in parse.timings_ms) == asks
    # A photo's text is no sentence to tag, and who taps has said what is meant.
    models = {"image": (CLASSIFIER,), "tap": ()}
    assert parse.models == models.get(changed.get("source", "text"), (TAGGER, CLASSIFIER))


@pytest.mark.parametrize("text", ["", "   ", "\u200b", "👋"])
def test_a_turn_without_words_is_shown_to_no_network(thinking: Thinking, plain: Parser, text: str) -> None:
    parse = thinking.parse(text, help=0.99)
    assert (thinking.understanding.runs, thinking.tagging.shown) == (0, [])
    assert (parse.sentiment, parse.faq, parse.models) == (None, (), ())
    assert decided(parse) == decided(plain.parse(Turn(text)))


@pytest.mark.parametrize("text", ["退", "？？？", "我要退货" * 128, "1" * 512, "where is " * 56])
def test_the_shortest_and_the_longest_turns_are_understood(thinking: Thinking, text: str) -> None:
    parse = thinking.parse(text, help=0.5)
    assert 0 <= parse.intent.confidence <= 1
    assert parse.models == (TAGGER, CLASSIFIER)
    assert thinking.tagging.shown[0]["characters"].shape[1] <= 128


# Networks that fail


def test_each_network_may_fail_at_one_turn_and_serve_at_the_next(thinking: Thinking) -> None:
    thinking.tagging.spans = ((0, 4, "product"),)

    def said() -> tuple[str, bool, list[str], tuple[str, ...]]:
        parse = thinking.parse("榴莲千层太甜绿野仙踪", complaint=0.9)
        return parse.source, parse.sentiment is not None, [entity.text for entity in parse.entities], parse.models

    assert said() == ("model", True, ["榴莲千层"], (TAGGER, CLASSIFIER))
    thinking.understanding.error = DeadlineExceeded("understand-zh: expected in time")
    source, felt, entities, served = said()
    assert (source != "model", felt, entities, served) == (True, False, ["榴莲千层"], (TAGGER,))
    thinking.understanding.error, thinking.tagging.error = None, BackendFailed("entities-zh: expected to run")
    assert said() == ("model", True, [], (CLASSIFIER,))
    thinking.tagging.error = None
    assert said() == ("model", True, ["榴莲千层"], (TAGGER, CLASSIFIER))


def test_both_may_fail_at_once(thinking: Thinking, plain: Parser) -> None:
    thinking.understanding.error = thinking.tagging.error = BackendFailed("net: expected to run")
    for text in ("单号SF1392847561002的咋没动静", "张三说可乐涨价了", "绿野仙踪"):
        parse = thinking.parse(text)
        assert decided(parse) == decided(plain.parse(Turn(text)))
        assert (parse.sentiment, parse.models) == (None, ())


def test_a_frequent_question_is_found_by_its_words_when_the_encoder_fails(thinking: Thinking) -> None:
    thinking.understanding.error = BackendFailed("understand-zh: expected to run")
    best = thinking.parse("七天之内无理由退换有没有").faq[0]
    assert (best.id, best.meaning) == ("return_changed_mind", 0.0)
    assert best.words > 0.2


def test_a_tap_needs_no_network(thinking: Thinking) -> None:
    thinking.understanding.error = thinking.tagging.error = BackendFailed("expected to run")
    parse = thinking.parser.parse(Turn("电饭煲", intent=Intent("find_product", 1.0), source="tap"))
    assert (thinking.understanding.runs, thinking.tagging.shown) == (0, [])
    assert [entity.text for entity in parse.entities] == ["电饭煲"]


def test_many_threads_get_the_same_parse(thinking: Thinking) -> None:
    thinking.understanding.chances = {"complaint": 0.6, "return_exchange": 0.3}
    thinking.tagging.spans = ((0, 2, "product"),)
    texts = ["七天之内无理由退换有没有", "我要推货", "绿野仙踪", "昨天那个快递到底啥情况", "", "SF1392847561099"] * 10

    def told(text: str) -> tuple[object, ...]:
        parse = thinking.parser.parse(Turn(text))
        return *decided(parse), parse.sentiment, parse.faq, parse.models

    alone = [told(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(told, texts)) == alone
