"""The rules of a turn: attempts, other intents, photos, asking back, sessions, outcomes, records."""

from __future__ import annotations

import re
import sqlite3
import threading
from dataclasses import replace

import pytest

from appliance.dialogue.tracker import SessionState, rebuild
from appliance.errors import InvalidInput
from appliance.records.events import EventLog
from appliance.values import Entity, Intent, Parse, Turn

START = "- {user: 帮我查快递, parse: {intent: track_parcel}, expect: {expects: tracking_no}}\n"
NUMBER = {"type": "tracking_no", "value": "SF1402938475610", "detail": {"carrier": "sf"}}


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


def photo(stage, text, *entities, partial=False):
    return stage.say(text, {"entities": list(entities)}, source="image", partial=partial)


def test_a_photo_answers_the_open_question(stage):
    stage.play(START)
    answer = photo(stage, "顺丰\nSF1402938475610\n张三", NUMBER, {"type": "person", "value": "张三"})
    assert "SF1402938475610" in answer.text
    assert answer.outcome == "pending"
    assert stage.say("对", {"intent": "affirm"}).data["state"] == "arrived"


def test_a_barcode_needs_no_confirmation(stage):
    stage.play(START)
    assert photo(stage, "SF1402938475610", {**NUMBER, "source": "barcode"}).data["state"] == "arrived"


def test_a_photo_of_a_waybill_starts_tracking(stage):
    product = {"type": "product", "value": "洗衣液", "detail": {"keys": "P0901"}}
    answer = photo(stage, "洗衣液\nSF1402938475610", product, NUMBER)
    assert answer.flow == "track_parcel"
    assert stage.heard.outcomes() == [("pending", "track_parcel")]


def test_a_photo_of_a_product_finds_it(stage):
    answer = photo(stage, "洗衣液\n2kg", {"type": "product", "value": "洗衣液", "detail": {"keys": "P0901"}})
    assert answer.expects == "product"
    assert stage.say("对", {"intent": "affirm"}).data["sku"] == "P0901"


def test_a_photo_of_anything_else(stage):
    answer = photo(stage, "欢迎光临\n\n第二行", {"type": "date", "value": "2026-11-22"})
    assert "2 行" in answer.text
    assert "欢迎光临" in answer.text
    assert answer.suggestions
    assert photo(stage, " \n").outcome == "not_understood"
    stage.play(START)
    answer = photo(stage, "欢迎光临")
    assert answer.expects == "tracking_no"
    assert "欢迎光临" in answer.text


def test_a_photo_that_was_not_read_to_its_end_is_confirmed_whatever_the_slot_says(stage):
    stage.play(START)
    barcode = {**NUMBER, "source": "barcode"}
    answer = photo(stage, "顺丰\nSF1402938475610", barcode, partial=True)
    assert (answer.outcome, answer.expects) == ("pending", "tracking_no")
    assert "只读出了一部分：2 行" in answer.text
    assert {"affirm", "deny"} <= {suggestion.intent for suggestion in answer.suggestions}
    answer = stage.say("不对", {"intent": "deny"})
    assert (answer.outcome, answer.expects) == ("pending", "tracking_no")
    assert photo(stage, "SF1402938475610", barcode).data["state"] == "arrived"  # the second photo was read whole


def test_every_slot_that_half_a_photo_fills_is_confirmed(staged):
    """Also one whose flow never asks for confirmation, and one that is recalled later only once it was confirmed."""
    code = {"type": "pickup_code", "value": "12-3-4567"}
    whole, half = staged(), staged()
    assert photo(whole, "12-3-4567", code).outcome != "pending"
    answer = photo(half, "取件码\n12-3-4567", code, partial=True)
    assert (answer.flow, answer.expects, answer.outcome) == ("pick_up_parcel", "pickup_code", "pending")
    assert half.dialogue.state(half.session).slots["pickup_code"].partial
    assert half.say("对", {"intent": "affirm"}).outcome != "pending"


def test_half_a_photo_of_anything_else_says_so_and_is_tried_again(stage):
    answer = photo(stage, "欢迎光临\n第二行", partial=True)
    assert answer.outcome == "not_understood"
    assert "只读出了一部分：2 行" in answer.text
    assert "欢迎光临" in answer.text
    assert all("欢迎光临" not in str(event.payload) for event in stage.events.read(stage.session))
    stage.play(START)
    answer = photo(stage, "欢迎光临", partial=True)
    assert (answer.expects, answer.outcome) == ("tracking_no", "not_understood")
    assert answer.text.count("只读出了一部分") == 1


