"""The rules of a turn: attempts, slots, other intents, asking back, outcomes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from dialogue_steps import START

from appliance.values import Entity, Intent, Parse, Turn


def test_after_its_retries_a_slot_is_handed_over(stage):
    answers = stage.play(START + "- {user: 啊, parse: {}}\n- {user: 嗯, parse: {}}\n- {user: 哦, parse: {}}\n")
    assert [answer.outcome for answer in answers] == ["pending", "pending", "pending", "handed_over"]
    assert "不像快递单号" in answers[1].text
    assert "A001" in answers[3].text
    assert answers[3].flow is None
    assert stage.heard.outcomes()[-1] == ("handed_over", "track_parcel")
    assert ("hand_over", "A001") in [(event, fields.get("ticket")) for event, fields in stage.heard.events]


def test_a_good_answer_forgives_earlier_misses(stage):
    stage.play(
        """
- {user: 我要退换货, parse: {intent: return_exchange}, expect: {expects: kind}}
- {user: 嗯, parse: {}, expect: {says: 请选一个, expects: kind}}
- {user: 啊, parse: {}, expect: {expects: kind}}
- {user: 换货, parse: {intent: return_exchange}, expect: {expects: product}}
- {user: 电水壶, parse: {source: entity, intent: find_product, entities: [{type: product, value: 电水壶}]}}
- {user: 嗯, parse: {}, expect: {says: 有小票, expects: proof}}
- {user: 啊, parse: {}, expect: {expects: proof, outcome: pending}}
"""
    )
    assert stage.dialogue.state(stage.session).attempts == 2


def test_do_not_know_hands_over_where_the_slot_says_so(stage):
    stage.play(START + "- {user: 不知道, parse: {}, expect: {outcome: handed_over, flow: null}}")


def test_slots_answered_out_of_order_are_kept(stage):
    stage.play(
        """
- {user: 我要退换货, parse: {intent: return_exchange}, expect: {expects: kind}}
- user: 前天买的
  parse: {entities: [{type: date, text: 前天, value: "2026-11-20"}]}
  expect: {expects: kind, outcome: pending}
- {user: 退, parse: {}, expect: {expects: product}}
- {user: 拖鞋, parse: {}, expect: {expects: proof}}
- user: 订单号 A20261120
  parse: {entities: [{type: order_no, value: A20261120}]}
  expect: {says: 2 天, data: {days: 2}}
"""
    )


def test_all_slots_in_one_breath(stage):
    stage.play(
        """
- user: 昨天买的拖鞋要退，订单号A20261121
  parse:
    intent: return_exchange
    entities:
    - {type: date, text: 昨天, value: "2026-11-21"}
    - {type: product, text: 拖鞋, value: 拖鞋, detail: {keys: P1203}}
    - {type: order_no, value: A20261121}
  expect: {says: [1 天, C001], outcome: handed_over, data: {kind: return, product: 拖鞋, days: 1}}
"""
    )


def test_a_date_to_come_is_not_a_day_of_purchase(stage):
    stage.play(
        """
- {user: 我要退货, parse: {intent: return_exchange}}
- {user: 拖鞋, parse: {}}
- {user: 有小票, parse: {}, expect: {expects: bought_on}}
- {user: 明天, parse: {entities: [{type: date, value: "2026-11-23"}]}, expect: {says: 不能晚于今天, expects: bought_on}}
- {user: 今天, parse: {entities: [{type: date, value: "2026-11-22"}]}, expect: {says: 0 天, outcome: handed_over}}
"""
    )


@pytest.mark.parametrize(
    "product, kind, date, policy",
    [
        ("P1203", "退货", "2026-11-15", "in_time"),
        ("P1203", "退货", "2026-11-14", "too_late"),
        ("P1203", "换货", "2026-11-07", "in_time"),
        ("P1203", "换货", "2026-11-06", "too_late"),
        ("P0101", "退货", "2026-11-22", "fresh"),
    ],
)
def test_the_window_for_returns_ends_on_the_day(stage, product, kind, date, policy):
    stage.say(f"我要{kind}", {"intent": "return_exchange"})
    stage.say(
        "那个",
        {
            "intent": "find_product",
            "source": "entity",
            "entities": [{"type": "product", "value": "那个", "detail": {"keys": product}}],
        },
    )
    stage.say("有小票", {})
    answer = stage.say(date, {"entities": [{"type": "date", "value": date}]})
    assert answer.data["policy"] == policy


def test_an_intent_that_has_to_ask_takes_the_tasks_place(stage):
    answers = stage.play(
        START
        + """
