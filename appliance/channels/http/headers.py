"""The headers of a request: what two readers could read differently is refused."""

from __future__ import annotations

from typing import Any

ONCE = frozenset({b"Host", b"Content-Length", b"Transfer-Encoding", b"Content-Type", b"Authorization", b"Origin"})
"""Headers that decide something; given twice they mean two things to two readers."""


class HeaderReader:
    """Reads the headers of one request; raises ValueError where two readers could read them differently."""

    def __init__(self) -> None:
        self.expects_continue = False

    def __call__(self, source: Any, headers: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """Fill `headers` with title-cased names; `Expect` is taken out and remembered."""
        while (line := source.readline()) != b"\r\n":
            name, colon, value = line.partition(b":")
            if not line.endswith(b"\r\n") or not colon or not name or name != name.strip() or b"\0" in line:
                raise ValueError("header: expected 'Name: value' and CRLF, got something else")
            key, value = name.title(), value.strip()
            if b"_" in key:  # `Content_Length` would pass for Content-Length in WSGI's environment
                continue
            if key in headers:
                if key in ONCE:
                    raise ValueError(f"{key.decode('latin-1')}: expected once, got it again")
                value = headers[key] + b", " + value
            headers[key] = value
        length = headers.get(b"Content-Length")
        if length is not None and not (length.isdigit() and len(length) <= 18):
            raise ValueError("Content-Length: expected digits, got something else")
        if length is not None and b"Transfer-Encoding" in headers:
            raise ValueError("Content-Length: expected none beside Transfer-Encoding, got both")
        if b"Connection" in headers:
            headers[b"Connection"] = _persistence(headers[b"Connection"])
        self.expects_continue = headers.pop(b"Expect", b"").lower() == b"100-continue"
        return headers


def _persistence(value: bytes) -> bytes:
    """The one option of a Connection header that cheroot looks for, in its spelling (RFC 9112, section 9.3)."""
    options = {option.strip().lower() for option in value.split(b",")}
    if b"close" in options:
        return b"close"
    return b"Keep-Alive" if b"keep-alive" in options else value
