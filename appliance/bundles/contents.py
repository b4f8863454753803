"""What a bundle's manifest says: every file with size and hash, version, for whom it is, and changes of keys.

It is JSON of which the exact bytes are signed, and nobody reads it before a signature was found good. Then it is read
strictly all the same: an unknown key is a mistake of the maker, and is said.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from appliance.artifacts.imported import NAME
from appliance.artifacts.schema import HEX64, is_safe
from appliance.bundles.keys import ROLES, Public, key_id
from appliance.bundles.moments import moment_of, stamp
from appliance.bundles.tape import LARGEST, header
from appliance.errors import BundleRefused

MANIFEST, SIGNATURES = "manifest.json", "manifest.sig"
FORMAT = 1
MANIFEST_BYTES = 4 << 20
"""Largest manifest: of 20,000 files."""
FILES = 20_000
"""Most files of a bundle."""
SETTINGS_FILE, PACK, MODELS, CASES = "settings.yaml", "pack", "models", "cases"
"""What may lie at a bundle's top beside manifest and signatures: a file and three folders."""
ID = re.compile(r"[0-9]{1,15}-[0-9a-f]{16}")
"""What an installed bundle's folder is called: its version, and the begin of its manifest's sha256."""
LATEST_VERSION = 999_999_999_999_999
APP_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file."""

    path: str
    """Where it lies in the bundle."""
    size: int
    """Bytes."""
    sha256: str
    """Its hash."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a bundle changes in the keys that are trusted, once it has proved itself."""

    add: tuple[Public, ...] = ()
    """Keys that are trusted from then on; one that is known already gets these roles."""
    revoke: tuple[str, ...] = ()
    """Ids of keys that nothing new may be signed with from then on."""

    def __bool__(self) -> bool:
        return bool(self.add or self.revoke)


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that a manifest says."""

    version: int
    """Rises from bundle to bundle; an appliance never goes back by itself."""
    title: str
    """What it is, for people."""
    created: datetime
    """When it was made, by the clock of the desk."""
    files: tuple[Entry, ...]
    """Its files in the order of their paths, which is their order in the file."""
    not_after: datetime | None = None
    """When it is too old to be installed; None: never."""
    boards: tuple[str, ...] = ()
    """Families of boards that it is for, such as `orin-nano` or `pc`; none: all."""
    min_app: str = "0.0.0"
    """Oldest version of the appliance that it is for."""
    pack_schema: int = 1
    """Revision of the form that its pack is written in."""
    downgrade_from: int | None = None
    """Highest version that has served which this older one may replace; needs a signature of role `downgrade`."""
    keys: Change = field(default_factory=Change)
    """What it changes in the keys; needs signatures of role `keys`."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that it carries."""
        return tuple(dict.fromkeys(e.path.split("/")[1] for e in self.files if e.path.startswith(f"{MODELS}/")))

    @property
    def has_pack(self) -> bool:
        """Whether it carries a pack."""
        return any(entry.path.startswith(f"{PACK}/") for entry in self.files)


def bundle_id(version: int, manifest: bytes) -> str:
    """Name of the folder of the bundle with this version and this manifest."""
    return f"{version}-{hashlib.sha256(manifest).hexdigest()[:16]}"


