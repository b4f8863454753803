"""A log that writes into a string, for tests of its lines and of its level."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

from appliance.language.redact import redact
from appliance.logs import Log

ours = logging.getLogger("appliance.tests")
theirs = logging.getLogger("PIL.TiffImagePlugin")


def started(stream: io.StringIO, level: str = "debug", form: str = "json", **more: Any) -> Log:
    log = Log(level, stream, form=form, environ={}, scrub=redact, **more)
    log.take_over()
    return log


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]
