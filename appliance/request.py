"""Which request a thread works for: an identifier in its context, so that every line of the log can name it.

The identifier comes from the client where it is well-formed, so that a system in front finds its own again, and is made
here otherwise. Work that goes on in another thread takes it along with `carried`; a context itself is not handed on,
because it holds whatever else a framework has put there.
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

_WELL_FORMED = re.compile(r"(?=[^A-Za-z]{0,63}[A-Za-z])[A-Za-z0-9._-]{8,64}")
"""With a letter in it: an identifier stands in the log, and one that is only digits may be somebody's number."""
_NUMBER = re.compile(r"(?:[0-9][._-]?){7}")
"""Seven digits: the same length from which on redaction takes a number for somebody's."""
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|r?[0-9a-f]{16}([0-9a-f]{16})?")
"""A UUID, an identifier of W3C traces or one of ours, in which digits stand together by chance."""

_CURRENT: ContextVar[str] = ContextVar("request", default="")

_Made = TypeVar("_Made")


def current() -> str:
    """Identifier of the request that this thread works for; empty when it works for none."""
    return _CURRENT.get()


def fresh() -> str:
    """A new identifier."""
    return f"r{secrets.token_hex(8)}"


def chosen(given: str | None) -> str:
    """The client's identifier if it is well-formed, else a new one: a bad one is no reason to refuse anybody."""
    if given is None or not _WELL_FORMED.fullmatch(given):
        return fresh()
    return given if _HEXADECIMAL.fullmatch(given) or not _NUMBER.search(given) else fresh()


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