def written(contents: Contents) -> bytes:
    """The manifest as its maker writes it."""
    top: dict[str, Any] = {
        "format": FORMAT,
        "version": contents.version,
        "title": contents.title,
        "created": stamp(contents.created),
        "compatible": {
            "boards": list(contents.boards),
            "min_app": contents.min_app,
            "pack_schema": contents.pack_schema,
        },
    }
    if contents.not_after is not None:
        top["not_after"] = stamp(contents.not_after)
    if contents.downgrade_from is not None:
        top["downgrade_from"] = contents.downgrade_from
    if contents.keys:
        top["keys"] = {"add": [key.to_json() for key in contents.keys.add], "revoke": list(contents.keys.revoke)}
    top["files"] = [{"path": e.path, "size": e.size, "sha256": e.sha256} for e in contents.files]
    return (json.dumps(top, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def read(manifest: bytes) -> Contents:
    """What the manifest in these bytes says. Raises BundleRefused naming the key at fault."""
    top = _Reader(parsed(manifest, MANIFEST), MANIFEST)
    if (got := top.whole("format", 1, 1 << 30)) != FORMAT:
        top.fail("format", f"{FORMAT}, as this version of the appliance reads it", got)
    compatible = top.inner("compatible")
    contents = Contents(
        version=top.whole("version", 1, LATEST_VERSION),
        title=top.text("title", 200),
        created=top.time("created"),
        not_after=top.time("not_after") if "not_after" in top else None,
        boards=tuple(compatible.texts("boards", 64)),
        min_app=compatible.matching("min_app", APP_VERSION, "a version such as 0.1.0"),
        pack_schema=compatible.whole("pack_schema", 1, 1 << 30),
        downgrade_from=top.whole("downgrade_from", 1, LATEST_VERSION) if "downgrade_from" in top else None,
        keys=_change(top.inner("keys")) if "keys" in top else Change(),
        files=tuple(_entry(row) for row in top.inners("files", FILES)),
    )
    compatible.done()
    top.done()
    _check_paths(contents.files)
    return contents


def _entry(row: _Reader) -> Entry:
    entry = Entry(row.text("path", 255), row.whole("size", 0, LARGEST), row.matching("sha256", HEX64, "64 hex digits"))
    row.done()
    return entry


def _change(section: _Reader) -> Change:
    added = []
    for row in section.inners("add", 16):
        roles = row.texts("roles", 8)
        if unknown := sorted(set(roles) - set(ROLES)):
            row.fail("roles", f"some of {', '.join(ROLES)}", unknown[0])
        ends = row.time("not_after") if "not_after" in row else None
        added.append(Public(row.key("key"), tuple(roles), row.text("title", 200), ends))
        row.done()
    revoked = section.texts("revoke", 64)
    section.done()
    if clash := {key_id(one.raw) for one in added} & set(revoked):
        section.fail("revoke", "keys that it does not add", sorted(clash)[0])
    return Change(tuple(added), tuple(revoked))


def _check_paths(files: tuple[Entry, ...]) -> None:
    """Judge every path before a byte of any file is read."""
    paths = [entry.path for entry in files]
    if paths != sorted(paths):
        raise BundleRefused(f"{MANIFEST}: files: expected them in the order of their paths, got another")
    folders: set[str] = set()
    for path in paths:
        parts = path.split("/")
        if not is_safe(path):
            raise BundleRefused(f"{MANIFEST}: files: expected a relative path inside the bundle, got {path[:120]!r}")
        header(path, 0)
        inside = parts[0] in (PACK, MODELS, CASES) and len(parts) > 1
        if not inside and path != SETTINGS_FILE:
            raise BundleRefused(
                f"{MANIFEST}: files: expected {SETTINGS_FILE} or files in {PACK}/, {MODELS}/ and {CASES}/, got {path!r}"
            )
        if parts[0] == MODELS and (len(parts) < 3 or not NAME.fullmatch(parts[1]) or "derived" in parts):
            raise BundleRefused(f"{MANIFEST}: files: expected {MODELS}/NAME/..., without `derived`, got {path!r}")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    if len(set(paths)) != len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise BundleRefused(f"{MANIFEST}: files: expected every path once, got {twice!r} twice")
    if both := sorted(folders & set(paths)):
        raise BundleRefused(f"{MANIFEST}: files: expected a file or a folder, got both called {both[0]!r}")


def parsed(content: bytes, name: str) -> object:
    """The JSON in these bytes. Raises BundleRefused for anything that is not strictly JSON with every key once."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key stands twice")
        return found

    def never(word: str) -> NoReturn:
        raise ValueError(f"{word} is no JSON")

    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=once, parse_constant=never)
    except (ValueError, RecursionError) as error:
        raise BundleRefused(f"{name}: expected JSON, got {error}") from error


def read_manifest(folder: Path) -> bytes:
    """The manifest's bytes in an unpacked bundle. Raises OSError."""
    with (folder / MANIFEST).open("rb") as file:
        return file.read(MANIFEST_BYTES + 1)


class _Reader:
    """One mapping of the manifest; `done` refuses the keys that nobody asked for."""

    def __init__(self, value: object, where: str) -> None:
        self._where, self._used = where, set[str]()
        if not isinstance(value, Mapping):
            raise BundleRefused(f"{where}: expected names with values, got {type(value).__name__}")
        self._value: Mapping[str, Any] = value

    def fail(self, key: str, expected: str, got: object) -> NoReturn:
        raise BundleRefused(f"{self._where}: {key}: expected {expected}, got {repr(got)[:80]}")

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def _get(self, key: str) -> Any:
        self._used.add(key)
        if key not in self._value:
            self.fail(key, "this key", None)
        return self._value[key]

    def whole(self, key: str, least: int, most: int) -> int:
        value = self._get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.fail(key, f"a whole number from {least} to {most}", value)
        return value

    def text(self, key: str, longest: int) -> str:
        value = self._get(key)
        if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
            self.fail(key, f"a line of 1 to {longest} characters", value)
        return value

    def matching(self, key: str, pattern: re.Pattern[str], said: str) -> str:
        value = self._get(key)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.fail(key, said, value)
        return value

    def texts(self, key: str, most: int) -> list[str]:
        value = self._get(key)
        good = isinstance(value, list) and all(isinstance(one, str) and one.isprintable() and one for one in value)
        if not good or len(value) > most or len(set(value)) != len(value):
            self.fail(key, f"a list of at most {most} different texts", value)
        return list(value)

    def time(self, key: str) -> datetime:
        value = self._get(key)
        moment = moment_of(value) if isinstance(value, str) else None
        return moment if moment is not None else self.fail(key, "a moment such as 2026-11-30T12:00:00Z", value)

    def key(self, key: str) -> bytes:
        value = self._get(key)
        raw = Public.raw_of(value)
        return raw if raw is not None else self.fail(key, "32 bytes of a public key in base64", value)

    def inner(self, key: str) -> _Reader:
        return _Reader(self._get(key), f"{self._where}: {key}")

    def inners(self, key: str, most: int) -> list[_Reader]:
        value = self._get(key)
        if not isinstance(value, list) or len(value) > most:
            self.fail(key, f"a list of at most {most} entries", value)
        return [_Reader(one, f"{self._where}: {key}[{number}]") for number, one in enumerate(value)]

    def done(self) -> None:
        if unknown := sorted(set(self._value) - self._used):
            self.fail(unknown[0], f"one of {', '.join(sorted(self._used))}", unknown[0])
