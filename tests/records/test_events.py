"""The event log on real files: chain, tampering, redaction, pruning, threads, and databases that do not work."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import textwrap
import threading

import pytest

from appliance.errors import StorageFailed
from appliance.records import database
from appliance.records import events as events_module
from appliance.records.chain import log_id
from appliance.records.events import EventLog

PHONE = "13812345678"


def mask(text: str) -> str:
    """A small redactor: phones only."""
    return re.sub(r"1[3-9]\d{9}", "[phone]", text)


class Heard(list):
    def __call__(self, event, /, **fields):
        self.append((event, fields))

    def names(self):
        return [event for event, _ in self]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records" / "events.sqlite"


def filled(path, turns=5, **options):
    log = EventLog(path, redact=mask, **options)
    for number in range(turns):
        log.append_many(f"session {number % 2}", [("turn", {"number": number}), ("outcome", {"outcome": "resolved"})])
    return log


def tamper(path, *statements):
    """Edit the file as someone would who has dropped the triggers that are in the way."""
    connection = sqlite3.connect(path)
    for name in [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


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


def test_two_processes_share_a_log(path):
    one, two = EventLog(path, redact=mask), EventLog(path, redact=mask)
    for turn in range(10):
        (one if turn % 2 else two).append("s", "turn", {"turn": turn})
    assert [event.payload["turn"] for event in one.read("s")] == list(range(10))
    assert one.verify() is None
    one.close()
    two.close()


def test_a_locked_database_only_delays_the_record(path):
    heard, now = Heard(), [0.0]
    log = EventLog(path, redact=mask, listener=heard, monotonic=lambda: now[0])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    log.append("s", "turn", {"text": f"call {PHONE}"})
    log.append("s", "turn", {"text": "two"})
    assert log.state.place == "waiting"
    assert "locked" in log.state.reason
    assert log.state.waiting == 2
    assert [event.payload["text"] for event in log.read("s")] == ["call [phone]", "two"]
    assert heard.names() == ["log_memory"]
    other.execute("COMMIT")
    other.close()
    now[0] = 60.0
    log.maintain()
    assert log.state == type(log.state)("disk", "", 0, 0)
    assert heard.names() == ["log_memory", "log_disk"]
    assert [event.sequence for event in log.read("s")] == [1, 2]
    assert log.verify() is None
    log.close()


def test_waiting_events_are_bounded_and_the_gap_is_recorded(path):
    now = [0.0]
    log = EventLog(path, redact=mask, monotonic=lambda: now[0], capacity=3)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for turn in range(5):
        log.append("s", "turn", {"turn": turn})
    assert (log.state.waiting, log.state.lost) == (3, 2)
    other.execute("COMMIT")
    other.close()
    now[0] = 60.0
    log.append("s", "turn", {"turn": 5})
    assert [event.payload for event in log.of_kind("lost")] == [{"events": 2}]
    assert [event.payload["turn"] for event in log.read("s")] == [2, 3, 4, 5]
    assert log.verify() is None
    log.close()


@pytest.mark.parametrize("damage", ["not a database", "truncated", "torn page"])
def test_a_damaged_file_is_set_aside_and_the_log_goes_on(path, damage):
    filled(path, turns=200).close()
    whole = path.read_bytes()
    broken = {
        "not a database": b"this is a text file, " * 200,
        "truncated": whole[: len(whole) // 2 + 17],
        "torn page": whole[:4096] + os.urandom(len(whole) - 4096),
    }[damage]
    path.write_bytes(broken)
    heard = Heard()
    log = EventLog(path, redact=mask, listener=heard)
    log.append("s", "turn", {"text": "after"})
    assert [event.payload["text"] for event in log.read("s")] == ["after"]
    assert log.state.place == "disk"
    assert log.verify() is None
    assert "log_replaced" in heard.names()
    kept = [file for file in path.parent.iterdir() if ".damaged-" in file.name]
    assert any(file.read_bytes()[:64] == broken[:64] for file in kept)
    log.close()


def test_a_disk_that_damages_every_file_is_not_filled_with_copies(path):
    filled(path).close()
    heard, now = Heard(), [0.0]
    log = EventLog(path, redact=mask, listener=heard, monotonic=lambda: now[0])
    for turn in range(20):
        now[0] += 100.0
        for file in path.parent.glob("events.sqlite*"):
            if ".damaged-" not in file.name:
                file.unlink()
        path.write_bytes(b"garbage, not a database " * 400)
        log.append("s", "turn", {"turn": turn})
    assert heard.names().count("log_replaced") == 3
    assert log.state.place == "waiting"
    assert [event.payload["turn"] for event in log.read("s")][-1] == 19
    log.close()


def test_another_programs_database_is_left_alone(path):
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE customers(name)")
    other.commit()
    other.close()
    before = path.read_bytes()
    log = EventLog(path, redact=mask)
    log.append("s", "turn", {"text": "kept in memory"})
    assert log.state.place == "waiting"
    assert "another database" in log.state.reason
    assert len(log.read("s")) == 1
    log.close()
    assert path.read_bytes() == before


def test_a_file_removed_while_in_use_is_made_anew(path):
    log = filled(path)
    for file in path.parent.iterdir():
        file.unlink()
    log.append("s", "turn", {"text": "after"})
    assert path.exists()
    assert log.head()[0] == 1
    log.maintain()
    log.close()
    log = EventLog(path, redact=mask)
    assert [event.payload["text"] for event in log.read("s")] == ["after"]
    log.close()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    log = EventLog(tmp_path / "file" / "events.sqlite", redact=mask)
    log.append("s", "turn", {})
    assert log.state.place == "waiting"
    assert len(log.read("s")) == 1
    assert log.head() == (0, "0" * 64)
    assert log.verify() is None
    assert log.prune(10**12) == 0
    log.close()


SCRIPT = """
import os, resource, sys, tempfile, pathlib
from appliance.records.events import EventLog
place = pathlib.Path(sys.argv[2])
path = place / "events.sqlite"
heard = []
log = EventLog(path, redact=lambda text: text, listener=lambda event, **f: heard.append(event))
log.append("s", "turn", {"number": 0})
now = [0.0]
log._monotonic = lambda: now[0]
if sys.argv[1] == "full":
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = max(f.stat().st_size for f in place.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, limit[1]))
else:
    log.close()
    path.chmod(0o444), place.chmod(0o555)
    if os.geteuid() == 0:
        os.setuid(65534)
    listener = lambda event, **f: heard.append(event)
    log = EventLog(path, redact=lambda text: text, listener=listener, monotonic=lambda: now[0])
