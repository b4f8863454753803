"""Installed models on disk: `<root>/<name>/<digest>/...`, verified before use.

The digest is that of the manifest's files, so that this version of the code finds exactly its own version of a model,
and an upgrade or a way back is a change of one folder name. Nothing here touches the network.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.artifacts.digest import progress_of, sha256_of
from appliance.artifacts.disk import ASIDE, exclusive, storage
from appliance.artifacts.manifest import Manifest
from appliance.artifacts.schema import is_safe
from appliance.errors import ApplianceError, Both, InvalidInput, ModelCorrupt, ModelMissing
from appliance.listener import Listener, silent

CACHE = ".cache"
"""Folder in the store for wheels and for files that have arrived but are not installed yet."""
RECORD = "installed.json"
"""Written last into a published folder: every file with its hash, and where it came from."""

_LISTED: Both = ("已知的模型见 `appliance models list`", "See `appliance models list`")


@dataclass(frozen=True, slots=True)
class State:
    """Whether a model can be used."""

    state: str
    """`installed`, `missing` or `corrupt`."""
    detail: str
    """What was expected and found; empty when installed."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file as it must lie in the store."""

    path: str
    """Path in the model's folder."""
    sha256: str
    """Its hash."""
    size: int
    """Its bytes."""


class ModelStore:
    """Finds and verifies installed models. Thread-safe; the constructor touches nothing."""

    def __init__(
        self,
        root: Path,
        manifests: Mapping[str, Manifest],
        listener: Listener = silent,
        *,
        carried: Mapping[str, Path] | None = None,
    ) -> None:
        """Look in `root` for the models that `manifests` describe; `listener` hears of the hashing.

        `carried` are the folders of models that do not lie in `root`, because a bundle brought them, by name.
        """
        self.root = root
        self._carried = dict(carried or {})
        self.manifests = manifests
        self._listener = listener
        self._seen: dict[Path, tuple[tuple[int, int, int], str]] = {}
        self._lock = threading.Lock()

    @property
    def carried(self) -> tuple[str, ...]:
        """Names of the models that a bundle brought."""
        return tuple(self._carried)

    def without_paths(self, text: str) -> str:
        """`text` for strangers: where models lie on this machine is told as `models`."""
        for name, folder in self._carried.items():
            text = text.replace(str(folder), f"models/{name}")
        return text.replace(str(self.root), "models")

    def manifest(self, name: str) -> Manifest:
        """The manifest of `name`. Raises InvalidInput for a model that this version does not know."""
        if name not in self.manifests:
            known = ", ".join(self.manifests) or "none"
            raise InvalidInput(f"{name}: expected one of the models {known}", remedy=_LISTED)
        return self.manifests[name]

    def home(self, name: str) -> Path:
        """The folder where this version of `name` belongs, whether or not it is there."""
        return self._carried.get(name, self.root / name) / self.manifest(name).digest

    def path(self, name: str, file: str) -> Path:
        """Path of one verified file.

        Hashes it once per process and state of the file (mtime, size, inode). Raises ModelMissing or ModelCorrupt,
        naming what was expected, what was found and the command to run.
        """
        for wanted in self._files(name):
            if wanted.path == file:
                return self._checked(name, wanted)
        raise InvalidInput(
            f"{name}: expected one of its files, got {file}",
            remedy=("文件名见它的 manifest.yaml", "See its manifest.yaml"),
        )

    def folder(self, name: str) -> Path:
        """Folder of a model all of whose files are verified, as `path` does."""
        self.verify(name)
        return self.home(name)

    def verify(self, name: str, *, again: bool = False) -> tuple[StoredFile, ...]:
        """Check every file and return them; `again` hashes even those seen before. Raises as `path` does."""
        if again:
            with self._lock:
                self._seen.clear()
        files = self._files(name)
        for wanted in files:
            self._checked(name, wanted)
        return files

    def state(self, name: str) -> State:
        """Whether `name` is usable; hashes files that this process has not seen yet."""
        try:
            self.verify(name)
        except ModelMissing as error:
            return State("missing", error.detail)
        except ModelCorrupt as error:
            return State("corrupt", error.detail)
        return State("installed", "")

    def installed(self) -> tuple[str, ...]:
        """Names of the models that are usable."""
        return tuple(name for name in self.manifests if self.state(name).state == "installed")

    def outdated(self) -> tuple[Path, ...]:
        """Folders of other versions and of models that this version does not know."""
        if not self.root.is_dir():
            return ()
        wanted = {self.home(name) for name in self.manifests}
        return tuple(
            version
            for model in sorted(self.root.iterdir())
            if model.is_dir() and not model.name.startswith(".")
            for version in sorted(model.iterdir())
            if version.is_dir() and version not in wanted
        )

    def remove(self, name: str) -> int:
        """Delete every version of `name` and return the bytes freed. Raises ModelMissing when there is none."""
        self.manifest(name)
        return self.discard(self.root / name)

    def discard(self, folder: Path) -> int:
        """Delete one folder of the store, in one step for whoever is looking, and return the bytes freed.

        Raises ModelMissing when there is none, StorageFailed for the disk.
        """
        if not folder.is_dir():
            raise ModelMissing(f"{folder}: expected something to remove, found none", remedy=_LISTED)
        with exclusive(self.root, self._listener), storage(self.root):
            freed = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
            aside = Path(tempfile.mkdtemp(prefix=ASIDE, dir=self.root))
            folder.rename(aside / "model")
            shutil.rmtree(aside)
        return freed

    def _files(self, name: str) -> tuple[StoredFile, ...]:
        manifest = self.manifest(name)
        if not any(entry.archive for entry in manifest.files):
            return tuple(StoredFile(entry.path, entry.sha256, entry.size) for entry in manifest.files)
        return self._unpacked(manifest)

    def _unpacked(self, manifest: Manifest) -> tuple[StoredFile, ...]:
        """An archive's files as recorded when its verified zip was unpacked."""
        record = self.home(manifest.name) / RECORD
        pull = _pull(manifest.name)
        try:
            rows = json.loads(record.read_text("utf-8"))
            files = tuple(StoredFile(str(row["path"]), str(row["sha256"]), int(row["size"])) for row in rows["files"])
        except FileNotFoundError:
            raise ModelMissing(f"{manifest.name}: expected {record.parent}, found none", remedy=pull) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelCorrupt(
                f"{record}: expected the record of the installation, got {error}", remedy=pull
            ) from error
        if not files or rows.get("digest") != manifest.digest or not all(is_safe(file.path) for file in files):
            raise ModelCorrupt(f"{record}: expected the files of {manifest.digest}, got others", remedy=pull)
        return files

    def _checked(self, name: str, wanted: StoredFile) -> Path:
        path = self.home(name) / wanted.path
        error: type[ApplianceError] = ModelCorrupt
        try:
            status = path.stat()
            mark = (status.st_mtime_ns, status.st_size, status.st_ino)
            if status.st_size != wanted.size:
                found = f"expected {wanted.size} bytes, got {status.st_size}"
            elif (got := self._hash(name, wanted, path, mark)) == wanted.sha256:
                return path
            else:
                found = f"expected sha256 {wanted.sha256}, got {got}"
        except FileNotFoundError:
            error, found = ModelMissing, "expected the file, found none"
        except OSError as problem:
            found = f"expected a readable file, got {problem.strerror}"
        raise error(f"{name}: {path}: {found}", remedy=_pull(name))

    def _hash(self, name: str, wanted: StoredFile, path: Path, mark: tuple[int, int, int]) -> str:
        with self._lock:
            known = self._seen.get(path)
        if known is not None and known[0] == mark:
            return known[1]
        sha256 = sha256_of(path, progress_of(self._listener, name, wanted.path, "hash", wanted.size))
        with self._lock:
            self._seen[path] = (mark, sha256)
        return sha256


def _pull(name: str) -> Both:
    command = f"`appliance models pull {name}`"
    return (
        f"请运行 {command}；没有网络时运行 `appliance models import PATH`",
        f"Run {command}; offline, `appliance models import PATH`",
    )
