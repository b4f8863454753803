"""The appliance as a service: systemd hears when it serves, how it is, that its work goes on, and that it ends.

READY=1 is sent once the server has answered a request over its own socket, as a customer's would come, and not when it
was merely bound: whatever is ordered behind the unit finds an appliance that serves.
"""

from __future__ import annotations

import logging
import shlex
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

from appliance.app.appliance import Appliance
from appliance.channels.http.probe import ASK_S, silence
from appliance.channels.http.server import Server
from appliance.device.notify import Notifier
from appliance.device.openings import PLACE, Filter
from appliance.device.watchdog import Pulse, Watchdog
from appliance.settings import Settings
from appliance.values import Feature

log = logging.getLogger(__name__)

HUNG_S = 60.0
"""Least seconds without a sign of life after which a part counts as hung. Within a run the scheduler may have to load
another backend in place of a failed one, which takes longer than any answer. Not yet measured on hardware."""
AGAIN_S = 0.2
"""Seconds between two questions until it does."""
LOOK_S = 10.0
"""Seconds between two looks at what the status line has to say."""

STARTING = "启动中 / starting: 载入网络和知识包 / loading networks and pack"
STOPPING = "停止中 / stopping"
CHANGING = "切换更新包 / changing to another bundle"
CHANGE_S = 300.0
"""Seconds that this may take until the watchdog ends the process: as long as a start may (TimeoutStartSec)."""


def hung_after(settings: Settings) -> float:
    """Seconds after which a run that has not ended counts as hung: twice what any request may take, at least HUNG_S.

    Nobody waits for its outputs by then, and /readyz has said `failed` since half of that time.
    """
    return max(HUNG_S, 2 * settings.deadline_s)


class Service:
    """Speaks for a serving appliance to its service manager, as a context manager. Without one it does nothing."""

    def __init__(
        self,
        appliance: Appliance,
        server: Server,
        settings: Settings,
        notifier: Notifier,
        shut: Filter,
        *,
        config: Path | None = None,
    ) -> None:
        """Speak to `notifier` about `appliance` behind `server`, which has started; `shut` is the unit's filter.

        `config` is the file that the settings came from.
        """
        self._appliance, self._server, self._notifier, self._filter = appliance, server, notifier, shut
        self._remedy = "" if shut.ok else remedy(config)
        self._stopped = threading.Event()
        self._speaking = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="service", daemon=True)
        self._watchdog = Watchdog(
            notifier,
            (
                Pulse("inference", appliance.silent_s, hung_after(settings)),
                Pulse("http", server.silent_s, HUNG_S),
            ),
        )

    def state(self) -> dict[str, object]:
        """Who supervises the process and what the unit lets through, for the status."""
        shut = self._filter
        return {
            "supervised": self._notifier.supervised,
            "watchdog_s": self._notifier.watchdog_s or None,
            "named": {opening.network: list(opening.names) for opening in shut.named},
            "opened": None if shut.opened is None else list(shut.opened),
            "closed": list(shut.closed),
            "stale": list(shut.stale),
            "ok": shut.ok,
            "problem": shut.problem,
            "remedy": self._remedy,
        }

    def stopping(self) -> None:
        """Say that the service ends; nothing is said after it."""
        self._stopped.set()
        with self._speaking:
            self._notifier.stopping(STOPPING)

    def changing(self) -> None:
        """Say that the process will serve something else in a moment: it does not end."""
        self._stopped.set()
        with self._speaking:
            self._notifier.status(CHANGING)
            self._notifier.allow(CHANGE_S)

    def __enter__(self) -> Service:
        if not self._filter.ok:
            log.warning("%s → %s", _filtered(self._filter), self._remedy)
        if self._notifier.supervised:
            self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if not self._stopped.is_set():  # the server has ended though nobody told it to
            self.stopping()
        if self._thread.is_alive():
            self._thread.join(ASK_S + 1)
        self._watchdog.stop()

    def _run(self) -> None:
        url, said = self._server.url, ""
        while why := silence(url):
            line = f"尚未应答 / not answering yet: {url}: {why}"
            if line != said:
                self._say(self._notifier.status, line)
            said = line
            if self._stopped.wait(AGAIN_S):
                return
        said = self._line(url)
        self._say(self._notifier.ready, said)
        # A switch has left the watchdog CHANGE_S; what has answered needs that no more, and is looked at from here on.
        self._notifier.allow(self._notifier.watchdog_s)
        self._watchdog.start()
        while not self._stopped.wait(LOOK_S):
            line = self._line(url)
            if line != said:
                self._say(self._notifier.status, line)
            said = line

    def _say(self, word: Callable[[str], object], text: str) -> None:
        with self._speaking:  # nothing is to follow `stopping`
            if not self._stopped.is_set():
                word(text)

    def _line(self, url: str) -> str:
        return status_line(url, self._appliance.ready(), self._appliance.features(), self._filter, self._watchdog.hung)


def remedy(config: Path | None) -> str:
    """What to do when the unit's filter is not what the settings of `config` name, word for word for root's shell.

    That knows neither where the program lies nor the unit's environment, and settings read from nowhere open nothing.
    """
    beside = Path(sys.executable).with_name("appliance")
    given = ("-c", str(config.absolute())) if config is not None else ()
    run = shlex.join(
        (str(beside) if beside.exists() else "appliance", "service", "drop-in", *given, "-o", PLACE),
    )
    return (
        f"请运行 `sudo {run}`，再 `sudo systemctl daemon-reload` 并重启服务 / "
        f"Run `sudo {run}`, then `sudo systemctl daemon-reload`, and restart the service"
    )


def status_line(url: str, ready: bool, features: Iterable[Feature], shut: Filter, hung: Iterable[str] = ()) -> str:
    """What `systemctl status` shows: ready or not, where, which features do not serve as they should, what is open."""
    parts = [f"{'就绪 / ready' if ready else '未就绪 / not ready'}: {url}"]
    parts += [f"卡死 / hung: {', '.join(hung)}"] if tuple(hung) else []
    off = [f"{feature.name} {feature.state}" for feature in features if feature.state != "ready"]
    parts += [", ".join(off)] if off else []
    if shut.opened:
        parts.append(f"开放 / open: {' '.join(shut.opened)}")
    if not shut.ok:
        parts.append(_filtered(shut))
    return "; ".join(parts)


def _filtered(shut: Filter) -> str:
    """What is wrong with the unit's filter."""
    parts = [shut.problem] if shut.problem else []
    parts += [f"未开放 / shut: {' '.join(shut.closed)}"] if shut.closed else []
    parts += [f"多余的开放 / open without need: {' '.join(shut.stale)}"] if shut.stale else []
    return "; ".join(parts)