for number in range(1, 40):
    log.append("s", "turn", {"number": number, "text": "x" * 2000})
state = log.state
assert state.place == "waiting" and state.waiting > 0, state
assert "log_memory" in heard, heard
assert [e.payload["number"] for e in log.read("s")][-1] == 39
print(state.reason)
if sys.argv[1] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    now[0] = 100.0
    log.append("s", "turn", {"number": 40})
    assert log.state.place == "disk", log.state
    assert [e.payload["number"] for e in log.read("s")] == list(range(41))
    assert log.verify() is None
log.close()
"""


@pytest.mark.parametrize("trouble, reason", [("full", "full|disk I/O error"), ("read-only", "readonly|unable to open")])
def test_a_disk_without_room_or_right(trouble, reason, tmp_path):
    """In a process of its own: the limits are real (file size, an unprivileged user), not simulated."""
    import tempfile
    from pathlib import Path

    # Not below tmp_path, into which only its owner may look.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        command = [sys.executable, "-c", textwrap.dedent(SCRIPT), trouble, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
        Path(folder).chmod(0o777)
    assert done.returncode == 0, done.stderr
    assert re.search(reason, done.stdout), done.stdout


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


def test_maintenance_moves_the_wal(path):
    log = filled(path, turns=300)
    wal = path.with_name(path.name + "-wal")
    assert wal.stat().st_size > 100_000
    size = path.stat().st_size
    log.maintain()
    assert path.stat().st_size > size
    assert log.state.place == "disk"
    log.close()


def test_an_idle_log_is_not_moved_again_and_again(path, monkeypatch):
    looks, answers = [], []

    def counted(where):
        looks.append(where)
        return answers.pop(0)() if answers else database.checkpoint(where)

    def fails():
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(events_module, "checkpoint", counted)
    heard = Heard()
    log = EventLog(path, redact=mask, listener=heard)
    log.maintain()
    assert len(looks) == 1  # a WAL may be left from before a crash
    for _ in range(3):
        log.maintain()
    assert len(looks) == 1
    log.append("s", "turn", {"text": "one"})
    log.maintain()
    log.maintain()
    assert len(looks) == 2
    # What could not be moved, or not all of it, is tried again until it is.
    log.append("s", "turn", {"text": "two"})
    answers += [fails, lambda: False]
    for _ in range(5):
        log.maintain()
    assert len(looks) == 5
    assert heard.names() == ["log_checkpoint"]
    log.close()


def test_a_reader_holds_the_wal_back(path):
    log = EventLog(path, redact=mask)
    log.append("s", "turn", {"text": "one"})
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM events").fetchone() == (1,)
    log.append("s", "turn", {"text": "two"})
    assert database.checkpoint(path) is False
    reader.execute("COMMIT")
    reader.close()
    assert database.checkpoint(path) is True
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


def test_a_disk_that_stalls_under_one_turn_keeps_no_other_waiting_and_nothing_is_lost(tmp_path):
    log = EventLog(tmp_path / "events.sqlite", redact=str)
    stalled, go = threading.Event(), threading.Event()
    write = log._write

    def stall(connection, durable):
        if not stalled.is_set():
            stalled.set()
            assert go.wait(10)
        write(connection, durable)

    log._write = stall
    first = threading.Thread(target=log.append, args=("a" * 24, "turn", {"n": 0}))
    first.start()
    assert stalled.wait(10)
    for number in range(1, 4):
        log.append("a" * 24, "turn", {"n": number})  # returns although the disk stands still
    assert log.state.waiting >= 3
    go.set()
    first.join()
    log.maintain()
    assert [event.payload["n"] for event in log.read("a" * 24)] == [0, 1, 2, 3]
    assert log.state.waiting == 0
    assert log.verify() is None
    log.close()


DAY = 86_400.0
KEEP = 90 * DAY


class Life:
    """A log and its clock, written to day by day."""

    def __init__(self, path, start=1.8e9, keep=KEEP):
        self.now, self.keep = start, keep
        self.log = EventLog(path, redact=mask, clock=lambda: self.now)

    def days(self, count, prune=True, visitors=True):
        for _ in range(count):
            if visitors:
                self.log.append("s", "turn", {"day": round(self.now / DAY)})
            self.now += DAY
            if prune:
                self.log.prune(self.now - self.keep)

    def kept(self):
        return list(self.log.of_kind("turn"))


def test_a_clock_that_leaps_ahead_takes_no_records_along_and_is_set_right_again(path):
    life = Life(path)
    life.days(80)
    right = life.now
    life.now += 70 * 365 * DAY  # a clock gone wrong
    life.days(5)
    assert len(life.kept()) == 85
    life.now = right + 5 * DAY
    life.days(110)
    # What was written in times to come holds nothing back: it goes with what stands around it.
    assert len(life.kept()) <= 92
    assert life.log.verify() is None


def test_a_board_that_was_off_for_long_forgets_after_a_week(path):
    life = Life(path)
    life.days(10)
    life.now += 300 * DAY
    life.days(6)
    assert len(life.kept()) == 16
    life.days(3)
    assert len(life.kept()) == 9


def test_a_clock_that_goes_back_takes_nothing_along(path):
    life = Life(path)
    life.days(100)
    kept = len(life.kept())
    life.now -= 365 * DAY
    life.log.append("s", "turn", {})
    life.now, there = 1000.0, life.now  # and once it starts in 1970, which is not asked about ages
    life.days(1, prune=False)
    life.now = there
    life.days(18)
    assert len(life.kept()) == kept + 20
    assert life.log.verify() is None
    assert [event.sequence for event in life.kept()] == sorted(event.sequence for event in life.kept())


def test_a_board_that_was_off_for_long_and_that_nobody_visits_forgets_after_a_week_too(path):
    life = Life(path)
    life.days(10)
    life.now += 300 * DAY
    life.days(6, visitors=False)
    assert len(life.kept()) == 10
    life.days(3, visitors=False)
    assert life.kept() == []
    assert life.log.verify() is None


def test_no_leap_takes_all_at_once_however_few_days_are_kept(path):
    life = Life(path, keep=7 * DAY)
    life.days(7)
    life.now += 10 * DAY
    life.days(1)
    assert len(life.kept()) == 8
    life.days(8)
    assert len(life.kept()) <= 8


def test_what_was_written_before_the_clock_was_set_goes_with_what_follows_it(path):
    life = Life(path, start=1000.0)
    life.days(3, prune=False)
    life.now = 1.8e9
    life.days(80)
    assert len(life.kept()) == 83
    life.days(20)
    assert 89 <= len(life.kept()) <= 91
    assert life.log.verify() is None


def test_what_is_old_goes_day_by_day_as_ever(path):
    life = Life(path)
    life.days(100)
    assert 89 <= len(life.kept()) <= 91
