"""Engines on disk: `<root>/<model>/<network>/<digest>/`, built on this device, sealed, verified before use.

The digest is that of the key, so that another TensorRT, GPU, system release, file or profile looks into another folder.
Two locks: one per key, held for the minutes of a build, and the store's own, held for the moment of a change. What is
half written lies in the root, only while the store's lock is held; so whoever holds it next clears what a killed
process left, and nobody ever clears what another is writing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from appliance.artifacts.disk import exclusive, room, storage, sync
from appliance.artifacts.engine_record import (
    PLAN,
    RECORD,
    EngineEntry,
    EngineKey,
    EngineRecord,
    check_plan,
    entry_of,
    read_record,
    words,
    written,
)
from appliance.artifacts.seal import Seal
from appliance.artifacts.staging import discard, staged, swap, tidy, write
from appliance.artifacts.timing import read_timing, write_timing
from appliance.errors import EngineBuildFailed, EngineCorrupt, EngineMissing
from appliance.listener import Listener, silent

__all__ = ["EngineEntry", "EngineKey", "EngineRecord", "EngineStore"]

LOCKS = ".locks"
"""Folder in the store for the locks of the keys, empty files."""
MARGIN = 1 << 20
"""Bytes that publishing may need beside the plan."""
POLL_S = 0.2
"""Seconds between two looks at whether another builder has ended."""


class EngineStore:
    """Finds, publishes and prunes engines. Safe for threads and processes; the constructor touches nothing."""

    def __init__(self, root: Path, listener: Listener = silent) -> None:
        """Keep engines in `root`; `listener` hears `engines.wait`, `engines.published` and `engines.pruned`."""
        self.root = root
        self._listener = listener
        self._seal = Seal(root)

    def home(self, key: EngineKey) -> Path:
        """The folder where the engine of `key` belongs. Raises InvalidInput unless its network is MODEL/NETWORK."""
        return self.root / key.place

    def find(self, key: EngineKey) -> tuple[Path, EngineRecord]:
        """The verified plan of `key` (size, sha256, key, seal) and its record; notes that it was used.

        Raises EngineMissing or EngineCorrupt, naming what was expected and found; StorageFailed when this user may not
        read the store or its secret; InvalidInput for a name that is none.
        """
        record, _ = self._look(key, take=False)
        return self.home(key) / PLAN, record

    def read(self, key: EngineKey) -> tuple[bytes, EngineRecord]:
        """As `find`, but the plan's very bytes that were verified: what to deserialise."""
        record, plan = self._look(key, take=True)
        return plan, record

    @contextmanager
    def building(self, key: EngineKey, stopped: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Be the only builder of `key`; waits for another one, and the caller then looks with `find` again.

        Leftovers of a killed builder are cleared and the secret is there, so that a disk which cannot be written shows
        before the minutes of a build and not after. Raises StorageFailed; EngineBuildFailed when `stopped` says so
        while another one builds, which takes minutes.
        """
        lock = self._lock(key)
        with storage(self.root):
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = lock.open("a")
        with file:
            with storage(self.root):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self._listener("engines.wait", network=key.network, precision=key.precision, digest=key.digest)
                    _wait(file, key, stopped)
            with exclusive(self.root):
                self._seal.make()
            yield

    def publish(
        self,
        key: EngineKey,
        plan: bytes | memoryview,
        *,
        metric: str,
        value: float,
        threshold: float,
        built_s: float,
        tools: Mapping[str, str],
    ) -> Path:
        """Put `plan` in its place with its sealed record and return its path. The caller holds `building(key)`.

        Whoever looks sees the new engine or what was there before, whole. Raises StorageFailed, which leaves nothing.
        """
        home = self.home(key)
        content = memoryview(plan).cast("B")
        record = EngineRecord(
            key=key,
            sha256=hashlib.sha256(content).hexdigest(),
            size=content.nbytes,
            metric=metric,
            value=value,
            threshold=threshold,
            built_s=built_s,
            tools=dict(tools),
            built_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        with exclusive(self.root):
            room(self.root, content.nbytes + MARGIN)
            self._seal.make()
            try:
                with staged(self.root) as stage:
                    write(stage / PLAN, content)
                    write(stage / RECORD, written(record, self._seal))
                    stage.chmod(0o755)
                    sync(stage)
                    swap(stage, home, self.root)
            finally:
                tidy(home.parent, self.root)
        self._listener("engines.published", network=key.network, precision=key.precision, digest=key.digest)
        return home / PLAN

    def entries(self) -> tuple[EngineEntry, ...]:
        """Every folder that lies where engines do, in order of its path, each verified; changes nothing.

        Raises StorageFailed when this user may not read the secret: nothing is known of any engine then.
        """
        found = []
        for model in _folders(self.root):
            for folder in (deep for network in _folders(model) for deep in _folders(network)):
                with storage(folder), suppress(FileNotFoundError):  # pruned or replaced while we looked
                    found.append(entry_of(folder, self._label(folder), self._seal))
        return tuple(found)

    def prune(self, keep: Collection[str], limit_bytes: int) -> tuple[EngineEntry, ...]:
        """Delete engines and return what was deleted, in that order.

        First every one that cannot be used, even in `keep` (it has to be built again anyway); then, while all together
        are over `limit_bytes`, whole ones whose digest is not in `keep`, least recently used first. Raises
        StorageFailed, also when this user may not read the secret: ours could not be told from foreign ones.
        """
        with exclusive(self.root):
            entries = self.entries()
            total = sum(entry.bytes for entry in entries)
            broken = [entry for entry in entries if entry.problem]
            idle = [entry for entry in entries if not entry.problem and entry.path.name not in keep]
            removed = []
            for entry in broken + sorted(idle, key=lambda entry: (entry.used, entry.path)):
                if not entry.problem and total <= limit_bytes:
                    break
                discard(entry.path, self.root)
                total -= entry.bytes
                removed.append(entry)
        for entry in removed:
            name = entry.path.relative_to(self.root).as_posix()
            self._listener("engines.pruned", engine=name, bytes=entry.bytes, problem=entry.problem)
        return tuple(removed)

    def timing_cache(self, tensorrt: str, gpu: str, capability: str) -> bytes:
        """What builders learnt about this device; empty when there is none that this installation sealed."""
        return read_timing(self.root, self._seal, (tensorrt, gpu, capability))

    def keep_timing_cache(self, tensorrt: str, gpu: str, capability: str, data: bytes | memoryview) -> None:
        """Keep `data` for the next builder in place of what was there. Raises StorageFailed, which leaves that."""
        with exclusive(self.root):
            self._seal.make()
            write_timing(self.root, self._seal, (tensorrt, gpu, capability), bytes(data))

    def _lock(self, key: EngineKey) -> Path:
        return self.root / LOCKS / self.home(key).name

    def _look(self, key: EngineKey, *, take: bool) -> tuple[EngineRecord, bytes]:
        home = self.home(key)
        with storage(self.root):
            while True:
                mark = _inode(home)
                try:
                    record = self._known(key, home)
                    plan = check_plan(home, self._label(home), record, take=take)
                    break
                except (EngineMissing, EngineCorrupt):
                    if _inode(home) == mark:
                        raise  # else another one was published between record and plan
        with suppress(OSError):  # a store that is only read has no use for it
            os.utime(home)
        return record, plan

    def _known(self, key: EngineKey, home: Path) -> EngineRecord:
        if not home.is_dir():
            raise EngineMissing(
                f"{key.network} {key.precision}: expected an engine for TensorRT {key.tensorrt} on {key.gpu} "
                f"{key.capability} {key.platform}, found none{self._nearest(key, home.parent)}"
            )
        record = read_record(home, self._label(home), self._seal)
        other = key.other(record.key)
        if other:
            wanted = record.key.other(key)
            raise EngineCorrupt(f"{self._label(home)}: expected an engine for {words(wanted)}, got {words(other)}")
        return record

    def _nearest(self, key: EngineKey, network: Path) -> str:
        """Words about the engine of this network that differs least: what became of it after an upgrade."""
        others = []
        for folder in _folders(network):
            with suppress(EngineMissing, EngineCorrupt):
                others.append(key.other(read_record(folder, folder.name, self._seal).key))
        return f"; there is one for {words(min(others, key=len))}" if others else ""

    def _label(self, folder: Path) -> str:
        """A folder by its place in the store: errors reach the page, which is told no paths of this machine."""
        return folder.relative_to(self.root).as_posix()


def _inode(folder: Path) -> int:
    with suppress(OSError):
        return folder.stat().st_ino
    return 0


def _folders(place: Path) -> list[Path]:
    """The folders in `place` that are not our own hidden ones, sorted; none without the place."""
    with storage(place):
        try:
            return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []


def _wait(file: IO[str], key: EngineKey, stopped: Callable[[], bool]) -> None:
    """Lock `file` as soon as its holder lets go. Looked at again and again: a signal does not end a wait in flock."""
    while not stopped():
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(POLL_S)
        else:
            return
    raise EngineBuildFailed(f"{key.network}: expected another builder to end, got asked to stop")
