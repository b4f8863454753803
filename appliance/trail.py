"""Where an error came from, without what it says: a message may hold a customer's words, a file and a line never do."""

from __future__ import annotations

from collections.abc import Iterator
from traceback import clear_frames, walk_tb

LONGEST = 40
"""Frames shown of one error; of a deeper recursion only the innermost."""


def trail(error: BaseException) -> str:
    """Type of `error` and its frames, the innermost last, then the same of what it was raised from; many lines.

    Neither messages, arguments nor lines of source are in it: `int("13812345678")` says what a customer typed.
    """
    return "\nfrom ".join("\n".join((_name(link), *_frames(link))) for link in _chain(error))


def unworded(text: str, error: BaseException | None) -> str:
    """`text` with the messages of `error`, and of what it was raised from, replaced by their types."""
    for link in _chain(error):
        for words in (repr(link), str(link)):
            text = text.replace(words, _name(link)) if words else text
    return text


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _frames(error: BaseException) -> Iterator[str]:
    frames = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
    if len(frames) > LONGEST:
        yield f"  ({len(frames) - LONGEST} more)"
    for code, line in frames[-LONGEST:]:
        yield f"  {code.co_filename}:{line} {code.co_name}"


def let_go(error: BaseException) -> None:
    """Clear what the frames of an error and of those behind it still hold: networks, memory, pictures.

    A traceback keeps every local variable of its frames alive, so that nothing which they hold could be closed.
    """
    for link in _chain(error):
        clear_frames(link.__traceback__)
