"""POST and GET /v1/bundles: an update is brought, and operators see what serves. Never without a token.

What comes is written to the inbox while it arrives, then read to its end from there: only what is signed by a trusted
key, whole, and for this appliance as it is now, stays. It is installed by another process, at its leisure.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from apiflask import APIFlask
from flask import Response, request

from appliance.artifacts.disk import room, storage, sync
from appliance.bundles.admit import Here, admit
from appliance.bundles.folder import Signed
from appliance.bundles.inbox import REASON, part_of, waiting
from appliance.bundles.install import SPARE, check
from appliance.bundles.keys import Trust
from appliance.bundles.moments import at_least, now
from appliance.bundles.report import report
from appliance.bundles.state import CURRENT, linked, read_state
from appliance.bundles.tape import BLOCK
from appliance.channels.http.limits import Incoming
from appliance.channels.http.reply import json_response
from appliance.errors import Overloaded, Unavailable, UnsupportedMedia

PATH = "/v1/bundles"
MEDIA = "application/octet-stream"
OVERHEAD = 64 << 20
"""Bytes that a file may have beside what its manifest lists: manifest, headers, padding of 20,000 files."""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Where bundles go that are brought over HTTP."""

    root: Path
    """Folder of the bundles."""
    inbox: Path
    """Folder that they are laid down in."""
    here: Here
    """This appliance."""
    most: int
    """Most bytes of a bundle's files."""
    arrived: Callable[[], None]
    """Has the inbox emptied, by and by."""


def register_bundles(app: APIFlask, deliveries: Deliveries | None) -> None:
    """Add the routes; without `deliveries` they say that this process takes none."""
    one = threading.Lock()

    def taking() -> Deliveries:
        if deliveries is None:
            raise Unavailable("bundles: expected the service, got a process that takes none", retry_after=60)
        return deliveries

    @app.get(PATH)
    def get_bundles() -> Response:
        to = taking()
        return json_response({**report(to.root), "inbox": len(waiting(to.inbox)), "refused": _refused(to.inbox)})

    @app.post(PATH)
    def post_bundle() -> Response:
        to = taking()
        if request.mimetype != MEDIA:
            raise UnsupportedMedia(
                f"Content-Type: expected {MEDIA}, got {request.mimetype[:80]!r}",
                remedy=("请以该类型发送更新包文件", f"Send the bundle's file as {MEDIA}"),
            )
        incoming = Incoming(request, to.most + OVERHEAD)
        if not one.acquire(blocking=False):
            raise Overloaded("bundles: expected one upload at a time, got another", retry_after=10)
        try:
            signed = _brought(to, incoming)
        finally:
            one.release()
        to.arrived()
        found = signed.contents
        return json_response({"id": signed.id, "version": found.version, "title": found.title}, 202)


def _brought(to: Deliveries, incoming: Incoming) -> Signed:
    """Store what arrives, and keep it when it may come in. Raises what its parts raise; nothing is left then."""
    with storage(to.inbox):
        to.inbox.mkdir(parents=True, exist_ok=True)
        room(to.inbox, (incoming.length or BLOCK) + SPARE)
        part = part_of(to.inbox)
        try:
            with part.open("xb") as file:
                while piece := incoming.read():
                    # A chunked body says no length, and others write meanwhile: a reserve is kept for the rest.
                    room(to.inbox, len(piece) + SPARE)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            clock = now()
            with part.open("rb") as file:
                signed = check(to.root, file, clock)
            state = read_state(to.root)
            known = Trust(to.root).keys()
            admit(signed, state, linked(to.root, CURRENT), to.here, at_least(clock, state.seen), known)
            part.replace(to.inbox / f"{signed.id}.bundle")
            sync(to.inbox)
        finally:
            part.unlink(missing_ok=True)
    return signed


def _refused(inbox: Path) -> str:
    """What the last bundle that was laid down and not taken in was refused for; empty without one."""
    with suppress(OSError, ValueError):
        return (inbox / REASON).read_text("utf-8")[:4000]
    return ""