def test_what_half_a_photo_gave_is_remembered_whole_once_confirmed(stage):
    product = {"type": "product", "value": "洗衣液", "detail": {"keys": "P0901"}}
    assert photo(stage, "洗衣液", product, partial=True).expects == "product"
    assert stage.say("对", {"intent": "affirm"}).data["sku"] == "P0901"
    remembered = stage.dialogue.state(stage.session).memory["product"]
    assert (remembered.sure, remembered.partial) == (True, False)
    assert stage.say("多少钱", {"intent": "check_price"}).outcome == "resolved"


def test_sessions_are_named_unguessably_and_kept(stage):
    name = stage.session
    assert len(name) == 24
    assert stage.dialogue.open(name) == name
    for strange in (None, "", "x", "x" * 24, "../../etc/passwd", "é" * 24, name + "\n"):
        assert stage.dialogue.open(strange) not in (name, strange)
    with pytest.raises(InvalidInput):
        stage.dialogue.respond("made up", Turn("x"), Parse(Intent("greet", 1.0)))


def test_ending_forgets_everything(stage):
    stage.play(START)
    assert stage.dialogue.end(stage.session) is True
    assert stage.dialogue.end(stage.session) is False
    assert stage.dialogue.state(stage.session) is None
    assert stage.heard.outcomes()[-1] == ("abandoned", "track_parcel")
    kinds = [event.kind for event in stage.events.read(stage.session)]
    assert kinds[-2:] == ["outcome", "ended"]
    assert stage.say("再说一遍", {"intent": "repeat"}).text.startswith("我还没有说过")


def test_idle_sessions_are_forgotten(stage):
    stage.play(START)
    other = stage.dialogue.open(None)
    stage.idle = 200.0
    assert stage.dialogue.open(other) == other
    stage.idle = 301.0
    assert stage.dialogue.open(stage.session) != stage.session
    assert stage.dialogue.state(stage.session) is None
    assert stage.dialogue.sweep() == 1
    assert stage.heard.outcomes()[-1] == ("abandoned", "track_parcel")
    assert stage.dialogue.state(other) == SessionState(language="zh")


def test_nothing_of_an_idle_session_is_carried_on(stage):
    stage.play(START)
    stage.idle = 301.0
    answer = stage.say("SF1402938475610", {"intent": "greet"})
    assert answer.flow is None
    assert stage.dialogue.state(stage.session).turns == 1


def test_the_longest_idle_session_goes_first(staged):
    stage = staged(sessions=3)
    second, third = stage.dialogue.open(None), stage.dialogue.open(None)
    stage.play(START)
    fourth = stage.dialogue.open(None)
    assert stage.dialogue.state(second) is None
    assert stage.dialogue.open_sessions == 3
    assert stage.dialogue.open(third) == third
    stage.dialogue.open(None)
    assert stage.dialogue.state(stage.session) is None
    assert stage.heard.outcomes()[-1] == ("abandoned", "track_parcel")
    assert stage.dialogue.open(fourth) == fourth


def test_replay_of_the_log_is_the_live_state(stage):
    stage.play(
        """
- {user: 我要退换货, parse: {intent: return_exchange}}
- {user: 退, parse: {}}
- {user: 几点关门, parse: {intent: store_hours}}
- {user: 拖鞋, parse: {}}
- {user: 不知道, parse: {}}
"""
    )
    live = stage.dialogue.state(stage.session)
    assert live.task == "return_exchange"
    assert rebuild(stage.events.read(stage.session)) == live
    stage.say("昨天", {"entities": [{"type": "date", "value": "2026-11-21"}]})
    said = {"type": "product", "value": "湿巾", "detail": {"keys": "P1018,P1104,P1108"}}
    stage.say("湿巾有货吗", {"intent": "check_stock", "entities": [said]})
    assert rebuild(stage.events.read(stage.session)) == stage.dialogue.state(stage.session)


def test_replay_differs_only_in_what_is_masked(stage):
    stage.play(START)
    photo(stage, "SF1402938475610", NUMBER)
    live, replayed = stage.dialogue.state(stage.session), rebuild(stage.events.read(stage.session))
    assert live.slots["tracking_no"].value == "SF1402938475610"
    assert replayed.slots["tracking_no"].value == "[tracking_no]"
    assert replace(replayed, slots={}, said=None) == replace(live, slots={}, said=None)
    stage.dialogue.end(stage.session)
    assert rebuild(stage.events.read(stage.session)).ended


SECRETS = {
    "phone": "13812345678",
    "person": "欧阳小明",
    "address": "上海市浦东新区世纪大道100号",
    "tracking_no": "SF1402938475610",
    "order_no": "A20261120",
    "email": "someone@example.com",
    "tax_no": "91310000MA1FL0A123",
    "pickup_code": "7-7-7077",
    "ticket_no": "B017",
}