- user: 我要退换货
  parse: {intent: return_exchange}
  expect: {says: [先不查快递了, 退货还是换货], flow: return_exchange, expects: kind, outcome: pending}
"""
    )
    assert ("abandoned", "track_parcel") in stage.heard.outcomes()
    assert answers[-1].outcome == "pending"


def test_a_question_about_another_product_does_not_answer_the_slot(stage):
    stage.play(
        """
- {user: 我要退货, parse: {intent: return_exchange}}
- user: 洗衣液多少钱
  parse: {intent: check_price, entities: [{type: product, value: 洗衣液, detail: {keys: P0901}}]}
  expect: {says: [洗衣液, 我们继续退换货], expects: product, flow: return_exchange, outcome: resolved}
- user: 就是洗衣液
  parse: {intent: find_product, source: keyword, entities: [{type: product, value: 洗衣液, detail: {keys: P0901}}]}
  expect: {expects: proof}
"""
    )


def test_several_rows_are_offered_and_chosen_by_position_name_or_tap(staged):
    for reply, source in (("第二个", "none"), ("婴儿湿巾", "entity"), ("baby wipes", "none")):
        stage = staged()
        said = {"type": "product", "value": "湿巾", "detail": {"keys": "P1018,P1104,P1108"}}
        answer = stage.say("湿巾还有货吗", {"intent": "check_stock", "entities": [said]})
        labels = [suggestion.label for suggestion in answer.suggestions]
        assert labels == ["酒精湿巾", "湿巾", "婴儿湿巾", "取消"]
        assert answer.expects == "product"
        chosen = stage.say(
            reply, {"source": source, "intent": "find_product" if source == "entity" else "out_of_scope"}
        )
        assert chosen.data.get("product") == ("湿巾" if reply == "第二个" else "婴儿湿巾"), chosen
        assert stage.say("多少钱", {"intent": "check_price"}).data["product"] == chosen.data["product"]


def test_a_choice_that_matches_nothing_is_asked_again(stage):
    said = {"type": "product", "value": "湿巾", "detail": {"keys": "P1018,P1104,P1108"}}
    stage.say("湿巾还有货吗", {"intent": "check_stock", "entities": [said]})
    answer = stage.say("第九个", {})
    assert "没对上" in answer.text
    assert "酒精湿巾" in [suggestion.label for suggestion in answer.suggestions]


def test_where_follows_the_product_just_spoken_of(stage):
    stage.play(
        """
- user: 洗衣液多少钱
  parse: {intent: check_price, entities: [{type: product, value: 洗衣液, detail: {keys: P0901}}]}
- user: 在哪里
  parse: {intent: facility_location, sure: 0.69, source: sentence, alternatives: {find_product: 0.48}}
  expect: {says: [洗衣液, 9 号通道], outcome: resolved}
