"""The append-only event log: redacted on entry, hash-chained, in SQLite, and never in the way of an answer.

When the database is locked, full, read-only or damaged, events wait in memory, the listener hears `log_memory`, and
they are written in their order as soon as it works again (`log_disk`). A damaged file is set aside, never deleted.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time as clocks
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import StorageFailed
from appliance.listener import Listener, silent
from appliance.records import ledger
from appliance.records.chain import GENESIS, Event, canonical, log_id, redacted
from appliance.records.database import checkpoint, connect, identity, is_damaged, set_aside

_PATIENCE_S = 0.25
"""Longest wait of a turn for another one that is writing: flash memory may stall for seconds, and answers must not."""

_RETRY_S = (1.0, 2.0, 5.0, 15.0, 30.0)
_REPLACEMENTS = 3
"""Damaged files set aside before the disk itself is taken for broken, so that it is not filled with copies."""

_FAILURES = (sqlite3.Error, OSError)


@dataclass(frozen=True, slots=True)
class LogState:
    """Where events go at this moment."""

    place: str
    """`disk`, `memory` (by choice, no path was given) or `waiting` (in memory until the database works again)."""
    reason: str
    """Why events wait; empty otherwise."""
    waiting: int
    """Events in memory that the database has not taken yet."""
    lost: int
    """Events dropped because too many waited; the log itself says so with an event `lost` once it works again."""


class EventLog:
    """Append-only log of every session, safe to use from any number of threads.

    `path` is the database file, None for a log in memory; `redact` masks what is personal in a text; `clock` gives
    seconds since 1970; at most `capacity` events wait in memory while the database does not work. The constructor never
    raises for a broken database: see `state`. The listener is called with the log's lock held and must not call back.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        redact: Callable[[str], str],
        clock: Callable[[], float] = clocks.time,
        listener: Listener = silent,
        capacity: int = 20_000,
        monotonic: Callable[[], float] = clocks.monotonic,
    ) -> None:
        self._path, self._redact, self._clock, self._listener = path, redact, clock, listener
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._hall = threading.Lock()
        self._incoming: deque[ledger.Entry] = deque()
        self._waiting: deque[ledger.Entry] = deque()
        self._capacity = capacity
        self._lost = self._lost_unsaid = 0
        self._failures, self._retry_at, self._reason = 0, 0.0, ""
        self._replaced = 0
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._closed = False
        # A WAL may be left from before a crash or a power cut, so the first `maintain` looks.
        self._unmoved = True
        with self._lock:
            self._flush()

    def append(self, session: str, kind: str, payload: Mapping[str, object]) -> None:
        """Add one event of the session with this public name; only the name's hash is kept."""
        self.append_many(session, ((kind, payload),))

    def append_many(
        self, session: str, events: Iterable[tuple[str, Mapping[str, object]]], *, durable: bool = False
    ) -> None:
        """Add a turn's events in one transaction; with `durable` they are on the disk, past a power cut, on return.

        Never raises for what the database does, and never waits long for a disk that stalls under another turn: the
        events then stay in memory until the next turn or `maintain` writes them, in their order. Every text is redacted
        before it is kept anywhere, memory included.
        """
        identifier, now = log_id(session), float(self._clock())
        fresh = [(identifier, now, kind, self._stored(payload)) for kind, payload in events]
        with self._hall:
            self._incoming.extend(fresh)
            while len(self._incoming) > self._capacity:
                self._incoming.popleft()
                self._lost, self._lost_unsaid = self._lost + 1, self._lost_unsaid + 1
        if self._lock.acquire(timeout=_PATIENCE_S):
            try:
                self._flush(durable=durable)
            finally:
                self._lock.release()

    def maintain(self) -> None:
        """Write what waits, if its time has come, and move the WAL into the database; call it now and then.

        Moving the WAL costs an fsync, so it is done here, beside the turns, and not inside one of them; and only when
        something was written since it was last moved whole, so that an idle kiosk leaves its disk alone.
        """
        with self._lock:
            self._flush()
            ready = self._connection is not None and not self._closed and self._unmoved
            if ready:
                # Before the look: what is written beside it counts for the next one.
                self._unmoved = False
        if ready and self._path is not None:
            try:
                moved = checkpoint(self._path)
            except _FAILURES as error:
                # Writing goes on: the WAL only grows until the next attempt.
                moved = False
                self._listener("log_checkpoint", reason=f"{type(error).__name__}: {error}")
            if not moved:
                with self._lock:
                    self._unmoved = True

    def read(self, session: str) -> tuple[Event, ...]:
        """Events of the session with this public name, in order, those that still wait included."""
        return self._select("session", log_id(session), 0)

    def of_kind(self, kind: str) -> tuple[Event, ...]:
        """Events of one kind from all sessions, in order, those that still wait included."""
        return self._select("kind", kind, 2)

    def all_of_kind(self, kind: str) -> tuple[Event, ...]:
        """The same, and complete: raises StorageFailed while there is a database and it cannot be read.

        A log in memory, or one whose file does not exist yet, is complete with what waits.
        """
        with self._lock:
            self._flush()
            self._admit()
            written = self._written("kind", kind)
            if written is None and self._exists():
                raise StorageFailed(
                    f"expected to read {self._path}, got {self._reason or 'a closed log'}",
                    remedy=("请检查磁盘和事件日志的权限", "Check the disk and the permissions of the event log"),
                )
            return (*(written or ()), *self._unwritten(kind, 2))

    def head(self) -> tuple[int, str]:
        """Sequence and hash of the last written event; keep it elsewhere to prove later that nothing was cut off."""
        with self._lock:
            try:
                return (0, GENESIS) if self._connection is None else ledger.head(self._connection)
            except sqlite3.Error:
                return 0, GENESIS

    def verify(self) -> int | None:
        """Sequence of the first event that breaks the chain, None when all is whole; raises sqlite3.Error."""
        with self._lock:
            return None if self._connection is None else ledger.verify(self._connection)

    def prune(self, before: float) -> int:
        """Forget the oldest events, up to the first one at or after `before` (seconds since 1970); returns how many.

        The last forgotten event's hash stays as the anchor of the chain, and an event `pruned` names it, so that the
        rest can still be verified. Zero when the database does not work.
        """
        with self._lock:
            self._flush()
            connection = self._connection
            if connection is None or self._waiting:
                return 0
            self._unmoved = True
            try:
                return ledger.prune(connection, before, float(self._clock()))
            except _FAILURES as error:
                self._fail(error)
                return 0

    @property
    def state(self) -> LogState:
        """Where events go now, and why."""
        # Without the lock: whoever asks for the state must not wait for the disk either.
        place = "waiting" if self._connection is None else "memory" if self._path is None else "disk"
        return LogState(place, self._reason, len(self._waiting) + len(self._incoming), self._lost)

    def close(self) -> None:
        """Write what can be written and close the file; safe to call twice. Later events wait and are never written."""
        with self._lock:
            if not self._closed:
                self._retry_at = 0.0
                self._flush()
                self._closed = True
                self._disconnect()

    def _stored(self, payload: Mapping[str, object]) -> str:
        return canonical(dict(_mapping(redacted(payload, self._redact))))

    def _admit(self) -> None:
        """Let in what turns have brought, in its order. Called with the lock held."""
        with self._hall:
            self._waiting.extend(self._incoming)
            self._incoming.clear()

    def _flush(self, durable: bool = False) -> None:
        self._admit()
        if self._closed or (self._connection is None and self._monotonic() < self._retry_at):
            self._bound()
            return
        try:
            connection = self._connected()
            if self._waiting or self._lost_unsaid:
                self._write(connection, durable)
        except _FAILURES as error:
            if self._fail(error):
                self._flush(durable=durable)
            return
        if self._failures:
            self._listener("log_disk", written=True)
        self._failures, self._reason = 0, ""

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and self._path is not None and identity(self._path) != self._file:
            self._disconnect()
        if self._connection is None:
            try:
                self._connection = connect(self._path)
            except sqlite3.DatabaseError as error:
                if self._path is None or not is_damaged(error) or self._replaced >= _REPLACEMENTS:
                    raise
                self._replace(self._path, error)
                self._connection = connect(self._path)
            self._file = None if self._path is None else identity(self._path)
        return self._connection

    def _replace(self, path: Path, error: Exception) -> None:
        self._replaced += 1
        kept = set_aside(path, int(self._clock() * 1000))
        self._listener("log_replaced", reason=str(error), kept=str(kept))

    def _write(self, connection: sqlite3.Connection, durable: bool) -> None:
        said = []
        if self._lost_unsaid:
            said = [(ledger.LOG, float(self._clock()), "lost", canonical({"events": self._lost_unsaid}))]
        ledger.append(connection, [*said, *self._waiting], durable=durable)
        self._waiting.clear()
        self._lost_unsaid, self._unmoved = 0, True

    def _select(self, column: str, value: str, position: int) -> tuple[Event, ...]:
        with self._lock:
            self._admit()
            events = self._written(column, value) or []
            return (*events, *self._unwritten(value, position))

    def _written(self, column: str, value: str) -> list[Event] | None:
        """Events in the database; None when there is none to ask."""
        if self._connection is None:
            return None
        try:
            return ledger.select(self._connection, column, value)
        except sqlite3.Error as error:
            self._fail(error)
            return None

    def _unwritten(self, value: str, position: int) -> list[Event]:
        found = [item for item in self._waiting if item[position] == value]
        return [Event(item[0], 0, item[1], item[2], json.loads(item[3]), "", "") for item in found]

    def _exists(self) -> bool:
        """False only when there surely is no file: a folder that may not be looked into could hold one."""
        try:
            return self._path is not None and bool(self._path.stat())
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True

    def _fail(self, error: Exception) -> bool:
        """Take note of a failure; True when it is worth to try again at once, on a new file."""
        reason = f"{type(error).__name__}: {error}"
        delay = _RETRY_S[min(self._failures, len(_RETRY_S) - 1)]
        if not self._failures or reason != self._reason:
            self._listener("log_memory", reason=reason, waiting=len(self._waiting))
        self._failures, self._reason, self._retry_at = self._failures + 1, reason, self._monotonic() + delay
        self._disconnect()
        self._bound()
        if self._path is None or not is_damaged(error) or self._replaced >= _REPLACEMENTS:
            return False
        try:
            self._replace(self._path, error)
        except OSError as refused:
            self._listener("log_memory", reason=f"{type(refused).__name__}: {refused}", waiting=len(self._waiting))
            return False
        self._retry_at = 0.0
        return True

    def _bound(self) -> None:
        while len(self._waiting) > self._capacity:
            self._waiting.popleft()
            self._lost += 1
            self._lost_unsaid += 1

    def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            except sqlite3.Error as error:
                self._listener("log_memory", reason=f"{type(error).__name__}: {error}", waiting=len(self._waiting))


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"expected a mapping as payload, got {type(value).__name__}")
    return value
