"""Safe unpacking of a zip: no member leaves the folder, links or swells beyond what the manifest allows."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from appliance.artifacts.digest import CHUNK
from appliance.artifacts.manifest import Archive
from appliance.errors import ModelCorrupt


def unpack(path: Path, target: Path, archive: Archive, progress: Callable[[int], None] | None = None) -> None:
    """Write the content of folder `archive.root` in the zip at `path` into the existing folder `target`.

    Every member's name is judged before anything is written. Hidden files and whatever lies beside the root folder
    (`__MACOSX`, say) are left out. Raises ModelCorrupt for a zip that is broken or hostile, OSError for the disk.
    """
    try:
        with zipfile.ZipFile(path) as file:
            for member, name in _judge(file, path, archive):
                destination = target / name
                destination.parent.mkdir(parents=True, exist_ok=True)
                _write(file, member, destination, progress)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelCorrupt(f"{path.name}: expected a zip file, got one that does not unpack: {error}") from error


def _judge(file: zipfile.ZipFile, path: Path, archive: Archive) -> list[tuple[zipfile.ZipInfo, str]]:
    """The members to unpack and their paths below the root folder."""
    members = file.infolist()
    total = sum(member.file_size for member in members)
    if len(members) > archive.files or total > archive.bytes:
        raise ModelCorrupt(
            f"{path.name}: expected at most {archive.files} files and {archive.bytes} bytes unpacked, "
            f"got {len(members)} and {total}"
        )
    chosen: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ModelCorrupt(f"{path.name}: expected plain files, got a link or device {member.filename!r}")
        parts = member.filename.rstrip("/").split("/")
        if member.filename.startswith("/") or "\\" in member.filename or {"", ".", ".."} & set(parts):
            raise ModelCorrupt(f"{path.name}: expected names inside the archive's folder, got {member.filename!r}")
        inside = parts[0] == archive.root and len(parts) > 1
        if member.is_dir() or not inside or any(part.startswith(".") for part in parts):
            continue
        name = "/".join(parts[1:])
        if name in chosen:
            raise ModelCorrupt(f"{path.name}: expected every name once, got {member.filename!r} twice")
        chosen[name] = member
    if not chosen:
        raise ModelCorrupt(f"{path.name}: expected files in folder {archive.root}, got none")
    return [(member, name) for name, member in chosen.items()]


def _write(
    file: zipfile.ZipFile, member: zipfile.ZipInfo, destination: Path, progress: Callable[[int], None] | None
) -> None:
    with file.open(member) as source, destination.open("xb") as output:
        # zipfile stops at the declared size, which is in the total judged above, and then checks the CRC.
        while chunk := source.read(CHUNK):
            output.write(chunk)
            if progress is not None:
                progress(len(chunk))
