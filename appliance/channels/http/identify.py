"""Gives every request its identifier before anything else looks at it, and every answer the header that says it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wsgi import ClosingIterator

from appliance.request import HEADER, begin, chosen

_KEY = "appliance.request_id"
"""Where the WSGI environment keeps it."""
_GIVEN = "HTTP_" + HEADER.upper().replace("-", "_")

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def identifier(environ: dict[str, Any]) -> str:
    """Identifier of the request with this WSGI environment: the client's own, if it is well-formed."""
    found = environ.get(_KEY)
    if not isinstance(found, str):
        found = environ[_KEY] = chosen(environ.get(_GIVEN))
    return found


class Identified:
    """A WSGI application in front of `inner`: from its call to the end of its body the thread works for the request."""

    def __init__(self, inner: Wsgi) -> None:
        self._inner = inner

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Let `inner` answer."""
        name = identifier(environ)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            if all(given.lower() != HEADER.lower() for given, _ in headers):
                headers = [*headers, (HEADER, name)]
            return start_response(status, headers, *more)

        begin(name)
        try:
            body = self._inner(environ, start)
        except BaseException:
            begin("")
            raise
        return ClosingIterator(body, [lambda: begin("")])
