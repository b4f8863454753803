"""Listens for Wyoming clients on a thread of its own: few at a time, each within bounds, and stops cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from appliance.channels.door import Door
from appliance.channels.wyoming.visit import Shared, Visit
from appliance.channels.wyoming.wire import LINE_BYTES, Event, read_event, written
from appliance.errors import ApplianceError, Overloaded, RequestTimeout, SettingInvalid
from appliance.listener import Listener, silent
from appliance.settings import Settings, is_loopback
from appliance.trail import trail

log = logging.getLogger(__name__)

CLIENTS = 8
"""Clients at once; each beyond them hears so and is sent away."""
IDLE_S = 60.0
"""Seconds between two requests of a client after which its connection is closed."""
DRAIN_S = 5.0
"""Seconds that running requests get when the listener stops."""
LINGER_S = 2.0
"""Seconds in which a client that is sent away may still read why."""


class WyomingListener:
    """The listener: `start` binds and serves on its own thread, `stop` ends it. Bad input never does."""

    def __init__(
        self,
        door: Door,
        settings: Settings,
        *,
        port: int | None = None,
        clients: int = CLIENTS,
        idle_s: float = IDLE_S,
        listener: Listener = silent,
    ) -> None:
        """Serve `door` on wyoming_host and wyoming_port; another `port` goes before, 0 picks a free one.

        The protocol knows neither passwords nor encryption: on another address than loopback everybody who reaches it
        may ask, which is logged. `listener` hears of clients that are sent away.
        """
        self._door, self._settings = door, settings
        self._host = settings.wyoming_host.strip("[]")
        self._port = settings.wyoming_port if port is None else port
        self._clients, self._idle_s = clients, idle_s
        self._listener = listener
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._bound: int | ApplianceError | None = None
        self._ready = threading.Event()

    def start(self) -> int:
        """Bind and serve; returns the port. Raises SettingInvalid naming the setting at fault."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="wyoming", daemon=True)
        self._thread.start()
        self._ready.wait()
        if isinstance(self._bound, int):
            if not is_loopback(self._host):
                log.warning(
                    "wyoming_host: %s is reachable by strangers, and Wyoming asks nobody who they are", self._host
                )
            return self._bound
        self._thread.join()
        raise self._bound or SettingInvalid("wyoming_port: expected to listen, got no answer of the system")

    def stop(self) -> None:
        """Take no more clients, let running requests finish for DRAIN_S, close. Idempotent."""
        loop, stopping, thread = self._loop, self._stopping, self._thread
        if loop is None or stopping is None or thread is None:
            return
        with contextlib.suppress(RuntimeError):  # it has ended already
            loop.call_soon_threadsafe(stopping.set)
        thread.join(DRAIN_S + LINGER_S + 5)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        house = _House(self._door, self._settings, self._clients, self._idle_s, self._listener)
        try:
            server = await asyncio.start_server(house.welcome, self._host, self._port, limit=LINE_BYTES)
        except (OSError, OverflowError) as error:
            self._bound = SettingInvalid(
                f"wyoming_port: expected a free port on {self._host}, got {self._port}: {error}",
                remedy=(
                    "请把 APPLIANCE_WYOMING_PORT 设为其他端口，或设为 0 以关闭",
                    "Set APPLIANCE_WYOMING_PORT to another port, or to 0 to turn it off",
                ),
            )
            return
        else:
            self._bound = server.sockets[0].getsockname()[1]
        finally:
            self._ready.set()
        await self._stopping.wait()
        server.close()
        await house.close()


class _House:
    """The connections; lives in the listener's thread."""

    def __init__(self, door: Door, settings: Settings, clients: int, idle_s: float, listener: Listener) -> None:
        self._door, self._settings, self._clients, self._idle_s = door, settings, clients, idle_s
        self._listener = listener
        self._shared = Shared(settings.audio_jobs + 1)
        self._threads = ThreadPoolExecutor(clients, "wyoming-work")
        self._visits: dict[asyncio.Task[None], bool] = {}
        """Each connection's task, and whether it is busy with a request."""

    async def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        task = asyncio.current_task()
        if task is None:  # asyncio calls this in a task of its own
            return
        full = len(self._visits) >= self._clients
        if not full:
            self._visits[task] = False
        try:
            if full:
                self._listener("shed", name="wyoming")
                refusal = Overloaded(
                    f"clients: expected fewer than {self._clients} at once, got as many", retry_after=5
                )
                await self._say(writer, _error(refusal))
            else:
                await self._visit(task, reader, writer)
            await _goodbye(reader, writer)
        except (OSError, asyncio.TimeoutError):
            pass  # the client has gone, or takes nothing more
        except asyncio.CancelledError:
            pass  # the listener stops
        finally:
            self._visits.pop(task, None)
            writer.transport.abort()

    async def close(self) -> None:
        """End every visit: idle ones at once, busy ones when they have answered or DRAIN_S is over."""
        for task, busy in list(self._visits.items()):
            if not busy:
                task.cancel()
        if self._visits:
            await asyncio.wait(list(self._visits), timeout=DRAIN_S)
        for task in list(self._visits):
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _work(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _visit(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        visit = Visit(self._door, self._settings, self._work, self._shared)
        try:
            while True:
                event = await self._next(visit, reader)
                if event is None:
                    return
                self._visits[task] = True
                for answer in await visit.answer(event):
                    await self._say(writer, answer)
                self._visits[task] = False
        except (OSError, asyncio.TimeoutError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a client sends, the next one is served
            await self._say(writer, _error(error))
        finally:
            visit.close()
            session, door = visit.session, self._door
            if session is not None:
                with contextlib.suppress(RuntimeError):  # the threads are gone, and with them soon the sessions
                    self._threads.submit(door.end, session)

    async def _next(self, visit: Visit, reader: asyncio.StreamReader) -> Event | None:
        within_s = self._settings.http_timeout_s
        patience_s = within_s if visit.recording else self._idle_s
        event = await read_event(reader, idle_s=patience_s, within_s=within_s)
        if event is None and visit.recording:
            raise RequestTimeout(f"recording: expected sound or its end within {within_s:g} s, got none")
        return event

    async def _say(self, writer: asyncio.StreamWriter, event: Event) -> None:
        writer.write(written(event))
        await asyncio.wait_for(writer.drain(), self._settings.http_timeout_s)


def _error(error: Exception) -> Event:
    """The event `error`. Of a defect the client gets an identifier, the log its place; neither what a customer said."""
    if isinstance(error, ApplianceError):
        if error.status >= 500 and error.status != 503:
            log.error("wyoming: %s: %s", error.code, error.detail)
        return Event("error", {"text": error.account, "code": error.code})
    error_id = secrets.token_hex(6)
    log.error("error %s in wyoming: %s", error_id, trail(error))
    return Event("error", {"text": ApplianceError(f"error {error_id}").account, "code": ApplianceError.code})


async def _goodbye(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close our half and let the client read what was said last: bytes of its own that nobody read would undo it."""
    writer.write_eof()

    async def rest() -> None:
        while await reader.read(LINE_BYTES):
            pass

    await asyncio.wait_for(rest(), LINGER_S)
