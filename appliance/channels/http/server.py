"""cheroot in the appliance's own process: one thread keeps the connections, a pool of threads answers requests."""

from __future__ import annotations

import errno
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from cheroot.wsgi import Server as WsgiServer
from flask import Flask

from appliance.channels.http.connection import Connection
from appliance.channels.http.dismiss import Outcome, Refuse, dismiss
from appliance.channels.http.files import FileLimit, limit_of, raise_limit
from appliance.channels.http.handed import kept, same_place
from appliance.channels.http.keeper import Keeper
from appliance.channels.http.shed import SHEDDING
from appliance.channels.http.status import SERVER, WAITING
from appliance.channels.http.tls import Tls
from appliance.errors import ApplianceError, SettingInvalid
from appliance.listener import Listener, silent
from appliance.settings import Settings
from appliance.trail import trail, unworded

log = logging.getLogger(__name__)

BACKLOG = 4096
"""Connections that the kernel keeps until they are taken; it keeps no more than net.core.somaxconn."""
HEAD_BYTES = 32 * 1024
QUIET_S = 0.5
DRAIN_S = 5
"""Seconds that running requests get when the server stops."""


class _Cheroot(WsgiServer):
    _connections: Any
    ConnectionClass = Connection
    bind_error: OSError | None = None
    handed: socket.socket | None = None
    most = 64
    listener: Listener = staticmethod(silent)
    refuse: Refuse | None = None
    admitted = 1

    def prepare(self) -> None:
        super().prepare()
        self._connections.close()  # cheroot's own, which has seen nothing yet
        self._connections = Keeper(self, self.most, self.listener)

    @property
    def keeper(self) -> Keeper:
        keeper: Keeper = self._connections
        return keeper

    def bind(self, family: Any, type: Any, proto: int = 0) -> Any:
        if self.handed is not None:
            self.socket, self.handed = self.handed, None
            self.bind_addr = self.socket.getsockname()[:2]
            return self.socket
        try:
            return super().bind(family, type, proto)
        except OSError as error:
            self.bind_error = error
            raise

    def process_conn(self, conn: Any) -> None:
        self.requests.put(conn)  # its queue has no bound: it never refuses

    def dismiss(self, conn: Any) -> Outcome:
        """Refuse the request on an idle connection that has turned readable, if it is to be refused.

        It is looked at only when the house can be full, which takes as many threads as it admits requests.
        """
        pool: Any = self.requests
        if self.refuse is None or self.ssl_adapter is not None:
            return Outcome.LEFT
        if not pool.qsize and pool.min - pool.idle < self.admitted:
            return Outcome.LEFT
        return dismiss(conn.socket, self.refuse)

    def hurried(self) -> bool:
        """True while every thread is taken and others wait for one."""
        pool: Any = self.requests
        return bool(pool.qsize > 0 and pool.idle == 0)

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        error = sys.exc_info()[1]  # whose words cheroot's message repeats
        log.log(level, "%s%s", unworded(msg, error), f": {trail(error)}" if traceback and error is not None else "")
        if traceback and "serve" in msg:
            time.sleep(0.05)  # out of files: accepting again at once would only burn the processor


