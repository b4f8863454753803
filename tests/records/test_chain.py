"""The chain of the event log on real files: tampering is found, changes are forbidden, forgetting keeps it whole."""

from __future__ import annotations

import sqlite3
import threading

import pytest
from logs_on_disk import filled, mask, tamper

from appliance.records.events import EventLog


@pytest.mark.parametrize(
    "statement, broken",
    [
        ("UPDATE events SET payload = '{\"number\":9}' WHERE sequence = 3", 3),
        ("UPDATE events SET time = time + 1 WHERE sequence = 4", 4),
        ("UPDATE events SET session = 'x' WHERE sequence = 1", 1),
        ("UPDATE events SET kind = 'x' WHERE sequence = 10", 10),
        ("DELETE FROM events WHERE sequence = 5", 5),
        ("DELETE FROM events WHERE sequence <= 2", 1),
        ("UPDATE events SET hash = hex(randomblob(32)) WHERE sequence = 6", 6),
    ],
)
def test_tampering_is_found_and_located(path, statement, broken):
    filled(path).close()
    tamper(path, statement)
    log = EventLog(path, redact=mask)
    assert log.verify() == broken
    log.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events WHERE sequence = 13",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events VALUES (3, 's', 1.0, 'turn', '{}', 'x', 'y')",
        "INSERT INTO anchors VALUES (3, 'no such hash')",
        "UPDATE anchors SET sequence = 9",
        "DELETE FROM anchors",
    ],
)
def test_triggers_forbid_changes(path, statement):
    log = filled(path)
    log.prune(before=0)
    log.append("s", "turn", {})
    assert log.prune(before=10**12)
    log.append("s", "turn", {})
    log.close()
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|anchor"):
        connection.execute(statement)
    connection.close()


def test_pruning_forgets_for_good_and_the_rest_still_verifies(path):
    now = [1.8e9]
    log = EventLog(path, redact=mask, clock=lambda: now[0])
    log.append("old", "turn", {"text": "UNFORGETTABLE"})
    now[0] += 1000.0
    log.append("new", "turn", {"text": "kept"})
    assert log.prune(before=1.8e9 + 500) == 1
    assert log.prune(before=1.8e9 + 500) == 0
    assert log.read("old") == ()
    assert [event.payload["text"] for event in log.read("new")] == ["kept"]
    assert log.verify() is None
    assert b"UNFORGETTABLE" not in b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert log.prune(before=10**12) == 2
    log.append("newer", "turn", {})
    assert log.verify() is None
    log.close()
    log = EventLog(path, redact=mask)
    assert log.verify() is None
    log.close()
    tamper(path, "DELETE FROM events WHERE kind = 'pruned'")
    log = EventLog(path, redact=mask)
    assert log.verify() is not None
    log.close()


def test_an_anchor_that_nobody_pruned_is_found(path):
    filled(path).close()
    tamper(
        path,
        "INSERT INTO anchors SELECT sequence, hash FROM events WHERE sequence = 4",
        "DELETE FROM events WHERE sequence <= 4",
    )
    log = EventLog(path, redact=mask)
    assert log.verify() == 5
    log.close()


def test_64_threads_write_one_unbroken_chain(path):
    log = EventLog(path, redact=mask)
    start = threading.Barrier(64)

    def work(number):
        start.wait()
        for turn in range(5):
            log.append_many(f"session {number}", [("turn", {"turn": turn}), ("outcome", {})])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.head()[0] == 640
    assert log.verify() is None
    for number in range(64):
        assert [e.payload["turn"] for e in log.read(f"session {number}") if e.kind == "turn"] == [0, 1, 2, 3, 4]
    log.close()
