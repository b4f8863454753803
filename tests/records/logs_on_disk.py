"""Event logs on disk: one that is filled, one that somebody has tampered with, and what was heard of it."""

from __future__ import annotations

import re
import sqlite3

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
