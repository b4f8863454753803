"""Which request a thread works for: an identifier in its context, so that every line of the log can name it.

The identifier comes from the client where it has a shape that only programs make, so that a system in front finds its
own again, and is made here otherwise. Work that goes on in another thread takes it along with `carried`; a context
itself is not handed on, because it holds whatever else a framework has put there.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

HEADER = "X-Request-Id"
"""The header that brings an identifier and takes it back."""

_SHAPES = re.compile(
    r"r[0-9a-f]{16}"  # ours
    r"|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"  # UUID
    r"|([0-9a-f]{32}){1,2}|([0-9A-F]{32}){1,2}"  # of proxies and traces; a shorter one could be an order's number
    r"|[0-7][0-9A-HJKMNP-TV-Z]{25}"  # ULID
    r"|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"  # traceparent (W3C)
)
"""What programs make by chance, and nothing that a person would write: an identifier stands in the log as it came."""
_MIXED = re.compile(r"(?=.*[0-9]).*[A-Za-z]")
"""With digits alone it may be somebody's card, with letters alone a word; by chance none is that."""

_CURRENT: ContextVar[str] = ContextVar("request", default="")

_Made = TypeVar("_Made")


def current() -> str:
    """Identifier of the request that this thread works for; empty when it works for none."""
    return _CURRENT.get()


def fresh() -> str:
    """A new identifier, which is well-formed."""
    while not _MIXED.match(made := f"r{secrets.token_hex(8)}"):
        pass
    return made


def well_formed(name: str) -> bool:
    """True for an identifier of a shape that can hold nobody's name or number: ours, a UUID, a ULID, of a trace."""
    return bool(_SHAPES.fullmatch(name) and _MIXED.match(name))


def chosen(given: str | None) -> str:
    """The client's identifier if it is well-formed, else a new one: a bad one is no reason to refuse anybody."""
    return given if given is not None and well_formed(given) else fresh()


def begin(name: str) -> None:
    """This thread works for the request `name` from here on; for none when it is empty."""
    _CURRENT.set(name)


@contextmanager
def under(name: str) -> Iterator[None]:
    """This thread works for the request `name`, and afterwards for what it worked for before."""
    before = _CURRENT.get()
    _CURRENT.set(name)
    try:
        yield
    finally:
        _CURRENT.set(before)


@contextmanager
def some() -> Iterator[None]:
    """This thread works for a request: the one it works for already, else a new one, for what came by no HTTP."""
    with under(_CURRENT.get() or fresh()):
        yield


def carried(work: Callable[..., _Made]) -> Callable[..., _Made]:
    """`work` as it will run in another thread: for the request that this thread works for now."""
    name = _CURRENT.get()

    def run(*arguments: object) -> _Made:
        with under(name):
            return work(*arguments)

    return run
