"""Runs the appliance's command line and writes down, and forbids, every attempt to leave this machine.

`python -m tests.e2e.audited LOG COMMAND...`. Python's own sockets pass here by audit events (PEP 578); what a library
does below Python is seen by strace only.
"""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import Any

NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")


def is_here(host: object) -> bool:
    """True for a loopback address and for nothing at all; a name would have to be asked for somewhere."""
    if host is None or host == "":
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def host_of(event: str, arguments: tuple[Any, ...]) -> object:
    """The host that an event is about; loopback for what has none (UNIX sockets, connected sockets)."""
    subject = arguments[0] if event in NAMES else arguments[1]
    if isinstance(subject, tuple):
        return subject[0]
    return subject if event in NAMES else "127.0.0.1"


def watch(log: Path) -> None:
    """Forbid, from now on and for good."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in NAMES and event not in SENDS:
            return
        host = host_of(event, arguments)
        if not is_here(host):
            with log.open("a") as file:
                file.write(f"{event} {host}\n")
            raise PermissionError(f"{event} to {host}: the appliance has no business there")

    sys.addaudithook(hook)


if __name__ == "__main__":
    watch(Path(sys.argv.pop(1)))
    from appliance.cli import main

    main()
