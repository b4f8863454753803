"""Turns as the store's kiosk gets them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.language.parse import Parser
from appliance.values import Turn


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("你好", "greet"),
        ("厕所在哪里", "facility_location"),
        ("洗衣液在哪个货架", "find_product"),
        ("帮我查一下快递到哪了", "track_parcel"),
        ("我要退货", "return_exchange"),
        ("几点关门", "store_hours"),
        ("转人工", "human_agent"),
        ("取消", "cancel"),
        ("你会做什么", "help"),
        ("ＷＣ在哪儿？？？", "facility_location"),
        ("查一下单号SF1392847561002", "track_parcel"),
        ("SF1392847561002", "track_parcel"),
        ("3-2-1045", "pick_up_parcel"),
        ("A023", "queue_ticket"),
        ("牙膏", "find_product"),
        ("厕所", "facility_location"),
        ("洗衣夜在哪里呀", "find_product"),
        ("我要推货", "return_exchange"),
        ("我要腿获", "return_exchange"),
        ("廁所在哪裡", "facility_location"),
        ("WHERE IS THE TOILET???", "facility_location"),
        ("请问一下，你们这儿有没有卖电池的呀谢谢", "check_stock"),
    ],
)
def test_intent(parser: Parser, text: str, intent: str) -> None:
    parse = parser.parse(Turn(text))
    assert parse.intent.name == intent
    assert parse.intent.confidence >= 0.5


def test_a_tracking_number_is_found_with_its_span(parser: Parser) -> None:
    text = "查一下单号SF1392847561002"
    (entity,) = parser.parse(Turn(text)).entities
    assert (entity.type, entity.value) == ("tracking_no", "SF1392847561002")
    assert text[entity.start : entity.end] == "SF1392847561002"


def test_unknown_goods_are_asked_for_by_their_own_name(parser: Parser) -> None:
    parse = parser.parse(Turn("螺丝刀放在几号货架"))
    assert parse.intent.name == "find_product"
    assert [(entity.value, entity.source) for entity in parse.entities] == [("螺丝刀", "template")]


def test_english_is_recognised_as_such(parser: Parser) -> None:
    parse = parser.parse(Turn("how do I get to the car park?"))
    assert (parse.language, parse.intent.name) == ("en", "facility_location")
    assert [entity.value for entity in parse.entities] == ["停车场"]


def test_alternatives_come_best_first_and_never_repeat_the_intent(parser: Parser) -> None:
    for text in ("快递在哪儿取", "换货不办了", "牛奶过期了多少钱买的"):
        parse = parser.parse(Turn(text))
        confidences = [intent.confidence for intent in parse.alternatives]
        assert confidences == sorted(confidences, reverse=True)
        assert parse.intent.name not in [intent.name for intent in parse.alternatives]


def test_a_counter_cue_alone_is_no_more_than_sure(parser: Parser) -> None:
    # 龟 sounds like 柜, of which the pack says that it is no product.
    intent = parser.parse(Turn("龟")).intent
    assert (intent.name, intent.confidence) == ("out_of_scope", 1.0)


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_anything_can_be_parsed(parser: Parser, text: str) -> None:
    parse = parser.parse(Turn(text))
    assert 0 <= parse.intent.confidence <= 1
    assert all(text[entity.start : entity.end] == entity.text for entity in parse.entities)


def test_the_longest_text_allowed_is_parsed(parser: Parser) -> None:
    for text in ("我要退货" * 128, "1" * 512, "一" * 512, "在哪" * 256, "where is " * 56, "SF1 " * 128, "的" * 512):
        assert parser.parse(Turn(text)).intent.confidence >= 0


def test_many_threads_get_the_same_answer(parser: Parser) -> None:
    texts = ["洗衣夜在哪", "我要推货", "凉皮怎么做", "SF1392847561002"] * 20
    alone = [parser.parse(Turn(text)) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: parser.parse(Turn(text)), texts))
    for one, other in zip(alone, together, strict=True):
        assert (one.intent, one.entities, one.alternatives) == (other.intent, other.entities, other.alternatives)
