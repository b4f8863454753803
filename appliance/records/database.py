"""The SQLite file under the event log: schema, connection, and what its failures mean.

WAL with synchronous=NORMAL: a commit costs one write to the WAL and no fsync, so a turn pays tens of microseconds, and
SQLite guarantees that a power cut can lose the last commits but never damage the file or break the order. What must
survive a power cut (a ticket number that a customer has seen) is committed with synchronous=FULL.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

VERSION = 1
"""`PRAGMA user_version` of the schema below."""

APPLICATION = 0x45564C47
"""`PRAGMA application_id`: "EVLG", so that another program's database is never taken for a log."""

_BUSY_MS = 50
"""How long a commit waits for another process; a customer waits with it."""

_CACHE_KB = 256
"""Pages that a connection keeps."""

_TABLES = """
CREATE TABLE events(
  sequence INTEGER PRIMARY KEY, session TEXT NOT NULL, time REAL NOT NULL, kind TEXT NOT NULL,
  payload TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL);
CREATE INDEX events_by_session ON events(session);
CREATE INDEX events_by_kind ON events(kind);
CREATE TABLE anchors(sequence INTEGER PRIMARY KEY, hash TEXT NOT NULL);
CREATE TRIGGER events_never_change BEFORE UPDATE ON events
  BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER events_go_only_behind_an_anchor BEFORE DELETE ON events
  WHEN OLD.sequence > (SELECT coalesce(max(sequence), 0) FROM anchors)
  BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER events_only_append BEFORE INSERT ON events
  WHEN NEW.sequence <= (SELECT coalesce(max(sequence), 0) FROM events)
    OR NEW.sequence <= (SELECT coalesce(max(sequence), 0) FROM anchors)
  BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER anchors_stand_on_an_event BEFORE INSERT ON anchors
  WHEN NOT EXISTS (SELECT 1 FROM events WHERE sequence = NEW.sequence AND hash = NEW.hash)
  BEGIN SELECT RAISE(ABORT, 'an anchor names an event of the log'); END;
CREATE TRIGGER anchors_never_change BEFORE UPDATE ON anchors
  BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
CREATE TRIGGER anchors_never_go BEFORE DELETE ON anchors
  BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;
"""

_SCHEMA = f"BEGIN IMMEDIATE;{_TABLES}PRAGMA application_id={APPLICATION};PRAGMA user_version={VERSION};COMMIT;"


class ForeignDatabase(sqlite3.DatabaseError):
    """A sound SQLite file that is not an event log of this version: never touched, never renamed."""


def connect(path: Path | None) -> sqlite3.Connection:
    """Open the log at `path` (None: in memory), creating file, folder and schema; raises sqlite3.Error or OSError."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(
        ":memory:" if path is None else str(path),
        timeout=_BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        ours = _is_log(connection)
        if path is not None:
            connection.execute("PRAGMA journal_mode=WAL")
            # `checkpoint` does this regularly, off the customer's path; this is the limit if nobody calls it.
            connection.execute("PRAGMA wal_autocheckpoint=8000")
        connection.execute("PRAGMA synchronous=NORMAL")
        # A commit touches the end of the table and a few leaves of the indices; SQLite's own default would keep two
        # megabytes of leaves that nobody asks for again.
        connection.execute(f"PRAGMA cache_size={-_CACHE_KB}")
        # Pruned events are overwritten with zeros: what has passed its age is gone from the disk, too.
        connection.execute("PRAGMA secure_delete=ON")
        if not ours:
            _create(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def checkpoint(path: Path) -> bool:
    """Move the WAL of the log at `path` into its database without stopping writers; raises sqlite3.Error.

    True when all of it was moved, False when a reader or writer held some of it back.
    """
    # mode=rw: a file that has just been removed must not come back empty.
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None)
    try:
        busy, frames, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return not busy and frames == moved
    finally:
        connection.close()


def _is_log(connection: sqlite3.Connection) -> bool:
    """True for an event log of this version, False for an empty file; raises ForeignDatabase for anything else."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if (application, version) == (APPLICATION, VERSION):
        return True
    if application or version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise ForeignDatabase(f"expected an event log of version {VERSION}, got another database or version {version}")
    return False


def _create(connection: sqlite3.Connection) -> None:
    try:
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        # Another process may have created the schema between the look and the attempt.
        if not _is_log(connection):
            raise


def is_damaged(error: Exception) -> bool:
    """True when the file itself is no longer a database, so that waiting cannot help.

    By message: `sqlite_errorcode` came with Python 3.11.
    """
    words = str(error)
    return isinstance(error, sqlite3.DatabaseError) and ("malformed" in words or "file is not a database" in words)


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file, or None when it is gone: writes into an unlinked file would be lost in silence."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def set_aside(path: Path, stamp: int) -> Path:
    """Rename a damaged database with its WAL and index, and return its new place; raises OSError."""
    kept = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept
