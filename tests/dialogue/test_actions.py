"""Actions: once per key, in time, honest when they fail."""

from __future__ import annotations

import datetime
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.dialogue.actions import Actions, Context, Result, Ticket
from appliance.dialogue.figures import age, hours, tariff
from appliance.dialogue.policy import built_in
from appliance.dialogue.tables import folded, lookup, search
from appliance.dialogue.tracker import Change
from appliance.errors import StorageFailed
from appliance.packs.reader import read_csv
from appliance.records.events import EventLog

STORE = Path(__file__).parents[2] / "appliance/packs/store"
TABLES = {name: read_csv(STORE / f"{name}.csv") for name in ("products", "places", "carriers", "parcels", "shipping")}


def context(key="k", language="zh", now=datetime.datetime(2026, 11, 22, 10, 30)):
    return Context(key, language, now, TABLES)


class Printer:
    """A fake device: counts what it prints, may fail or hang."""

    name = "print"

    def __init__(self, timeout_s=None, error=None):
        self.timeout_s, self.error = timeout_s, error
        self.printed = 0
        self.release = threading.Event()

    def run(self, arguments, context):
        if self.error:
            raise self.error
        if self.timeout_s:
            self.release.wait(5)
        self.printed += 1
        return Result({"pages": self.printed}, (Change("printed"),), durable=True)


def test_a_deed_is_done_once_and_logged_once():
    printer, done = Printer(), {}
    actions = Actions([printer])
    first = actions.run("print", {}, context("a"), done)
    again = actions.run("print", {}, context("a"), done)
    other = actions.run("print", {}, context("b"), done)
    assert (first.values, again.values, other.values) == ({"pages": 1}, {"pages": 1}, {"pages": 2})
    assert (first.changes, again.changes) == ((Change("printed"),), ())
    assert (first.durable, again.durable) == (True, False)
    assert actions.names == {"print"}


@pytest.mark.parametrize("error", [StorageFailed("no paper"), OSError("no printer")])
def test_a_failure_is_told_and_may_be_tried_again(error):
    printer, done, heard = Printer(error=error), {}, []
    actions = Actions([printer], listener=lambda event, **fields: heard.append(fields))
    failed = actions.run("print", {}, context(), done)
    assert not failed.ok
    assert "no p" in failed.error
    assert heard[0]["ok"] is False
    printer.error = None
    assert actions.run("print", {}, context(), done).ok


def test_an_action_that_hangs_is_given_up():
    printer, done = Printer(timeout_s=0.02), {}
    actions = Actions([printer])
    late = actions.run("print", {}, context(), done)
    assert not late.ok
    assert "no answer within 0.02 s" in late.error
    printer.release.set()
    actions.close()
    actions.close()


def test_a_flow_whose_action_fails_says_so(staged):
    class Broken:
        name, timeout_s = "ticket", None

        def run(self, arguments, context):
            raise StorageFailed("the ticket printer is gone")

    stage = staged()
    others = [action for action in built_in(stage.events) if action.name != "ticket"]
    stage = staged(actions=[*others, Broken()])
    answer = stage.say("转人工", {"intent": "human_agent"})
    assert answer.outcome == "handed_over"
    assert "连不上" in answer.text
    failed = [event for event in stage.events.read(stage.session) if event.kind == "action_failed"]
    assert failed[0].payload["action"] == "ticket"


@pytest.mark.parametrize(
    "text, keys, expected",
    [
        ("洗衣液", "", ["P0901"]),
        ("anything", "P0901", ["P0901"]),
        ("anything", "P0901,P0604", ["P0604", "P0901"]),
        ("SOY SAUCE", "", ["P0604"]),
        ("ｓｏｙ　ｓａｕｃｅ", "", ["P0604"]),
        ("P0604", "", ["P0604"]),
        ("一瓶酱油和别的", "", ["P0604"]),
        ("soy souce", "", ["P0604"]),
        ("火箭筒", "", []),
        ("", "", []),
        ("酱", "", []),
        ("。。", "no such key", []),
    ],
)
def test_search(text, keys, expected):
    result = search({"table": "products", "text": text, "keys": keys}, context())
    assert [row["sku"] for row in result["rows"]] == expected
    assert result["count"] == len(expected)


def test_search_by_category_and_what_rows_have_in_common():
    result = search({"table": "products", "text": "饮料"}, context(language="en"))
    assert result["count"] == 13
    assert result["common"]["aisle"] == "7"
    assert "shelf" not in result["common"]
    assert result["names"].count(", ") == 5


