"""Bundles beside a serving appliance: watches the one on trial, and makes way when another one wants its turn.

A switch ends this process's work and starts the program anew in the same process, on the same listening socket. To swap
a pack, networks, settings and their threads within a running appliance would need the memory of both at once, which a
board of 8 GB has not, and every room would have to let go of what it holds. So: wait until nobody is in a conversation,
let no one in any more (503 and when to come back), let those inside finish, start anew. Connections that come meanwhile
wait in the socket's queue, or are told to come back.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from appliance.app.appliance import Appliance
from appliance.app.build import build
from appliance.app.bundled import here, merged, root_of, self_test
from appliance.bundles.choose import Chosen, choose, commit, give_up, pending, ready
from appliance.bundles.inbox import clear_parts, folder_of
from appliance.bundles.state import CURRENT, linked
from appliance.channels.http.bundles import Deliveries
from appliance.errors import ApplianceError, StorageFailed
from appliance.listener import Listener
from appliance.metrics import Metrics
from appliance.settings import Settings, data_dir
from appliance.trail import trail

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Seconds between two looks."""
UNREADY_S = 30.0
"""Seconds without readiness in a row after which a bundle on trial is given up."""
FAILURES = 5
"""Least answers that end in a defect (500) for which it is given up, when they are also this part of all:"""
FAILED_PART = 0.2
PATIENCE_S = 600.0
"""Longest wait for the moment in which nobody is in a conversation."""
ORIGINAL = "what came with the appliance"
BACK_S = 15.0
"""Seconds after which those who are refused during a switch are told to come back. Not yet measured on hardware."""


def begin(config: Path | None, local: Settings, listener: Listener) -> tuple[Appliance, Settings, Chosen | None]:
    """The appliance with the bundle whose turn it is, the settings that it was made from, and that bundle.

    One on trial that cannot be loaded, or does not pass its self-test, is given up at once; one that has proved itself
    and cannot be loaded any more, by a newer version of the appliance say, is passed over. What came with the appliance
    is last: what keeps that from starting is raised.
    """
    root, unusable = root_of(local), set[str]()
    while True:
        chosen = choose(root, listener, skip=unusable)
        folder = chosen.folder if chosen is not None else None
        try:
            settings = merged(config, folder)
            appliance = build(settings, listener=listener, bundle=folder)
        except Exception as error:
            if chosen is None:
                raise
            reason = error.detail if isinstance(error, ApplianceError) else trail(error)
        else:
            reason = self_test(appliance, chosen) if chosen is not None and chosen.trial else ""
            if chosen is None or not reason:
                return appliance, settings, chosen
            appliance.close()
        unusable.add(chosen.id)
        listener("bundles.unusable", id=chosen.id, reason=reason)
        if chosen.trial:
            with suppress(StorageFailed):  # its start cannot be counted there either, so that another one is chosen
                give_up(root, chosen.id, reason)


def deliveries(settings: Settings, config: Path | None) -> Deliveries:
    """Where bundles go that are brought over HTTP: to the inbox, which a process of its own empties."""
    inbox = folder_of(data_dir(settings))
    clear_parts(inbox)
    running = threading.Lock()

    def empty() -> None:
        given = ("-c", str(config.absolute())) if config is not None else ()
        command = [sys.executable, "-m", "appliance.cli", "bundle", "inbox", *given]
        with running:  # what comes meanwhile is found by the next one
            # What it says goes where this process's words go, which it may outlive as what it is now.
            done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            log.warning("bundles: the inbox was emptied with exit code %d", done.returncode)

    def arrived() -> None:
        threading.Thread(target=empty, name="inbox", daemon=True).start()

    return Deliveries(root_of(settings), inbox, here(settings), settings.bundle_max_mb * 1_000_000, arrived)


class Updates:
    """Looks every second, as a context manager."""

    def __init__(
        self,
        appliance: Appliance,
        chosen: Chosen | None,
        root: Path,
        settings: Settings,
        metrics: Metrics,
        leave: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch `appliance`, which serves `chosen`; `leave` ends the server, after which `again` says to start anew."""
        self._appliance, self._chosen, self._root, self._settings = appliance, chosen, root, settings
        self._metrics, self._leave, self._clock = metrics, leave, clock
        self.again = False
        """True when the program is to be started anew in this process."""
        self._on_trial = chosen is not None and chosen.trial
        self._noted = False
        self._began = self._unready = clock()
        self._known = self._turn()
        self._wanted: tuple[str | None, float] | None = None
        self._before = (metrics.answered, metrics.failed)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="updates", daemon=True)

    @property
    def on_trial(self) -> bool:
        """True until what serves has proved itself."""
        return self._on_trial

    def stop(self) -> None:
        """Change over to nothing any more: the service was told to end, during a switch perhaps."""
        self._stopped.set()
        self.again = False

    def __enter__(self) -> Updates:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_S) and not self.again:
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - a full disk, say: the next look tries again
                said = error.detail if isinstance(error, ApplianceError) else trail(error)
                log.warning("bundles: %s", said)

    def look(self) -> None:
        """One look: go on with the trial, or see whether another bundle waits. Raises StorageFailed."""
        if self._on_trial and self._chosen is not None:
            self._watch(self._chosen)
            return
        waiting = self._turn()
        if waiting == self._known:  # what came with the start: when that is not what serves, it was passed over
            self._wanted = None
            return
        if self._wanted is None or self._wanted[0] != waiting:
            self._wanted = (waiting, self._clock())
            log.info("bundles: %s waits until nobody is in a conversation", waiting or ORIGINAL)
        quiet = not self._appliance.customers and not self._appliance.busy
        if quiet or self._clock() - self._wanted[1] >= PATIENCE_S:
            self._switch(f"{waiting or ORIGINAL} takes over")

    def _turn(self) -> str | None:
        """Id of the bundle whose turn it is."""
        return pending(self._root) or linked(self._root, CURRENT)

    def _watch(self, chosen: Chosen) -> None:
        now = self._clock()
        if pending(self._root) != chosen.id:
            self._switch(f"{chosen.id} was dropped: what served before takes over again")
            return
        if self._appliance.ready():
            self._unready = now
            if not self._noted:
                ready(self._root, chosen.id)
                self._noted = True
        reason = self._trouble(now)
        if reason:
            log.error("bundles: %s is given up: %s", chosen.id, reason)
            try:
                give_up(self._root, chosen.id, reason)
            finally:  # on a full disk, too: its start cannot be counted there, so that another one serves
                self._switch("what served before takes over again")
        elif now - self._began >= self._settings.bundle_watch_s and self._noted:
            commit(self._root, chosen.id)
            self._on_trial, self._known = False, chosen.id
            log.info("bundles: %s has proved itself", chosen.id)

    def _trouble(self, now: float) -> str:
        if now - self._unready >= UNREADY_S:
            return f"expected it to be ready, got {now - self._unready:.0f} s without"
        answered, failed = self._metrics.answered - self._before[0], self._metrics.failed - self._before[1]
        if failed >= FAILURES and failed >= FAILED_PART * answered:
            return f"expected answers, got {failed} defects in {answered}"
        return ""

    def _switch(self, why: str) -> None:
        log.warning("bundles: %s: letting nobody in until then", why)
        patience = self._settings.deadline_s + self._settings.http_timeout_s
        if not self._appliance.drain(patience, BACK_S):
            log.warning("bundles: requests that have not ended in %.0f s are broken off", patience)
        if self._stopped.is_set():  # told to end meanwhile: then it ends
            return
        self.again = True
        self._leave()
