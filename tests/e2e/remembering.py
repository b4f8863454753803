"""`appliance serve` that tells, on SIGUSR1, which of some words its live objects still hold; run as a program.

`remembering.py WORDS REPORT [--manifests FOLDER] serve`: WORDS is a JSON list of words or pieces of files, in hex
so that this program itself holds none of them before it searches; REPORT is written when all has been searched.
"""

from __future__ import annotations

import gc
import json
import re
import signal
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any

CODECS = ("utf-8", "utf-16-le", "utf-32-le")
"""How CPython keeps text, beside the one-byte form that UTF-8 covers for these words."""


def frames() -> Iterator[FrameType]:
    """Every frame that runs, of every thread, but this search's own."""
    for top in sys._current_frames().values():
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_code.co_filename != __file__:
                yield frame
            frame = frame.f_back


def children(thing: object) -> Iterator[object]:
    """What `thing` refers to; of a frame its locals, too; of a dict its keys: the collector passes over text there."""
    yield from gc.get_referents(thing)
    if isinstance(thing, dict):
        yield from list(dict.keys(thing))
    if isinstance(thing, FrameType):
        yield from thing.f_locals.values()


def text_of(thing: object) -> bytes | None:
    """The bytes of a text or buffer, None for anything else."""
    if isinstance(thing, str):
        return thing.encode("utf-8", "surrogatepass")
    if isinstance(thing, bytes | bytearray):
        return bytes(thing)
    if isinstance(thing, memoryview):
        return thing.tobytes()
    return thing.getvalue() if isinstance(thing, BytesIO) else None


def told(thing: object) -> str:
    """A holder by its type, and by its name where it has one; never by what it holds."""
    name = getattr(thing, "__qualname__", getattr(thing, "__name__", ""))
    if isinstance(thing, FrameType):
        name = f"{thing.f_code.co_filename}:{thing.f_lineno}"
    elif isinstance(thing, dict):
        name = ",".join(sorted(str(key)[:20] for key in thing if isinstance(key, str))[:4])
    return f"{type(thing).__module__}.{type(thing).__qualname__} {name if isinstance(name, str) else ''}".strip()


def forms_of(word: bytes) -> list[bytes]:
    """A word, given as UTF-8, in every form that text has in memory; a piece of a file as it is."""
    try:
        text = word.decode()
    except UnicodeDecodeError:
        return [word]
    return [text.encode(codec) for codec in CODECS]


def held(words: list[bytes]) -> dict[bytes, list[str]]:
    """The words that live objects hold, each with the chain of holders of the first that does, the nearest first."""
    gc.collect()
    forms = {form: word for word in words for form in forms_of(word)}
    any_of = re.compile(b"|".join(map(re.escape, forms)))
    found: dict[bytes, list[str]] = {}
    seen: dict[int, int | None] = {}
    alive: dict[int, object] = {}
    queue: list[object] = [*gc.get_objects(), *frames()]
    own = {
        id(words),
        id(found),
        id(seen),
        id(alive),
        id(queue),
        id(forms),
        id(any_of),
        *map(id, words),
        *map(id, forms),
    }
    own |= {id(any_of.pattern)}
    for thing in queue:
        seen.setdefault(id(thing), None)
    position = 0
    while position < len(queue):
        thing = queue[position]
        position += 1
        if id(thing) in own or (isinstance(thing, FrameType) and thing.f_code.co_filename == __file__):
            continue
        for child in children(thing):
            if id(child) in seen or id(child) in own:
                continue
            seen[id(child)] = id(thing)
            alive[id(child)], alive[id(thing)] = child, thing
            data = text_of(child)
            if data is None:
                queue.append(child)  # what the collector does not track: tuples and dicts of plain values, and others
                continue
            if any_of.search(data):
                for form, word in forms.items():
                    if form in data and word not in found:
                        found[word] = chain(id(child), seen, alive)
    return found


def chain(last: int, seen: dict[int, int | None], alive: dict[int, Any]) -> list[str]:
    """Holders from the nearest on; then who refers to the farthest of them."""
    names = []
    at: int | None = last
    farthest = None
    while at is not None and len(names) < 8:
        farthest = alive.get(at)
        names.append(told(farthest))
        at = seen[at]
    return names + [f"< {told(h)}" for h in gc.get_referrers(farthest)[:6] if h is not alive and h is not seen]


def main() -> None:
    """Serve, and report when asked to."""
    words, report = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))

    def search(_number: int, _frame: FrameType | None) -> None:
        wanted = [bytes.fromhex(word) for word in json.loads(words.read_text("utf-8"))]
        answer = {word.hex(): holders for word, holders in held(wanted).items()}
        part = report.with_suffix(".part")
        part.write_text(json.dumps(answer), "utf-8")
        part.replace(report)

    signal.signal(signal.SIGUSR1, search)
    if sys.argv[1] == "--manifests":
        from appliance.artifacts import manifest

        del sys.argv[1]
        folder = Path(sys.argv.pop(1))
        manifest.shipped_root = lambda: folder
    from appliance.cli import main as appliance

    appliance()


if __name__ == "__main__":
    main()
