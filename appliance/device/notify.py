"""Tells systemd how the service is: ready, stopping, what it does now, and that it lives.

The protocol is one datagram of NAME=VALUE lines to the AF_UNIX socket that NOTIFY_SOCKET names (sd_notify(3), with
WATCHDOG_USEC and WATCHDOG_PID of sd_watchdog_enabled(3)); nothing is linked for it. Without that variable nobody
supervises the process, and every message is dropped.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)

LONGEST_STATUS = 1000
"""Bytes of a status line; systemd drops datagrams above 4096 bytes."""
SEND_S = 5.0
"""Seconds that one message may wait while systemd's queue is full, as it is while systemd itself is reloaded."""


class Notifier:
    """One process's line to its service manager. Thread-safe; sending never raises: a service outlives its supervisor.

    The first of several messages that cannot be sent is logged.
    """

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        """Send to the socket at `address`, a path or `@` and an abstract name; empty: to nobody.

        `watchdog_s` is the time in seconds within which the manager wants to hear `alive` again and again; 0: it
        does not ask for that.
        """
        if address and address[0] not in "/@":  # vsock: addresses come from virtual machine monitors
            log.warning("NOTIFY_SOCKET: expected a path or @name, got %r: nobody is told how the service is", address)
            address = ""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = watchdog_s if address else 0.0
        self._failed = False

    @classmethod
    def of(cls, environ: Mapping[str, str] | None = None) -> Notifier:
        """The line that the environment of a service names, by default that of this process."""
        environ = os.environ if environ is None else environ
        return cls(environ.get("NOTIFY_SOCKET", ""), _watchdog_s(environ))

    @property
    def supervised(self) -> bool:
        """True when somebody listens."""
        return bool(self._address)

    def ready(self, status: str = "") -> bool:
        """The service serves; True when that was sent."""
        return self._send("READY=1", *_status(status))

    def status(self, text: str) -> bool:
        """What the service does now, as one line that `systemctl status` shows."""
        return self._send(*_status(text))

    def stopping(self, status: str = "") -> bool:
        """The service ends by itself or because it was told to."""
        return self._send("STOPPING=1", *_status(status))

    def allow(self, seconds: float) -> bool:
        """Let the watchdog wait for so long from now on: starting anew in the same process takes longer than a sign."""
        return self.watchdog_s > 0 and self._send(f"WATCHDOG_USEC={seconds * 1e6:.0f}")

    def alive(self) -> bool:
        """The service works: the watchdog's time begins anew."""
        return self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> bool:
        if not self._address or not lines:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.settimeout(SEND_S)
                line.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)
        except OSError as error:
            if not self._failed:
                log.warning("%s could not be told to the service manager: %s", lines[0].partition("=")[0], error)
            self._failed = True
            return False
        self._failed = False
        return True


def _status(text: str) -> tuple[str, ...]:
    """The line of a status; what it may not hold (another line would be another assignment) becomes a blank."""
    cut = " ".join(text.split()).encode("utf-8", "replace")[:LONGEST_STATUS].decode("utf-8", "ignore")
    return (f"STATUS={cut}",) if cut else ()


def _watchdog_s(environ: Mapping[str, str]) -> float:
    """Seconds of the watchdog that is meant for this process; 0 when there is none."""
    given, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not given or (process and process != str(os.getpid())):
        return 0.0
    if not given.isascii() or not given.isdigit() or int(given) == 0:
        log.warning("WATCHDOG_USEC: expected microseconds, got %r: no watchdog is fed", given)
        return 0.0
    return int(given) / 1_000_000
