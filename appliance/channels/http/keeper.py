"""Keeps every client's connection between its requests: one thread, one epoll, nothing that grows with their number.

It stands in for cheroot's ConnectionManager, which takes one new connection for each look at all the others, looks
through all of them four times a second under a lock that every answer needs, and ends its round with an exception when
no file can be opened. With 2,000 clients on two cores the kernel's queue of new ones overflowed, and requests waited
for ten seconds and more (the client's SYN is sent again after 1, 3 and 7 s).

Here new connections are taken until there are none, idle ones stand in the order in which they grew idle, and beyond
`most` connections the longest idle one goes; when none is idle, the new one is refused with a 503 that can be read.
Idleness is told by the monotonic clock: cheroot's `last_used`, which is set here alone, is a wall clock's time, and
that one jumps by years when a kiosk without a battery hears the time.
"""

from __future__ import annotations

import errno
import logging
import select
import socket
import threading
import time
from collections import OrderedDict
from typing import Any

from appliance.channels.http.dismiss import Outcome
from appliance.channels.http.intake import Intake
from appliance.channels.http.kept import Kept, Passes
from appliance.channels.http.refused import Refused
from appliance.listener import Listener, silent

log = logging.getLogger(__name__)

AT_ONCE = 128
"""New connections taken before those that have a request get their turn again."""
IDLE_S = 1.0
"""Seconds without a request after which a connection may be closed to make place for a new one."""
PAUSE_S = 0.2
"""Seconds without taking new connections when the system gives no file for them."""
SAY_S = 60.0
"""Seconds between two lines in the log about the same trouble."""
NO_FILE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Keeper:
    """What cheroot's server asks of its connection manager. `run` belongs to one thread, the rest is thread-safe."""

    def __init__(self, server: Any, most: int, listener: Listener = silent) -> None:
        """Keep the connections of `server`, whose listening socket is bound, `most` at once.

        Tells `listener` of each refused one: `shed` (name="connections").
        """
        self._server = server
        self._most = most
        self._tell = listener
        self._socket: socket.socket = server.socket
        self._socket.setblocking(False)
        self._epoll = select.epoll()
        self._intake = Intake(self._epoll, self._socket)
        self._lock = threading.Lock()
        self._idle: OrderedDict[int, Any] = OrderedDict()
        self._open: dict[int, Any] = {}
        self._refused = Refused(speaks=server.ssl_adapter is None)
        self._accepted = self._sent_away = self._evicted = 0
        self._said_at = float("-inf")
        self._passes = Passes()
        self._serving = threading.Event()
        self._stopping = False
        self._went_round = time.monotonic()

    @property
    def kept(self) -> Kept:
        """The counters now."""
        return Kept(
            len(self._open),
            len(self._idle),
            self._most,
            self._accepted,
            self._sent_away,
            self._evicted,
            self._passes.slowest_ms,
        )

    @property
    def silent_s(self) -> float:
        """Seconds since `run` last looked at the connections: no more than its interval and a pass, unless it hangs."""
        return time.monotonic() - self._went_round

    @property
    def can_add_keepalive_connection(self) -> bool:
        """Whether a connection may stay open behind its answer: always: an idle one goes when it must."""
        return True

    def put(self, conn: Any) -> None:
        """Take a connection back that waits for its next request."""
        if conn.rfile.has_data():
            conn.last_used = time.monotonic()
            self._server.process_conn(conn)
        else:
            self._rest(conn, select.epoll.modify)

    def forget(self, conn: Any) -> None:
        """Called by a connection that is about to close, while its file is still its own."""
        fd = conn.socket.fileno()
        if self._open.get(fd) is conn:
            del self._open[fd]

    def hold(self) -> None:
        """Take no new connections from now on: they wait in the kernel's queue, for whoever listens there next."""
        self._intake.hold()

    def at_rest(self, quiet_s: float) -> bool:
        """True when no request is worked on, and none has come or ended for `quiet_s` seconds."""
        with self._lock:
            latest = max((conn.last_used for conn in self._idle.values()), default=float("-inf"))
            return len(self._idle) == len(self._open) and time.monotonic() - latest >= quiet_s

    def stop(self) -> None:
        """End `run` and wait for it."""
        self._stopping = True
        while self._serving.is_set():
            time.sleep(0.01)

    def close(self) -> None:
        """Close the idle connections; those with a running request close behind their answer."""
        with self._lock:
            idle = list(self._idle.values())
            self._idle.clear()
        for conn in idle:
            conn.close()
        self._refused.close()
        self._epoll.close()

    def run(self, expiration_interval: float) -> None:
        """Hand connections with a request to the server's threads until `stop`; look at the clock at that interval."""
        self._serving.set()
        try:
            looked = time.monotonic()
            while not self._stopping:
                ready = self._epoll.poll(expiration_interval)
                self._went_round = began = time.monotonic()
                for fd, _ in ready:
                    if fd != self._intake.fd:
                        self._wake(fd)
                if any(fd == self._intake.fd for fd, _ in ready):
                    self._take_new()
                if began - looked > expiration_interval:
                    looked = began
                    self._expire()
                    self._refused.tidy(began)
                    self._intake.resume(began)
                self._passes.note(time.monotonic(), began)
        finally:
            self._serving.clear()

    def _rest(self, conn: Any, arm: Any) -> None:
        """Wait for the connection's next request; `arm` is what epoll has to be told."""
        conn.last_used = time.monotonic()
        fd = conn.socket.fileno()
        with self._lock:
            self._idle[fd] = conn
        try:
            # One event, then silence until it is armed again: the connection belongs to a thread meanwhile.
            arm(self._epoll, fd, select.EPOLLIN | select.EPOLLONESHOT)
        except (OSError, ValueError):  # the server stops and its epoll is closed
            if self._leave(fd, conn):
                conn.close()

    def _leave(self, fd: int, conn: Any) -> bool:
        """Take a connection out of the idle ones; False when another thread has."""
        with self._lock:
            if self._idle.get(fd) is not conn:
                return False
            del self._idle[fd]
            return True

    def _wake(self, fd: int) -> None:
        with self._lock:
            conn = self._idle.pop(fd, None)
        if conn is None:
            return
        outcome = self._server.dismiss(conn)
        if outcome is Outcome.SAID:
            self._rest(conn, select.epoll.modify)
        elif outcome is Outcome.BROKEN:
            conn.close()
        else:
            self._server.process_conn(conn)

    def _take_new(self) -> None:
        for _ in range(AT_ONCE):
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                # One that is gone before it was taken says so here; anything else but these is the next one's business.
                if error.errno in NO_FILE:
                    self._say(
                        f"no new connections for a moment: {error.strerror}; see `appliance check` about open files"
                    )
                    self._intake.pause(PAUSE_S)
                    return
                continue
            if len(self._open) < self._most or self._make_place():
                self._welcome(sock, address)
            else:
                self._refuse(sock)

    def _welcome(self, sock: socket.socket, address: Any) -> None:
        server = self._server
        environ: dict[str, str] = {}
        try:
            sock.settimeout(server.timeout)
            if server.ssl_adapter is not None:
                sock, environ = server.ssl_adapter.wrap(sock)
            conn = server.ConnectionClass(server, sock)
        except OSError:
            log.debug("a client had gone before its connection was set up")
            sock.close()
            return
        conn.remote_addr, conn.remote_port, conn.ssl_env = address[0], address[1], environ
        self._accepted += 1
        self._open[sock.fileno()] = conn
        self._rest(conn, select.epoll.register)

    def _make_place(self) -> bool:
        """Close the connection that has been idle longest, if that is long enough and nothing has come on it."""
        while True:
            with self._lock:
                fd, conn = next(iter(self._idle.items()), (-1, None))
                if conn is None or time.monotonic() - conn.last_used < IDLE_S:
                    return False
                del self._idle[fd]
            if self._end_idle(fd, conn):
                self._evicted += 1
                self._say("every place is taken: the longest idle connections are closed for new ones")
                return True

    def _end_idle(self, fd: int, conn: Any) -> bool:
        """Close a connection that is no longer among the idle; one on which a request has just come is served."""
        look = select.poll()
        look.register(fd, select.POLLIN)
        if look.poll(0):
            self._server.process_conn(conn)
            return False
        conn.close()
        return True

    def _refuse(self, sock: socket.socket) -> None:
        self._sent_away += 1
        self._say("every place is taken and none is idle: new connections get 503")
        self._tell("shed", name="connections")
        self._refused.take(sock)

    def _expire(self) -> None:
        threshold = time.monotonic() - self._server.timeout
        while True:
            with self._lock:
                fd, conn = next(iter(self._idle.items()), (-1, None))
                if conn is None or conn.last_used >= threshold:
                    return
                del self._idle[fd]
            self._end_idle(fd, conn)

    def _say(self, words: str) -> None:
        now = time.monotonic()
        if now - self._said_at > SAY_S:
            self._said_at = now
            log.warning("connections (%d open, at most %d): %s", len(self._open), self._most, words)