def test_nothing_personal_reaches_the_disk(staged, tmp_path):
    path = tmp_path / "events.sqlite"
    # The log's own redactor is off: what is masked here is masked by the dialogue.
    stage = staged(events=EventLog(path, redact=lambda text: text))
    for kind, value in SECRETS.items():
        found = [{"type": kind, "value": value, "detail": {"street": "世纪大道100号"} if kind == "address" else {}}]
        stage.say(f"这是{value}哦", {"intent": "greet", "entities": found})
        stage.say(f"查快递 {value}", {"intent": "track_parcel", "entities": found})
        stage.say(value, {"entities": found})
        stage.say(f"取快递 {value}", {"intent": "pick_up_parcel", "entities": found})
        photo(stage, f"机密的一行\n{value}", *found)
        photo(stage, "机密的一行")
        stage.say("再说一遍", {"intent": "repeat"})
    stage.dialogue.end(stage.session)
    stage.events.close()
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for value in (*SECRETS.values(), "世纪大道", "机密的一行", stage.session):
        assert value.encode() not in written, value
    assert b"[phone]" in written
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM events WHERE kind = 'turn'").fetchone()[0] == 63
    connection.close()


# Identifiers and the hash chain are hex, in which any few digits stand now and then by chance.
CHANCE = re.compile(r"[0-9a-f]{16,}")
STREET = "Nanjing West Road Building No. 1266 Plaza Tower Unit 5803 Shanghai"


@pytest.mark.parametrize("intent", ["find_product", "check_price"])
@pytest.mark.parametrize("where", ["entities", "personal"])
@pytest.mark.parametrize(
    "text, kind, words, forbidden",
    [
        ("Zhang Wei", "person", "Zhang Wei", ["zhang", "wei"]),
        ("My name is Zhang Wei", "person", "Zhang Wei", ["zhang", "wei"]),
        ("zhang wei", "person", "Zhang Wei", ["zhang", "wei"]),
        (f"please send all of it to {STREET}, thank you", "address", STREET, ["nanjing", "west road", "building"]),
        (f"PLEASE SEND ALL OF IT TO {STREET.upper()}", "address", STREET.upper(), ["tower", "5803", "1266"]),
        ("请都寄到我们家那边的地址就好了谢谢你们" * 3 + "南京西路一千二百六十六号恒隆广场五十八楼零三室", "address",
         "南京西路一千二百六十六号恒隆广场五十八楼零三室", ["南京西路", "恒隆", "五十八楼", "零三室"]),
    ],
)  # fmt: skip
def test_what_is_personal_in_a_free_text_never_reaches_the_disk(
    staged, tmp_path, intent, text, kind, words, forbidden, where
):
    stage = staged(events=EventLog(tmp_path / "events.sqlite", redact=lambda said: said))
    assert stage.say("问一下", {"intent": intent}).expects
    stage.say(text, {where: [{"type": kind, "text": words, "value": words}]})
    stage.say("再说一遍", {"intent": "repeat"})
    stage.say("多少钱", {"intent": "check_price"})
    filled = [event.payload for event in stage.events.of_kind("slot_filled") if event.payload["type"] == "text"]
    assert filled
    assert {(payload["value"], payload["said"]) for payload in filled} == {(f"[{kind}]", f"[{kind}]")}
    stage.dialogue.end(stage.session)
    stage.events.close()
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir()).decode("utf-8", "replace").lower()
    written = CHANCE.sub("", written)
    for part in forbidden:
        assert part not in written, part
    assert f"[{kind}]" in written


def test_a_free_text_without_anything_personal_is_recorded(stage):
    stage.say("问一下", {"intent": "find_product"})
    stage.say("Blue Thing")
    (filled,) = [event.payload for event in stage.events.of_kind("slot_filled")]
    assert (filled["value"], filled["said"]) == ("blue thing", "blue thing")


@pytest.mark.parametrize("where", ["entities", "personal"])
def test_private_words_of_yes_and_of_another_reading(staged, tmp_path, where):
    long = f"yes of course, and here is where i live: {STREET.lower()}"
    found = {"type": "address", "text": STREET.lower(), "value": STREET}
    stage = staged(events=EventLog(tmp_path / "events.sqlite", redact=lambda said: said))
    stage.say("我要退货", {"intent": "return_exchange"})
    stage.say(long, {"intent": "affirm", where: [found]})
    stage.say("问一下", {"intent": "find_product"})
    stage.say("Zhang Wei", {where: [{"type": "person", "value": "Zhang Wei"}]}, source="audio",
              alternatives=("Zhang Way",))  # fmt: skip
    stage.dialogue.end(stage.session)
    stage.events.close()
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir()).decode("utf-8", "replace").lower()
    written = CHANCE.sub("", written)
    for part in ("nanjing", "west road", "zhang", "5803"):
        assert part not in written, part


