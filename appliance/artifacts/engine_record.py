"""What is known of an engine: for what it was built (key), of what bytes it is (record), how it lies there (entry)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.artifacts.digest import sha256_of
from appliance.artifacts.schema import is_safe
from appliance.artifacts.seal import Seal
from appliance.errors import EngineCorrupt, EngineMissing, InvalidInput

PLAN, RECORD = "engine.plan", "record.json"
"""The files of an engine's folder."""
LONGEST = 1 << 16
"""Bytes that a record may have: it is read before its seal is known to be right."""
PURPOSE = "engine"
"""What the seal of a record is for."""


@dataclass(frozen=True, slots=True)
class EngineKey:
    """All that an engine depends on: another value of any of these is another engine."""

    network: str
    """ModelSpec.name, for example `pp-ocrv6-small/recogniser`."""
    onnx: str
    """sha256 of the ONNX file, 64 hexadecimal digits."""
    tensorrt: str
    """Exact version of the library, for example `10.3.0`."""
    gpu: str
    """Name of the GPU."""
    capability: str
    """Compute capability of the GPU, for example `8.7`."""
    platform: str
    """L4T release, for example `R36.4.3`; `none` where there is none."""
    precision: str
    """fp32, fp16 or int8."""
    profiles: str
    """ModelSpec.profiles_digest."""
    typing: str
    """`strong` or `weak`."""

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over all of it: names the engine's folder."""
        return hashlib.sha256(canonical(asdict(self))).hexdigest()[:16]

    @property
    def place(self) -> str:
        """MODEL/NETWORK/DIGEST, where its folder lies in a store. Raises InvalidInput for a network of another form."""
        if not is_safe(self.network) or self.network.count("/") != 1:
            raise InvalidInput(f"expected a network named MODEL/NETWORK, got {self.network[:80]!r}")
        return f"{self.network}/{self.digest}"

    def other(self, key: EngineKey) -> dict[str, str]:
        """The fields of `key` that differ from this one's, by name."""
        theirs = asdict(key)
        return {name: theirs[name] for name, value in asdict(self).items() if theirs[name] != value}


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """What is known of an engine that was built."""

    key: EngineKey
    """What it was built for."""
    sha256: str
    """Hash of the plan."""
    size: int
    """Bytes of the plan."""
    metric: str
    """Task metric of the gate that it passed; empty without a gate."""
    value: float
    """What it scored; 0 without a gate."""
    threshold: float
    """What it had to score; 0 without a gate."""
    built_s: float
    """Seconds that building took."""
    tools: Mapping[str, str]
    """Versions of the libraries that made it."""
    built_at: str
    """When it was published, ISO 8601 in UTC."""
    seal: str = ""
    """Seal of all the rest, 64 hexadecimal digits; empty before it is sealed."""


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """One folder of the store, whatever is in it."""

    path: Path
    """The folder."""
    record: EngineRecord | None
    """Its record; None when there is none that this installation sealed."""
    bytes: int
    """Bytes of all its files."""
    used: float
    """When its engine was last found or published, seconds since the epoch."""
    problem: str
    """Why it cannot be used: expected and found; empty when it is whole."""


def words(fields: Mapping[str, str]) -> str:
    """`tensorrt 10.3.0, gpu Orin`: fields of a key, hashes cut to what tells them apart."""
    return ", ".join(f"{name} {value[:40]}" for name, value in fields.items())


def canonical(row: object) -> bytes:
    """The one JSON text of `row`, as it is hashed and sealed."""
    return json.dumps(row, sort_keys=True, separators=(",", ":")).encode()


def written(record: EngineRecord, seal: Seal) -> bytes:
    """The file of `record`, sealed. Raises StorageFailed without a secret."""
    row = {name: value for name, value in asdict(record).items() if name != "seal"}
    return json.dumps(row | {"seal": seal.of(PURPOSE, canonical(row))}, indent=1).encode() + b"\n"


def read_record(folder: Path, label: str, seal: Seal) -> EngineRecord:
    """The record in `folder`; nothing of it is looked at before its seal is known to be right.

    Raises EngineMissing when there is no engine, EngineCorrupt for one that is unfinished, damaged or foreign, both
    beginning with `label`; StorageFailed when this user may not read the secret.
    """
    path = folder / RECORD
    try:
        if not path.exists():
            if not (folder / PLAN).exists():
                raise EngineMissing(f"{label}: expected {PLAN}, found none")
            raise EngineCorrupt(f"{label}: expected {RECORD} beside {PLAN}, found none: it was never finished")
        if not path.is_file():  # opening a pipe would wait for ever
            raise EngineCorrupt(f"{label}: {RECORD}: expected a file, got something else")
        with path.open("rb") as file:
            text = file.read(LONGEST + 1)
        if len(text) > LONGEST:
            raise EngineCorrupt(f"{label}: {RECORD}: expected at most {LONGEST} bytes, got more")
        row = json.loads(text)
        claimed = row.pop("seal", None) if isinstance(row, dict) else None
    except OSError as error:
        raise EngineCorrupt(f"{label}: {RECORD}: expected a readable file, got {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise EngineCorrupt(f"{label}: {RECORD}: expected JSON, got something else") from error
    if not seal.fits(PURPOSE, canonical(row), claimed):
        raise EngineCorrupt(
            f"{label}: expected an engine that this installation built and sealed, got a foreign or changed one"
        )
    try:
        return EngineRecord(key=EngineKey(**row.pop("key")), seal=str(claimed), **row)
    except (KeyError, TypeError) as error:  # ours, of a version that recorded other things
        raise EngineCorrupt(f"{label}: {RECORD}: expected the fields of this version, got others") from error


def check_plan(folder: Path, label: str, record: EngineRecord, *, take: bool = False) -> bytes:
    """Compare the plan in `folder` with `record`; with `take` return the very bytes that were compared, else none.

    Raises EngineCorrupt, beginning with `label`.
    """
    path, content = folder / PLAN, b""
    try:
        if not path.is_file():
            raise EngineCorrupt(f"{label}: expected {PLAN} beside {RECORD}, found none")
        size = path.stat().st_size
        if size != record.size:
            raise EngineCorrupt(f"{label}: {PLAN}: expected {record.size} bytes, got {size}")
        if take:
            content = path.read_bytes()
            got = hashlib.sha256(content).hexdigest()
        else:
            got = sha256_of(path)
    except OSError as error:
        raise EngineCorrupt(f"{label}: {PLAN}: expected a readable file, got {error.strerror}") from error
    if got != record.sha256:
        raise EngineCorrupt(f"{label}: {PLAN}: expected sha256 {record.sha256}, got {got}")
    return content


def entry_of(folder: Path, label: str, seal: Seal) -> EngineEntry:
    """What `folder`, at `label` in its store, holds, verified. Raises FileNotFoundError when it is gone meanwhile."""
    used = folder.stat().st_mtime
    size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    record, problem = None, ""
    try:
        record = read_record(folder, label, seal)
        if record.key.place != label:
            raise EngineCorrupt(f"{label}: expected the engine of this place, got that of {record.key.place}")
        check_plan(folder, label, record)
    except (EngineMissing, EngineCorrupt) as error:
        problem = error.detail
    return EngineEntry(folder, record, size, used, problem)