- {user: 找商品, parse: {}, expect: {expects: product, outcome: pending}}
"""
    )


def test_an_uncertain_value_is_confirmed(stage):
    near = {"type": "product", "text": "洗一液", "value": "洗衣液", "confidence": 0.7, "detail": {"keys": "P0901"}}
    answer = stage.say("洗一液在哪", {"intent": "find_product", "entities": [near]})
    assert "洗衣液" in answer.text
    assert [suggestion.label for suggestion in answer.suggestions] == ["是的", "不是", "取消"]
    assert stage.say("不是", {"intent": "deny"}).expects == "product"
    assert stage.say("洗一液", {"intent": "find_product", "source": "entity", "entities": [near]}).expects == "product"
    answer = stage.say("对", {"intent": "affirm"})
    assert answer.data["sku"] == "P0901"
    assert stage.say("多少钱", {"intent": "check_price"}).data["sku"] == "P0901"


def test_a_value_denied_too_often_is_handed_over(stage):
    near = {"type": "product", "text": "洗一液", "value": "洗衣液", "confidence": 0.7}
    stage.say("洗一液在哪", {"intent": "find_product", "entities": [near]})
    for _ in range(2):
        assert stage.say("不是", {"intent": "deny"}).outcome == "pending"
        stage.say("洗一液", {"source": "entity", "intent": "find_product", "entities": [near]})
    assert stage.say("不是", {"intent": "deny"}).expects == "product"


def test_another_reading_of_speech_answers_the_slot(stage):
    stage.play(START)
    heard = Turn("塞夫一四零二", source="audio", alternatives=("SF1402938475610",))
    parse = Parse(Intent("out_of_scope", 1.0), source="none", clean=heard.text)
    number = Entity("tracking_no", "SF1402938475610", "SF1402938475610", 0, 15, 0.98)
    stage.scripted.readings["SF1402938475610"] = replace(parse, entities=(number,))
    answer = stage.dialogue.respond(stage.session, heard, parse)
    assert "SF1402938475610" in answer.text
    assert answer.expects == "tracking_no"
    assert stage.say("对", {"intent": "affirm"}).data["state"] == "arrived"


def test_asking_back(stage):
    answer = stage.say(
        "那个东西", {"sure": 0.6, "alternatives": {"find_product": 0.45, "check_stock": 0.4, "invoice": 0.1}}
    )
    assert answer.outcome == "not_understood"
    assert [suggestion.label for suggestion in answer.suggestions] == ["找商品", "查库存", "转人工"]
    answer = stage.say("快递吧", {"intent": "track_parcel", "sure": 0.4, "source": "keyword"})
    assert "查快递" in answer.text
    assert stage.say("对", {"intent": "affirm"}).expects == "tracking_no"


def test_what_is_surely_about_something_else_is_not_guessed_at(stage):
    answer = stage.say("动物园几点开门", {"sure": 0.97, "alternatives": {"store_hours": 0.5}})
    assert answer.outcome == "not_understood"
    assert "营业时间" not in answer.text


def test_a_yes_that_answers_nothing(stage):
    assert stage.say("是的", {"intent": "affirm"}).outcome == "resolved"
    assert stage.say("再说一遍", {"intent": "repeat"}).text


def test_repeat_without_anything_said(stage):
    assert "没有说过" in stage.say("再说一遍", {"intent": "repeat"}).text


def test_three_misses_offer_a_person(stage):
    answers = [stage.say("咕噜", {}) for _ in range(3)]
    assert [answer.outcome for answer in answers] == ["not_understood"] * 3
    assert answers[2].suggestions[0].intent == "human_agent"
    assert "服务台" in answers[2].text


def test_an_intent_without_a_flow_is_not_understood(stage):
    assert stage.say("预约体检", {"intent": "book_checkup"}).outcome == "not_understood"


def test_phrasings_change_and_are_the_same_every_time(staged):
    texts = []
    for _ in range(2):
        stage = staged()
        texts.append([stage.say("你好", {"intent": "greet"}).text for _ in range(4)])
    assert texts[0] == texts[1]
    assert texts[0][0] != texts[0][1]


def test_the_request_said_again_is_no_answer(stage):
    stage.play(
        """
- {user: 我要退货, parse: {intent: return_exchange}, expect: {expects: product}}
- {user: 我要退货, parse: {intent: return_exchange}, expect: {expects: product, outcome: pending}}
- user: 苹果手机
  parse:
    intent: warranty_repair
    sure: 0.6
    source: sentence
    entities: [{type: product, text: 苹果, value: 红富士苹果, detail: {keys: P0101}}]
  expect: {expects: proof, flow: return_exchange}
"""
    )


def test_two_products_in_one_question_are_both_answered(stage):
    stage.play(
        """
- user: 酱油和洗衣液多少钱
  parse:
    intent: check_price
    entities:
    - {type: product, value: 酱油, detail: {keys: P0604}}
    - {type: product, value: 洗衣液, detail: {keys: P0901}}
  expect: {says: [有 2 种, 酱油：每瓶 12.9 元, 洗衣液：每瓶 39.9 元], outcome: resolved}
- user: 酱油和洗衣液在哪
  parse:
    intent: find_product
    entities:
    - {type: product, value: 酱油, detail: {keys: P0604}}
    - {type: product, value: 洗衣液, detail: {keys: P0901}}
  expect: {says: ["酱油：6 号通道 A4 货架", "洗衣液：9 号通道 A1 货架"], outcome: resolved, expects: null}
"""
    )
