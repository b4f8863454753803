"""Photos: they answer the open question, start a task, and are confirmed where half of one was read."""

from __future__ import annotations

from dialogue_steps import NUMBER, START, photo


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
