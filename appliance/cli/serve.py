"""`appliance serve`: the process that listens, until it is told to stop."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from appliance.artifacts.inuse import in_use
from appliance.cli.again import STOPPING, again
from appliance.cli.check import NOT_READY, READY
from appliance.cli.options import Config, settings
from appliance.cli.report import feature_lines
from appliance.errors import ApplianceError
from appliance.language.redact import redact
from appliance.logs import Log
from appliance.settings import data_dir
from appliance.trail import trail

if TYPE_CHECKING:
    from appliance.app.appliance import Appliance

log = logging.getLogger(__name__)

SWITCH_S = 0.001
"""Seconds that one thread computes while others want to. Python's 5 ms would hold up, several times for each customer,
the thread that takes connections and sends customers away: with 2,000 of them `python -m benchmarks.load` shows it."""


def serve(config: Config = None) -> None:
    """启动服务 / Serve the API and the page until interrupted."""
    from appliance.app.memory import bound_heap

    bound_heap()  # before anything large is allocated
    sys.setswitchinterval(SWITCH_S)

    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector

    from appliance.app.bundled import root_of
    from appliance.app.journal import journal
    from appliance.app.service import STARTING, Service
    from appliance.app.updates import BACK_S, Updates, begin, deliveries
    from appliance.channels.http.api import create_app
    from appliance.channels.http.events import EventStream
    from appliance.channels.http.handed import VARIABLE, WaitingRoom, hand, taken
    from appliance.channels.http.server import Server
    from appliance.channels.http.status import SERVICE
    from appliance.device.notify import Notifier
    from appliance.device.openings import filter_of
    from appliance.metrics import Metrics

    local = settings(config)
    kept = Log(local.log_level, sys.stderr, form=local.log_format, environ=os.environ, scrub=redact)
    kept.take_over()
    sys.excepthook = lambda _kind, error, _trace: _died("serve", error)
    threading.excepthook = lambda died: _died(died.thread.name if died.thread else "a thread", died.exc_value)
    registry = CollectorRegistry()
    for collector in (PlatformCollector, GCCollector):
        collector(registry=registry)
    metrics = Metrics(registry)
    notifier = Notifier.of()
    notifier.status(STARTING)
    folder = data_dir(local)
    handed = taken(os.environ)
    with ExitStack() as closing:
        closing.enter_context(in_use(folder))
        closing.enter_context(_gone_on(folder, config))
        with WaitingRoom(None if local.http_tls_certificate else handed, BACK_S):
            appliance, chosen, bundle = begin(config, local, journal(metrics.listener))
        closing.enter_context(appliance)
        events = EventStream(appliance, chosen.event_streams, listener=metrics.listener)
        app = create_app(appliance, chosen, metrics, events=events, kept=kept, deliveries=deliveries(chosen, config))
        server = Server(app, chosen, on_stop=events.close, listener=metrics.listener, handed=handed)
        server.start()
        if chosen.wyoming_port:
            from appliance.channels.wyoming.listener import WyomingListener

            wyoming = WyomingListener(appliance, chosen, listener=metrics.listener)
            closing.callback(wyoming.stop)
            log.info("wyoming: %s:%d", chosen.wyoming_host, wyoming.start())
        closing.callback(kept.close)
        if bundle is not None:
            log.info("bundle: %s (%s)", bundle.id, bundle.contents.title)
        _tell(appliance, server.url, as_json=kept.as_json)
        service = Service(appliance, server, chosen, notifier, filter_of(chosen), config=config)
        app.extensions[SERVICE] = service.state

        def make_way() -> None:
            hand(server.kept(), os.environ)
            service.changing()
            server.hold()
            server.stop()

        updates = Updates(appliance, bundle, root_of(local), chosen, metrics, make_way)
        stopped = _until_told(updates.stop, service.stopping, server.stop)
        _settle()
        with service, updates:
            server.serve_forever()
    if updates.again:
        again(stopped.is_set, (int(os.environ[VARIABLE]),))


@contextmanager
def _gone_on(folder: Path, config: Path | None) -> Iterator[None]:
    """First finish a restore or reset that was broken off; where that needs root, say so and serve what is there."""
    from appliance.support.change import finish
    from appliance.support.scratch import swept

    swept(folder)
    try:
        if kind := finish(folder, config):
            log.warning("%s: it was broken off, and is finished now", kind)
    except ApplianceError as error:
        log.error("a restore or reset that was broken off: %s → %s", error.detail, error.remedy)
    yield


def _tell(appliance: Appliance, url: str, *, as_json: bool) -> None:
    """Say what serves: to eyes, or, where programs read, as lines of the log."""
    state = READY if appliance.ready() else NOT_READY
    if not as_json:
        for line in feature_lines(appliance.features()):
            typer.echo(line, err=True)
        typer.echo(f"{state}: {url} (Ctrl+C 停止 / stops)", err=True)
        return
    for feature in appliance.features():
        log.info("%s: %s by %s %s", feature.name, feature.state, feature.backend, feature.reason)
    log.info("%s: %s", state, url)


def _settle() -> None:
    """Let the collector pass over what start-up built and nothing will free: packs, indexes, routes.

    While it looks through all of that nobody is answered, and a queue comes to stand before the door.
    """
    gc.collect()
    gc.freeze()


def _died(name: str, error: BaseException | None) -> None:
    """Log what ended the process or one of its threads, as Python would, but without a message that may hold words."""
    log.critical("%s died: %s", name, trail(error) if error is not None else "of nothing known")


def _until_told(*steps: Callable[[], None]) -> threading.Event:
    """Stop by `steps` on SIGTERM and SIGINT, in another thread: cheroot's stop must not run inside its own loop.

    The event is set at once, before that thread has begun.
    """
    stopped = threading.Event()

    def stop() -> None:
        for step in steps:
            step()

    def told(_number: int, _frame: FrameType | None) -> None:
        stopped.set()
        threading.Thread(target=stop, name="stop", daemon=True).start()

    for number in STOPPING:
        signal.signal(number, told)
    return stopped
