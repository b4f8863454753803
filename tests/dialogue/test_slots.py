"""What a turn says about slots."""

from __future__ import annotations

import datetime

import pytest

from appliance.dialogue import slots
from appliance.dialogue.scope import Scope
from appliance.dialogue.tracker import Change, Filled, SessionState, apply
from appliance.packs.schema import Localised
from appliance.packs.task import Flow, Option, Slot
from appliance.values import Entity, Intent, Parse, Turn

KIND = Slot(
    "kind",
    options=(
        Option("return", Localised("退货", "Return"), ("退货", "return", "退")),
        Option("exchange", Localised("换货", "Exchange"), ("换货", "exchange", "换")),
    ),
)
PROOF = Slot(
    "proof",
    options=(
        Option("receipt", Localised("有小票", "Receipt"), ("有小票", "小票", "有")),
        Option("none", Localised("没有小票", "None"), ("没有小票", "没有")),
    ),
)
ROWS = (
    {"key": "1", "zh": "纯牛奶", "en": "milk"},
    {"key": "2", "zh": "酸奶", "en": "yoghurt"},
    {"key": "3", "zh": "酸牛奶", "en": "kefir"},
)
TODAY = datetime.date(2026, 11, 22)


@pytest.mark.parametrize(
    "slot, text, expected",
    [
        (KIND, "我要退货", "return"),
        (KIND, "不是退货是换货", "exchange"),
        (KIND, "不退了，换一个", "exchange"),
        (KIND, "退还是换", None),
        (KIND, "随便", None),
        (KIND, "第二个", "exchange"),
        (KIND, "the first one", "return"),
        (KIND, "第三个", None),
        (KIND, "returning", None),
        (KIND, "i'd like to return it", "return"),
        (PROOF, "有小票", "receipt"),
        (PROOF, "没有小票", "none"),
        (PROOF, "没小票", None),
        (PROOF, "有的", "receipt"),
    ],
)
def test_options(slot, text, expected):
    filled = slots.of_options(slot, text, asked=True)
    assert (filled.value if filled else None) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("酸奶", "2"),
        ("我要酸奶", "2"),
        ("纯", None),
        ("纯牛", "1"),
        ("牛奶", None),
        ("2", "2"),
        ("第三个", "3"),
        ("要第一个吧", "1"),
        ("the third one", "3"),
        ("Kefir", "3"),
        ("第四个", None),
        ("", None),
    ],
)
def test_choices(text, expected):
    filled = slots.of_choices(ROWS, text.lower(), ())
    assert (filled.detail["keys"] if filled else None) == expected


def test_a_choice_by_the_key_of_an_entity():
    named = Entity("product", "那个", "那个", 0, 2, 0.9, "gazetteer", {"keys": "2"})
    both = Entity("product", "那个", "那个", 0, 2, 0.9, "gazetteer", {"keys": "2,3"})
    assert slots.of_choices(ROWS, "那个", (named,)).detail["keys"] == "2"
    assert slots.of_choices(ROWS, "那个", (both,)) is None


def test_checks_of_values():
    slot = Slot("day", types=("date",), check="past")
    assert slots.fits(slot, Entity("date", "今天", "2026-11-22", 0, 2), TODAY)
    assert not slots.fits(slot, Entity("date", "明天", "2026-11-23", 0, 2), TODAY)
    assert not slots.fits(slot, Entity("date", "某天", "some day", 0, 2), TODAY)
    assert not slots.fits(slot, Entity("time", "八点", "08:00", 0, 2), TODAY)


def test_how_sure_a_value_is():
    entity = Entity("product", "酸奶", "酸奶", 0, 2, 0.9)
    assert slots.of_entity(entity, Turn("酸奶")).sure
    assert not slots.of_entity(entity, Turn("酸奶", source="audio")).sure
    assert not slots.of_entity(Entity("product", "算奶", "酸奶", 0, 2, 0.7), Turn("算奶")).sure
    assert slots.of_entity(Entity("product", "x", "x", 0, 1, 0.5, "template"), Turn("x")).sure


def test_yes_no_and_text():
    ask = Slot("more", types=("yes_no",))
    yes = Parse(Intent("affirm", 1.0), clean="好的")
    assert slots.of_asked(ask, Turn("好的"), yes, TODAY).value == "yes"
    assert slots.of_asked(ask, Turn("不"), Parse(Intent("deny", 1.0), clean="不"), TODAY).value == "no"
    free = Slot("what", types=("text",))
    assert slots.of_text(free, Turn("火箭筒。"), Parse(Intent("out_of_scope", 1.0), clean="火箭筒。")).value == "火箭筒"
    assert slots.of_text(free, Turn("好的"), yes) is None
    assert slots.of_text(ask, Turn("x"), Parse(Intent("x", 1.0), clean="x")) is None


def test_an_entity_corrects_a_filled_slot_only_when_no_open_slot_wants_it():
    flow = Flow(
        "f", Localised("f", "f"), Localised("f", "f"), ("f",), (Slot("a", ("date",)), Slot("b", ("date",), ask="x"))
    )
    state = SessionState(task="f", asked="b", slots={"a": Filled("2026-11-01", "date")})
    first = Entity("date", "3号", "2026-11-03", 0, 2)
    second = Entity("date", "4号", "2026-11-04", 3, 5)
    parse = Parse(Intent("out_of_scope", 1.0), (first, second), clean="3号 4号")
    found = slots.volunteered(flow, state, Turn("3号 4号"), parse, TODAY, used="3号")
    assert {name: filled.value for name, filled in found.items()} == {"a": "2026-11-04"}


def test_scope():
    flow = Flow("f", Localised("f", "f"), Localised("f", "f"), ("f",), (KIND,))
    facts = {"desk": {"place": {"zh": "一楼", "en": "ground floor"}, "window": 3}}
    row = Filled("牛奶", "row", "牛奶", {"zh": "牛奶", "en": "milk", "keys": "1"})
    held = {"kind": Filled("return", "option", "退"), "product": row}
    scope = Scope(flow, "en", facts, held, {"item": {"name_zh": "奶", "name_en": "milk", "price": "9.0"}})
    expected = {
        "kind": "return",
        "kind.label": "Return",
        "item.name": "milk",
        "item.price": "9.0",
        "facts.desk.place": "ground floor",
    }
    assert {path: scope.look(path) for path in expected} == expected
    assert scope.look("facts.desk.window.pane") is None
    assert scope.look("nothing") is None
    assert scope.look("facts.desk.window") == 3


def test_unknown_events_change_nothing():
    state = SessionState(turns=3)
    assert apply(state, Change("printed", {"pages": 2})) == state
