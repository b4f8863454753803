"""Databases that do not work: locked, damaged, foreign, removed, full, and a write-ahead log that grows."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import textwrap
import threading

import pytest
from logs_on_disk import PHONE, Heard, filled, mask

from appliance.records import database
from appliance.records import events as events_module
from appliance.records.events import EventLog


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
