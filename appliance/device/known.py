"""What sticks have brought already: digests of bundles in a small file of the inbox, so that none comes again."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

FILE = ".usb-known"
MOST = 64
"""So many bundles are remembered, the newest last."""
_LINE = re.compile(r"[0-9a-f]{64} [0-9]{1,15}")


def known(inbox: Path) -> dict[str, int]:
    """Bytes of each bundle that a stick has brought, by its SHA-256; a line that is none is passed over.

    Raises OSError for a file that cannot be read, or is a link.
    """
    try:
        handle = os.open(inbox / FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return {}
    with os.fdopen(handle, "rb") as file:
        rows = file.read(MOST * 96).decode("ascii", "replace").splitlines()
    return {row.split()[0]: int(row.split()[1]) for row in rows if _LINE.fullmatch(row)}


def remember(inbox: Path, digest: str, size: int) -> None:
    """Add a bundle, on the disk when this returns. Raises OSError."""
    kept = {one: bytes_ for one, bytes_ in known(inbox).items() if one != digest}
    rows = [*kept.items(), (digest, size)][-MOST:]
    part = inbox / f"{FILE}.part"
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write("".join(f"{one} {bytes_}\n" for one, bytes_ in rows).encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        part.replace(inbox / FILE)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
