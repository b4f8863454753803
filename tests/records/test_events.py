"""The event log on real files: what is written comes back, whole, in order and redacted, or not at all."""

from __future__ import annotations

import json
import sqlite3

import pytest
from logs_on_disk import PHONE, filled, mask

from appliance.errors import StorageFailed
from appliance.records.chain import log_id
from appliance.records.events import EventLog


@pytest.mark.parametrize("stored", [True, False])
def test_events_come_back_in_order_and_by_session(path, stored):
    log = filled(path if stored else None)
    assert [event.payload["number"] for event in log.read("session 0") if event.kind == "turn"] == [0, 2, 4]
    assert [event.payload["number"] for event in log.of_kind("turn")] == [0, 1, 2, 3, 4]
    assert log.read("nobody") == ()
    assert log.verify() is None
    assert log.state.place == ("disk" if stored else "memory")
    assert log.head()[0] == 10
    log.close()


def test_the_log_goes_on_after_a_restart(path):
    filled(path).close()
    log = filled(path, turns=1)
    assert [event.sequence for event in log.of_kind("turn")] == [1, 3, 5, 7, 9, 11]
    assert log.verify() is None
    log.close()


def test_a_session_is_named_by_a_hash(path):
    log = filled(path)
    log.close()
    everything = path.read_bytes()
    assert b"session 0" not in everything
    assert log_id("session 0").encode() in everything
    assert len(log_id("session 0")) == 32


@pytest.mark.parametrize(
    "payload",
    [
        {"text": f"我的电话是{PHONE}"},
        {"deep": [{"slots": [f"tel {PHONE}"]}]},
        {"number": int(PHONE)},
        {PHONE: "key"},
    ],
)
def test_no_phone_reaches_the_disk(path, payload):
    log = EventLog(path, redact=mask)
    log.append("s", "turn", payload)
    log.close()
    for file in path.parent.iterdir():
        assert PHONE.encode() not in file.read_bytes(), file
    log = EventLog(path, redact=mask)
    assert "[phone]" in json.dumps(log.read("s")[0].payload)
    log.close()


def test_odd_values_are_stored_as_json(path):
    log = EventLog(path, redact=mask)
    log.append("s", "turn", {"half": "\ud83d", "nan": float("nan"), "set": ("a", 1), "no": None, "yes": True, "n": 7})
    assert log.read("s")[0].payload == {"half": "?", "nan": None, "set": ["a", 1], "no": None, "yes": True, "n": 7}
    assert log.verify() is None
    log.close()


def test_two_processes_share_a_log(path):
    one, two = EventLog(path, redact=mask), EventLog(path, redact=mask)
    for turn in range(10):
        (one if turn % 2 else two).append("s", "turn", {"turn": turn})
    assert [event.payload["turn"] for event in one.read("s")] == list(range(10))
    assert one.verify() is None
    one.close()
    two.close()


def test_durable_events_and_late_ones(path):
    log = EventLog(path, redact=mask)
    log.append_many("s", [("ticket", {"number": 1})], durable=True)
    assert log.state.place == "disk"
    log.close()
    log.close()
    log.append("s", "turn", {})
    assert log.state.waiting == 1
    log = EventLog(path, redact=mask)
    assert [event.kind for event in log.read("s")] == ["ticket"]
    log.close()


def test_a_complete_answer_or_none(path):
    now = [0.0]
    log = EventLog(path, redact=mask)
    log.append("s", "ticket", {"number": 1})
    log.close()
    whole = path.read_bytes()
    # Another program's database stands in its place: it exists, is left alone, and nothing can be read from it.
    path.unlink()
    sqlite3.connect(path).execute("PRAGMA user_version = 99").connection.close()
    log = EventLog(path, redact=mask, monotonic=lambda: now[0])
    log.append("s", "ticket", {"number": 2})
    assert [event.payload["number"] for event in log.of_kind("ticket")] == [2]
    with pytest.raises(StorageFailed, match="ForeignDatabase"):
        log.all_of_kind("ticket")
    path.write_bytes(whole)
    now[0] = 60.0
    assert [event.payload["number"] for event in log.all_of_kind("ticket")] == [1, 2]
    log.close()
    with pytest.raises(StorageFailed, match="closed"):
        log.all_of_kind("ticket")


def test_a_log_that_is_not_there_yet_is_complete(tmp_path):
    memory = EventLog(None, redact=mask)
    memory.append("s", "ticket", {"number": 1})
    assert [event.payload["number"] for event in memory.all_of_kind("ticket")] == [1]
    fresh = EventLog(tmp_path / "events.sqlite", redact=mask)
    assert fresh.all_of_kind("ticket") == ()
    fresh.close()
    (tmp_path / "file").write_text("in the way")
    nowhere = EventLog(tmp_path / "file" / "events.sqlite", redact=mask)
    nowhere.append("s", "ticket", {"number": 7})
    assert [event.payload["number"] for event in nowhere.all_of_kind("ticket")] == [7]
    nowhere.close()


def test_a_place_that_cannot_be_looked_at_may_hold_a_log(tmp_path):
    folder = tmp_path
    for _ in range(20):
        folder /= "n" * 255  # longer than a path may be: stat fails otherwise than with "not found"
    log = EventLog(folder / "events.sqlite", redact=mask)
    with pytest.raises(StorageFailed):
        log.all_of_kind("ticket")
    log.close()


def test_a_payload_must_be_a_mapping(path):
    log = EventLog(path, redact=mask)
    with pytest.raises(TypeError, match="mapping"):
        log.append("s", "turn", ["not", "a", "mapping"])
    log.close()
