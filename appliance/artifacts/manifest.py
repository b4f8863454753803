"""A model's manifest: names, licence, files with hashes and sources, and what its networks look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.artifacts.cases import Case, load_cases
from appliance.artifacts.digest import digest_of
from appliance.artifacts.network import read_network
from appliance.artifacts.schema import Section, is_safe
from appliance.artifacts.sources import Source, read_source
from appliance.errors import ManifestInvalid
from appliance.specs import ModelSpec

KINDS = ("ocr", "vad", "asr", "language")
INSTALLS = ("default", "optional", "manual")


@dataclass(frozen=True, slots=True)
class Archive:
    """How a zip is unpacked; its content takes the zip's place in the store."""

    root: str
    """Folder inside the zip whose content becomes the model's folder."""
    files: int
    """Most files that it may hold (against zip bombs)."""
    bytes: int
    """Most bytes that it may unpack to (against zip bombs)."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """Another precision of a network's file, made where it is installed."""

    precision: str
    """`fp16` or `int8`."""
    recipe: str
    """How it is made, for example `dynamic` (see `inference.quantise`)."""
    backend: str
    """The backend that prefers it to the file itself, for example `onnxruntime-cpu`."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A network whose file is not fetched, but made of one that is, where the model is installed."""

    of: str
    """The model's file that it is made of."""
    recipe: str
    """How it is made, for example `topk` (see `inference.arrive`)."""
    classes: int
    """Classes that the network of that file tells apart."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a model."""

    path: str
    """Path in the model's folder; for an archive its file name."""
    sha256: str
    """64 lower-case hexadecimal digits."""
    size: int
    """Bytes."""
    sources: tuple[Source, ...]
    """Where to get it, tried in order."""
    archive: Archive | None = None
    """How to unpack it; None for a file that is kept as it is."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that manifest.yaml says of a model."""

    name: str
    """Folder name, for example `pp-ocrv6-small`."""
    title_zh: str
    """Chinese title."""
    title_en: str
    """English title."""
    kind: str
    """`ocr`, `vad`, `asr` or `language`."""
    install: str
    """`default` (`pull` installs it or fails), `optional` (`pull` tries it) or `manual` (only when named)."""
    licence: str
    """SPDX name of the weights' licence."""
    attribution: str
    """Whose work it is, as the licence wants it said."""
    page: str
    """Page of the source."""
    files: tuple[FileEntry, ...]
    """Its files."""
    networks: Mapping[str, ModelSpec]
    """File path to the spec of the network in it."""
    prepared: Mapping[str, Prepared]
    """File path of each network that is made of one of the files, in place of being one, to how."""
    derived: Mapping[str, tuple[Derivation, ...]]
    """File path to what is made of the network in it."""
    home: Path
    """Folder of manifest.yaml, card.md and cases/."""

    @property
    def default(self) -> bool:
        """True when `pull` without names must install it."""
        return self.install == "default"

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that change with any file: the store's folder name, and `name@digest` in reports."""
        return digest_of({entry.path: entry.sha256 for entry in self.files})

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(entry.size for entry in self.files)

    def file(self, path: str) -> FileEntry:
        """The entry of `path`. Raises ManifestInvalid when the model has no such file."""
        for entry in self.files:
            if entry.path == path:
                return entry
        known = ", ".join(entry.path for entry in self.files)
        raise ManifestInvalid(f"{self.name}: expected one of its files {known}; got {path}")

    def network(self, path: str) -> ModelSpec:
        """The spec of the network in `path`. Raises ManifestInvalid when there is none."""
        if path not in self.networks:
            raise ManifestInvalid(f"{self.name}: expected a network of {', '.join(self.networks)}; got {path}")
        return self.networks[path]

    def cases(self) -> tuple[Case, ...]:
        """Its recorded inputs with truth, read from cases/cases.json."""
        return load_cases(self.home / "cases")