class Server:
    """The HTTP server: `start` binds, `serve_forever` serves in the calling thread, `stop` ends it from another."""

    def __init__(
        self,
        app: Flask,
        settings: Settings,
        *,
        on_stop: Callable[[], None] | None = None,
        listener: Listener = silent,
        handed: socket.socket | None = None,
    ) -> None:
        """Serve `app` as `settings` say; `on_stop` is called first when stopping, to end event streams.

        `handed` is a listening socket of the program before this one, used where it is at the address of the settings.
        `listener` hears of refused connections. Raises SettingInvalid when the TLS files cannot be used.
        """
        self._settings = settings
        self._files: FileLimit = limit_of(settings)
        self._on_stop = on_stop
        self._stopped = threading.Event()
        self._drained = threading.Event()
        server: Any = _Cheroot(
            (settings.http_host.strip("[]"), settings.http_port),
            app,
            numthreads=settings.http_threads,
            max=settings.http_threads,
            server_name="appliance",
            request_queue_size=BACKLOG,
            shutdown_timeout=DRAIN_S,
            # Connections with a request wait here without a bound of their own: the gate behind the door answers 503
            # within milliseconds, and a bound here could only drop them without an answer.
            accepted_queue_size=-1,
        )
        server.timeout = settings.http_timeout_s
        server.max_request_header_size = HEAD_BYTES
        server.expiration_interval = 0.25
        if settings.http_tls_certificate:
            server.ssl_adapter = Tls(settings.http_tls_certificate, settings.http_tls_key)
        if handed is not None and same_place(handed, settings.http_host.strip("[]"), settings.http_port):
            server.handed = handed
        elif handed is not None:
            handed.close()
        server.listener = listener
        server.refuse = app.extensions.get(SHEDDING)
        server.admitted = settings.admitted
        self._server = server
        app.extensions[SERVER] = self.state
        app.extensions[WAITING] = lambda: server.requests.qsize

    def state(self) -> dict[str, object]:
        """Connections, requests that wait for a thread, and open files, for the status; valid after `start`."""
        pool = self._server.requests
        return {
            "connections": asdict(self._server.keeper.kept),
            "threads": {"idle": pool.idle, "waiting": pool.qsize},
            "files": asdict(self._files) | {"ok": self._files.ok, "remedy": self._files.remedy},
        }

    def start(self) -> int:
        """Bind and start the threads; returns the port. Raises SettingInvalid naming the setting at fault."""
        self._files = raise_limit(self._settings)
        self._server.most = min(self._settings.http_connections, self._files.connections)
        try:
            self._server.prepare()
        except OSError as error:
            raise self._unbound(self._server.bind_error or error) from error
        port: int = self._server.bind_addr[1]
        return port

    def _unbound(self, error: OSError) -> ApplianceError:
        host, port = self._settings.http_host, self._settings.http_port
        if error.errno == errno.EADDRINUSE:
            return SettingInvalid(
                f"http_port: expected a free port on {host}, got {port}, which another program holds",
                remedy=(
                    "请把 APPLIANCE_HTTP_PORT 设为其他端口，或停止占用该端口的程序",
                    "Set APPLIANCE_HTTP_PORT to another port, or stop the program that listens there",
                ),
            )
        if error.errno == errno.EACCES:
            return SettingInvalid(
                f"http_port: expected a port that this user may open, got {port}",
                remedy=("请把 APPLIANCE_HTTP_PORT 设为 1024 或以上", "Set APPLIANCE_HTTP_PORT to 1024 or above"),
            )
        return SettingInvalid(
            f"http_host: expected an address of this machine, got {host}: {error.strerror or error}",
            remedy=("请把 APPLIANCE_HTTP_HOST 设为 127.0.0.1", "Set APPLIANCE_HTTP_HOST to 127.0.0.1"),
        )

    def kept(self) -> socket.socket:
        """A hold on the listening socket that outlives this server, for the next program; valid while it serves."""
        return kept(self._server.socket)

    def hold(self) -> None:
        """Take no new connections, end the event streams, and let every request that has come be answered.

        Waits DRAIN_S at most. What comes on a connection that has been silent for QUIET_S may find it closed by `stop`.
        """
        self._server.keeper.hold()
        if self._on_stop is not None:
            self._on_stop()
        until = time.monotonic() + DRAIN_S
        while not self._server.keeper.at_rest(QUIET_S) and time.monotonic() < until:
            time.sleep(0.02)

    def silent_s(self) -> float:
        """Seconds since the thread that keeps the connections was last seen to work; valid after `start`."""
        keeper: Keeper = self._server.keeper
        return keeper.silent_s

    @property
    def url(self) -> str:
        """Address for a browser on this machine; valid after `start`."""
        host, port = self._server.bind_addr
        name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
        return f"{'https' if self._server.ssl_adapter else 'http'}://{name}:{port}"

    def serve_forever(self) -> None:
        """Serve until `stop` is called from another thread; returns when that has let running requests finish."""
        self._server.serve()
        # cheroot leaves its loop as soon as it is told to; the rooms behind must not close under running requests.
        if self._stopped.is_set():
            self._drained.wait(DRAIN_S + 5)

    def stop(self) -> None:
        """End the streams, take no more connections, let running requests finish for DRAIN_S, close. Idempotent."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        if self._on_stop is not None:
            self._on_stop()
        try:
            self._server.stop()
        finally:
            self._drained.set()
