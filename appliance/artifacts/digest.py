"""sha256 of files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from appliance.listener import Listener

CHUNK = 1 << 20


def sha256_of(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """Hex sha256 of the file at `path`; `progress` is told the number of bytes after each chunk. Raises OSError."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            state.update(chunk)
            if progress is not None:
                progress(len(chunk))
    return state.hexdigest()


def digest_of(files: dict[str, str]) -> str:
    """First 16 hex digits of the sha256 over the sorted lines `path NUL sha256 LF`: names a set of files."""
    text = "".join(f"{path}\0{sha256}\n" for path, sha256 in sorted(files.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def progress_of(listener: Listener, model: str, file: str, stage: str, total: int | None) -> Callable[[int], None]:
    """A counter of bytes that tells `listener`: event `models.bytes` with model, file, stage, done and total.

    `stage` is `download`, `copy`, `unpack` or `hash`; `total` is None where it is not known.
    """
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        listener("models.bytes", model=model, file=file, stage=stage, done=done, total=total)

    return step
