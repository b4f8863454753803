"""Installs a recogniser that an integrator brings: a folder, an archive, or one ONNX file with what lies beside it."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from appliance.artifacts.carried import SUFFIXES, beside, inner, is_archive, plain, unpack
from appliance.artifacts.digest import progress_of
from appliance.artifacts.disk import exclusive, room, storage
from appliance.artifacts.imported import Card, install
from appliance.artifacts.manifest import Manifest
from appliance.artifacts.staging import staged
from appliance.errors import Both, InvalidInput, ModelMismatch
from appliance.inference.backend import Run
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.listener import Listener, silent
from appliance.speech.ctc.cmvn import write_cmvn
from appliance.speech.ctc.layout import Layout, recognise
from appliance.speech.ctc.load import recogniser
from appliance.speech.ctc.record import FILE, Record, read_record, write_record
from appliance.speech.rehearsal import check_files, rehearse
from appliance.speech.resample import RATE
from appliance.values import Audio, Segment

UNSTATED = "unstated"
_UNLICENSED: Both = (
    "没有说明许可证，已记为 unstated；请确认有权使用，并用 --licence 写明",
    "Nothing states its licence, recorded as unstated; make sure that you may use it, and name it with --licence",
)


@dataclass(frozen=True, slots=True)
class Installed:
    """A recogniser that is in the store now."""

    manifest: Manifest
    """As it lies in the data folder."""
    record: Record
    """What it is."""
    warnings: tuple[Both, ...]
    """What whoever brought it should know."""


def bring(
    root: Path,
    place: Path,
    *,
    name: str = "",
    language: str = "",
    licence: str = "",
    taken: Collection[str] = (),
    listener: Listener = silent,
) -> Installed:
    """Install what lies at `place` (folder, archive or .onnx file) into the store at `root`.

    `name` is that of the folder by default and none of those `taken`; `language` (zh or en) is what it hears where its
    files do not tell. It is loaded and hears a second of sound before anybody else knows of it. Raises InvalidInput for
    what is no recogniser or lacks something, ModelCorrupt or ModelMismatch for one that is damaged, StorageFailed.
    """
    chosen = name or _name_of(place)
    if chosen in taken:
        raise InvalidInput(
            f"expected a name that no model of this version has, got {chosen}",
            remedy=("请用 --name 指定另一个名称", "Give another one with --name"),
        )
    with ExitStack() as stack:
        stack.enter_context(exclusive(root, listener))
        stage = stack.enter_context(staged(root))
        folder, network = _opened(place, stage, chosen, listener)
        files = beside(folder / network) if network else plain(folder)
        layout = recognise(files, chosen, network=network)
        record = _hearing(layout.record, language, chosen)
        if record.kind == "vosk":
            check_files(folder)
            rehearse(folder)
        kept = dict(layout.files) | _written(layout, record, stage)
        stated = licence or layout.licence or UNSTATED
        card = Card(
            name=chosen,
            title_zh=f"语音识别 {record.kind}：{chosen}",
            title_en=f"Speech recognition {record.kind}: {chosen}",
            kind="asr",
            licence=stated,
            attribution=layout.author.strip() or UNSTATED,
            page=layout.page.strip() or UNSTATED,
            origin=place.name,
            networks=layout.networks,
        )
        manifest = install(root, card, kept, _heard_once, listener)
        warnings = layout.warnings + ((_UNLICENSED,) if stated == UNSTATED else ())
    return Installed(manifest, record, warnings)


def is_candidate(place: Path) -> bool:
    """True for what may hold a recogniser: a folder, an archive, an ONNX file."""
    return place.is_dir() or is_archive(place) or place.suffix == ".onnx"


def _opened(place: Path, stage: Path, name: str, listener: Listener) -> tuple[Path, str]:
    """The folder with the recogniser's files, and the network that was named in it."""
    if place.is_dir():
        return inner(place), ""
    if is_archive(place):
        room(stage, 3 * place.stat().st_size)
        target = stage / "unpacked"
        with storage(stage):
            target.mkdir()
            return unpack(place, target, progress_of(listener, name, place.name, "unpack", None)), ""
    if place.suffix == ".onnx" and place.is_file():
        return place.parent, place.name
    raise InvalidInput(
        f"{place}: expected a folder, an archive ({', '.join(SUFFIXES)}) or an .onnx file",
        remedy=("请检查路径", "Check the path"),
    )


def _hearing(record: Record, language: str, name: str) -> Record:
    """The record with the languages that it serves."""
    if language:
        return replace(record, languages=(language,))
    if not record.languages:
        raise InvalidInput(
            f"{name}: expected a recogniser of Chinese or English, its files do not tell which",
            remedy=("请用 --language zh 或 --language en 说明", "Say so with --language zh or --language en"),
        )
    return record


def _written(layout: Layout, record: Record, stage: Path) -> dict[str, Path]:
    """Files that are made here: the record, and am.mvn where it stood in the network."""
    made = stage / "made"
    with storage(stage):
        made.mkdir()
        write_record(record, made / FILE)
        files = {FILE: made / FILE}
        if layout.cmvn is not None:
            write_cmvn(layout.cmvn, made / "am.mvn")
            files["am.mvn"] = made / "am.mvn"
    return files


def _heard_once(folder: Path, manifest: Manifest) -> None:
    """Load what was published and hear one second of sound with it. Raises as loading and hearing do."""
    if read_record(folder).kind == "vosk":
        return  # rehearsed in a child process already: Vosk does not only throw
    with ExitStack() as stack:

        def run_of(file: str) -> Run:
            backend = stack.enter_context(OnnxRuntimeBackend(manifest.network(file), folder / file, threads=1))
            return lambda inputs, /, *, deadline=None: backend.infer(inputs)

        ear = recogniser(folder, manifest, run_of)
        at = np.arange(RATE) / RATE
        buzz = sum(np.sin(2 * np.pi * 125 * pitch * at) / pitch for pitch in range(1, 20)) / 8
        heard = ear.transcribe(Audio(np.asarray(buzz, np.float32), RATE), (Segment(0.0, 1.0),))
    if not 0 <= heard.confidence <= 1:
        raise ModelMismatch(f"{manifest.name}: expected a confidence from 0 to 1, got {heard.confidence}")


def _name_of(place: Path) -> str:
    """A model's name by where it lies."""
    whole = place.resolve()
    name = (whole.parent if whole.suffix == ".onnx" else whole).name.lower()
    for suffix in SUFFIXES if whole.is_file() else ():
        name = name.removesuffix(suffix)
    return re.sub(r"[^a-z0-9._-]+", "-", name).strip("-._")[:64]