@pytest.mark.parametrize(
    "arguments, count",
    [
        ({"table": "parcels", "column": "tracking_no", "value": "sf1392847561002"}, 1),
        ({"table": "parcels", "column": "pickup_code", "value": "3-2-1046"}, 1),
        ({"table": "parcels", "column": "pickup_code", "value": ""}, 0),
        ({"table": "parcels", "column": "pickup_code"}, 0),
        ({"table": "carriers", "column": "id", "value": None}, 0),
        ({"table": "carriers", "column": "name", "value": "顺丰"}, 1),
        ({"table": "places", "column": "aliases", "value": "厕所"}, 1),
        ({"table": "products", "column": "promotion", "how": "filled"}, 19),
    ],
)
def test_lookup(arguments, count):
    assert lookup(arguments, context())["count"] == count


def test_a_number_may_be_said_without_its_letters():
    where = {"table": "parcels", "column": "tracking_no", "how": "number"}
    assert lookup({**where, "value": "1392847561002"}, context())["tracking_no"] == "SF1392847561002"
    assert lookup({**where, "value": "78392045617382"}, context())["carrier_zh"] == "中通"
    assert lookup({**where, "value": "392847561002"}, context())["count"] == 0
    assert lookup({**where, "how": "exact", "value": "1392847561002"}, context())["count"] == 0


def test_what_the_shop_does_not_carry_is_not_found_by_part_of_its_name():
    assert search({"table": "products", "text": "苹果手机", "keys": "-"}, context())["count"] == 0
    assert search({"table": "products", "text": "苹果手机"}, context())["name_zh"] == "红富士苹果"


def test_few_different_values_are_named():
    keys = "P0101,P0201,P0301"
    found = search({"table": "products", "text": "生鲜", "keys": keys}, context())
    assert (found["distinct"]["aisle"], "aisle" in found["common"]) == ("1、2、3", False)
    english = search({"table": "products", "text": "fresh", "keys": keys}, context(language="en"))
    assert english["distinct"]["aisle"] == "1, 2, 3"


def test_names_are_compared_without_width_case_and_space():
    assert folded("ＡＢ - c·D") == "abcd"


def test_age():
    assert age({"date": "2026-11-15"}, context())["days"] == 7
    assert age({"date": "2026-11-23"}, context())["days"] == -1
    assert age({"date": "yesterday"}, context())["days"] is None
    assert age({"date": None}, context())["days"] is None


@pytest.mark.parametrize(
    "opens, closes, hour, is_open",
    [
        ("08:00", "22:00", 8, True),
        ("08:00", "22:00", 22, False),
        ("08:00", "22:00", 7, False),
        ("20:00", "02:00", 1, True),
        ("20:00", "02:00", 12, False),
    ],
)
def test_hours(opens, closes, hour, is_open):
    now = datetime.datetime(2026, 11, 22, hour)
    assert hours({"opens": opens, "closes": closes}, context(now=now))["open"] is is_open


@pytest.mark.parametrize(
    "weight, fee",
    [("0.3", 12), ("1", 12), ("1.0001", 12), ("1.2", 17), ("3", 22), ("0", None), ("-1", None), (None, None)],
)
def test_tariff(weight, fee):
    assert tariff({"first": "12", "more": "5", "weight": weight}, context())["fee"] == fee


def test_a_ticket_counts_on_past_entries_of_another_version():
    events = EventLog(None, redact=lambda text: text)
    events.append("s" * 24, "ticket", {"line": "A", "no": 7})
    events.append("s" * 24, "ticket", {"queue": "A", "day": 20261122, "number": 41})
    result = Ticket(events).run({"queue": "A"}, context())
    assert result.values["number"] == "A042"


def test_nothing_is_concluded_from_a_clock_that_cannot_be_right():
    wrong = replace(context(), sure=False)
    assert hours({"opens": "00:00", "closes": "23:59"}, wrong) == {"open": None, "now": None}
    assert age({"date": "2026-11-20"}, wrong)["days"] is None


def test_a_clock_that_is_set_right_gives_no_number_twice():
    events = EventLog(None, redact=str)
    ticket = Ticket(events)
    wrong = replace(context(now=datetime.datetime(1970, 1, 1, 8)), sure=False)
    numbers = [ticket.run({"queue": "A"}, at).values["number"] for at in (wrong, wrong, context(), context())]
    assert numbers == ["A001", "A002", "A003", "A004"]
    later = context(now=datetime.datetime(2026, 11, 23, 9))
    assert ticket.run({"queue": "A"}, later).values["number"] == "A001"