def test_no_number_is_given_twice_after_a_restart_without_the_log(staged, tmp_path):
    path, idle = tmp_path / "events.sqlite", [0.0]

    def restarted():
        idle[0] = 0.0
        return staged(events=EventLog(path, redact=str, monotonic=lambda: idle[0]))

    def take(stage):
        return stage.say("我要取号", {"intent": "queue_ticket"})

    stage = restarted()
    assert take(stage).data["ticket"] == "A001"
    stage.dialogue.close()
    stage.events.close()
    whole = path.read_bytes()
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    stage = restarted()
    answer = take(stage)
    assert "A001" not in answer.text
    assert "ticket" not in answer.data
    ((_, failed),) = [(event, fields) for event, fields in stage.heard.events if event == "action"]
    assert (failed["name"], failed["ok"]) == ("ticket", False)
    assert "StorageFailed" in str(failed["error"])
    path.write_bytes(whole)
    idle[0] = 60.0
    assert take(stage).data["ticket"] == "A002"
    stage.dialogue.close()
    stage.events.close()


def test_one_turn_is_one_transaction(staged, tmp_path):
    events = EventLog(tmp_path / "events.sqlite", redact=str)
    calls = []
    append = events.append_many
    events.append_many = lambda *a, **k: (calls.append(k), append(*a, **k))[1]
    stage = staged(events=events)
    stage.say("你好", {"intent": "greet"})
    stage.say("转人工", {"intent": "human_agent"})
    assert calls == [{"durable": False}, {"durable": True}]
    events.close()


def test_a_broken_log_never_breaks_an_answer(staged, tmp_path):
    (tmp_path / "file").write_text("in the way")
    events = EventLog(tmp_path / "file" / "events.sqlite", redact=str)
    stage = staged(events=events)
    stage.play(START)
    assert stage.say("转人工", {"intent": "human_agent"}).outcome == "handed_over"
    assert events.state.place == "waiting"
    assert rebuild(events.read(stage.session)) == stage.dialogue.state(stage.session)


def test_tickets_count_on_after_a_restart_and_anew_each_day(staged, tmp_path):
    path = tmp_path / "events.sqlite"

    def ticket(day):
        events = EventLog(path, redact=str)
        stage = staged(events=events)
        stage.time += day * 86400
        number = stage.say("取号", {"intent": "queue_ticket"}).data["ticket"]
        other = stage.say("转人工", {"intent": "human_agent"}).data["ticket"]
        events.close()
        return number, other

    assert [ticket(0), ticket(0), ticket(1)] == [("A001", "A002"), ("A003", "A004"), ("A001", "A002")]


def test_turns_of_one_session_wait_for_each_other(stage):
    start = threading.Barrier(16)
    failures = []

    def work(number):
        start.wait()
        try:
            for _ in range(10):
                stage.say("帮我查快递", {"intent": "track_parcel"})
                stage.say("取消", {"intent": "cancel"})
        except Exception as error:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert stage.dialogue.state(stage.session).turns == 320
    assert rebuild(stage.events.read(stage.session)) == stage.dialogue.state(stage.session)
    assert stage.events.verify() is None


def test_sessions_do_not_mix(stage):
    def work(number):
        name = stage.dialogue.open(None)
        product = ("P1203", "拖鞋") if number % 2 else ("P1302", "电水壶")
        found = (Entity("product", product[1], product[1], 0, 2, 0.98, "gazetteer", {"keys": product[0]}),)
        for _ in range(5):
            turn = Turn(product[1] + "在哪")
            stage.dialogue.respond(
                name, turn, Parse(Intent("find_product", 1.0), found, (), turn.text, "zh", "template")
            )
            price = stage.dialogue.respond(name, Turn("多少钱"), Parse(Intent("check_price", 1.0), (), (), "多少钱"))
            seen.append((product[0], price.data.get("sku")))

    seen = []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 160
    assert all(asked == answered for asked, answered in seen)


def test_closing_ends_what_is_open(store, staged):
    stage = staged()
    stage.play(START)
    stage.dialogue.close()
    assert stage.dialogue.open_sessions == 0
    assert stage.heard.outcomes()[-1] == ("abandoned", "track_parcel")


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
