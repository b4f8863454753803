"""What is done with an open log database, each as one transaction: append, prune, verify, read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from appliance.records.chain import GENESIS, Event, canonical, digest, first_broken, log_id

LOG = log_id("")
"""Identifier under which the log writes about itself."""

Entry = tuple[str, float, str, str]
"""An event that is not written yet: log identifier, time, kind, payload as canonical JSON."""

AHEAD_S = 86_400.0
"""Seconds by which an event may be ahead of the clock and still be of this time: a clock is corrected now and then."""
UNSET_S = 10**9
"""Seconds since 1970 up to which a clock was not set at all."""
DAY_S = 86_400.0
LEAP_S = 30 * 86_400.0
"""Seconds without any event that look like a leap of the clock."""
SETTLE_S = 7 * 86_400.0
"""Seconds for which nothing is removed behind a leap."""

_COLUMNS = "session, sequence, time, kind, payload, previous, hash"


def head(connection: sqlite3.Connection) -> tuple[int, str]:
    """Sequence and hash of the last event, or of the last anchor when every event has been pruned."""
    for query in (
        "SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1",
        "SELECT sequence, hash FROM anchors ORDER BY sequence DESC LIMIT 1",
    ):
        row = connection.execute(query).fetchone()
        if row:
            return int(row[0]), str(row[1])
    return 0, GENESIS


def append(connection: sqlite3.Connection, entries: Iterable[Entry], *, durable: bool = False) -> None:
    """Chain and write entries; `durable` waits until they are on the disk. Nothing is written when it raises."""
    if durable:
        connection.execute("PRAGMA synchronous=FULL")
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            _insert(connection, entries)
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise
    finally:
        if durable:
            connection.execute("PRAGMA synchronous=NORMAL")


def prune(connection: sqlite3.Connection, before: float, now: float) -> int:
    """Delete the events that precede the first one at or after `before`, and return how many they were.

    Their last hash becomes an anchor, and an event `pruned` names it. Where the clock has leapt between what would go
    and what stays (a board that was off for months, or a clock gone wrong), nothing goes for SETTLE_S: until then
    somebody may have set it right.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        kept = _first_kept(connection, before, now)
        if _leapt(connection, kept, before, now):
            if kept is None:
                # From here the days of SETTLE_S are counted, also where nobody comes by to write anything.
                _insert(connection, [(LOG, now, "leapt", canonical({}))])
            connection.execute("COMMIT")
            return 0
        kept = _with_undated(connection, kept)
        query = "SELECT sequence, hash FROM events WHERE sequence < ? ORDER BY sequence DESC LIMIT 1"
        last = connection.execute(query, (2**62 if kept is None else kept,)).fetchone()
        count = 0
        if last is not None:
            connection.execute("INSERT INTO anchors(sequence, hash) VALUES (?, ?)", last)
            count = connection.execute("DELETE FROM events WHERE sequence <= ?", (last[0],)).rowcount
            said = canonical({"through": last[0], "hash": last[1], "events": count})
            _insert(connection, [(LOG, now, "pruned", said)])
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise
    if count:
        # The WAL still holds the forgotten pages until it is emptied.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return count


def _first_kept(connection: sqlite3.Connection, before: float, now: float) -> int | None:
    """Sequence of the first event that is young enough; None when none is.

    One of a time to come was written under a clock gone wrong, or the clock is wrong now. It is old when one that was
    written after it is; a clock that starts in 1970 says nothing of either.
    """
    query = (
        "SELECT min(sequence) FROM events WHERE time >= :before AND (time <= :ahead OR sequence > "
        "(SELECT coalesce(max(sequence), 0) FROM events WHERE time < :before AND time > :unset))"
    )
    found = connection.execute(query, {"before": before, "ahead": now + AHEAD_S, "unset": UNSET_S}).fetchone()[0]
    return None if found is None else int(found)


def _with_undated(connection: sqlite3.Connection, kept: int | None) -> int | None:
    """The first of the events without a date right before `kept`: when they were written, only what follows says."""
    end = 2**62 if kept is None else kept
    query = "SELECT coalesce(max(sequence), 0) FROM events WHERE sequence < ? AND time > ?"
    dated = connection.execute(query, (end, UNSET_S)).fetchone()[0]
    found = connection.execute("SELECT min(sequence) FROM events WHERE sequence > ?", (dated,)).fetchone()[0]
    return kept if found is None else int(found)


def _leapt(connection: sqlite3.Connection, kept: int | None, before: float, now: float) -> bool:
    """Whether there is a leap of the clock before event `kept` that happened only lately by the clock's own account.

    LEAP_S or, if that is less, as long as events are kept: no leap may take all of them at once.
    """
    end = 2**62 if kept is None else kept
    query = "SELECT max(time) FROM events WHERE sequence < ? AND time <= ?"
    going = connection.execute(query, (end, now + AHEAD_S)).fetchone()[0]
    staying = connection.execute("SELECT time FROM events WHERE sequence = ?", (kept,)).fetchone()
    first = now if staying is None else float(staying[0])
    return going is not None and first - float(going) > max(DAY_S, min(LEAP_S, now - before)) and now - first < SETTLE_S


def verify(connection: sqlite3.Connection) -> int | None:
    """Sequence of the first event that breaks the chain, or None when all of it holds."""
    anchor = connection.execute("SELECT sequence, hash FROM anchors ORDER BY sequence DESC LIMIT 1").fetchone()
    after, previous = anchor or (0, GENESIS)
    broken = first_broken(connection.execute(f"SELECT {_COLUMNS} FROM events ORDER BY sequence"), after, previous)  # noqa: S608 - constant
    if broken is None and anchor is not None:
        rows = connection.execute("SELECT payload FROM events WHERE kind = 'pruned'")
        named = [json.loads(row[0]) for row in rows]
        if not any((said["through"], said["hash"]) == anchor for said in named):
            return int(after) + 1
    return broken


def select(connection: sqlite3.Connection, column: str, value: str) -> list[Event]:
    """Events whose `session` or `kind` has this value, in order."""
    condition = {"session": "session = ?", "kind": "kind = ?"}[column]
    query = f"SELECT {_COLUMNS} FROM events WHERE {condition} ORDER BY sequence"  # noqa: S608 - constants
    rows = connection.execute(query, (value,)).fetchall()
    return [Event(row[0], row[1], row[2], row[3], json.loads(row[4]), row[5], row[6]) for row in rows]


def _insert(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    # The head is read inside the transaction: another process may append to the same log.
    sequence, previous = head(connection)
    rows = []
    for session, time, kind, payload in entries:
        sequence += 1
        found = digest(previous, session, sequence, time, kind, payload)
        rows.append((session, sequence, time, kind, payload, previous, found))
        previous = found
    connection.executemany(f"INSERT INTO events({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)  # noqa: S608 - constant


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