def load_manifest(path: Path) -> Manifest:
    """Read manifest.yaml at `path`. Raises ManifestInvalid naming file and key for anything unknown or malformed."""
    top = Section(_yaml(path), path)
    name = top.text("name")
    if name != path.parent.name:
        raise top.invalid("name", f"expected the folder's name {path.parent.name}, got {name}")
    title = top.section("title")
    files = tuple(_file(section) for section in top.sections("files"))
    paths = [entry.path for entry in files]
    if len(set(paths)) != len(paths):
        raise top.invalid("files", f"expected every path once, got {', '.join(sorted(paths))}")
    archives = [entry for entry in files if entry.archive]
    if archives and len(files) > 1:
        raise top.invalid("files", "expected an archive to be a model's only file")
    manifest = Manifest(
        name=name,
        title_zh=title.text("zh"),
        title_en=title.text("en"),
        kind=top.text("kind", KINDS),
        install=top.text("install", INSTALLS),
        licence=top.text("licence"),
        attribution=top.text("attribution"),
        page=top.text("page"),
        files=files,
        prepared=_prepared(top, paths) if "networks" in top else {},
        derived=_derived(top) if "networks" in top else {},
        networks=_networks(top, name, paths) if "networks" in top else {},
        home=path.parent,
    )
    title.done()
    top.done()
    return manifest


def load_manifests(root: Path) -> dict[str, Manifest]:
    """All manifests in the folders of `root` by name, in order of name. Raises ManifestInvalid."""
    if not root.is_dir():
        raise ManifestInvalid(f"{root}: expected a folder of models, found none")
    manifests = [load_manifest(path) for path in sorted(root.glob("*/manifest.yaml"))]
    return {manifest.name: manifest for manifest in manifests}


def shipped_root() -> Path:
    """Folder of the manifests that came with this code: inside the installed package, else beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "models"
    return installed if installed.is_dir() else package.parent / "models"


def _yaml(path: Path) -> object:
    import yaml  # lazy: only manifests are YAML here

    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ManifestInvalid(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ManifestInvalid(f"{path}: expected YAML, got {' '.join(str(error).split())}") from error


def _file(section: Section) -> FileEntry:
    archive = None
    if "archive" in section:
        inner = section.section("archive")
        archive = Archive(inner.path("root"), inner.whole("files"), inner.whole("bytes"))
        inner.done()
    entry = FileEntry(
        path=section.path("path"),
        sha256=section.sha256("sha256"),
        size=section.whole("size", 0),
        sources=tuple(read_source(source) for source in section.sections("sources")),
        archive=archive,
    )
    section.done()
    return entry


def _networks(top: Section, name: str, paths: list[str]) -> dict[str, ModelSpec]:
    section = top.section("networks")
    for path in section.names():
        if path not in paths and "prepared" not in section.section(path):
            raise section.invalid(path, f"expected one of the files {', '.join(paths)}, or a key `prepared`")
    return {path: read_network(section.section(path), f"{name}/{Path(path).stem}") for path in section.names()}


def _prepared(top: Section, paths: list[str]) -> dict[str, Prepared]:
    networks = top.section("networks")
    found = {}
    for path in networks.names():
        network = networks.section(path)
        if "prepared" in network:
            if path in paths or not is_safe(path) or "/" in path or not path.endswith(".onnx"):
                raise networks.invalid(path, "expected a new file name that ends in .onnx")
            section = network.section("prepared")
            found[path] = Prepared(section.text("of", tuple(paths)), section.text("recipe"), section.whole("classes"))
            section.done()
    return found


def _derived(top: Section) -> dict[str, tuple[Derivation, ...]]:
    networks = top.section("networks")
    found = {}
    for path in networks.names():
        network = networks.section(path)
        if "derived" in network:
            found[path] = tuple(_derivation(section) for section in network.sections("derived"))
    return found


def _derivation(section: Section) -> Derivation:
    made = Derivation(section.text("precision", ("fp16", "int8")), section.text("recipe"), section.text("backend"))
    section.done()
    return made
