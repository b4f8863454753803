"""A desk with keys, small bundles, and an appliance's folder that trusts them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.artifacts.disk import exclusive
from appliance.bundles.admit import Here
from appliance.bundles.choose import choose, commit
from appliance.bundles.contents import MANIFEST, SIGNATURES, Contents, Entry, written
from appliance.bundles.folder import Signed
from appliance.bundles.install import install
from appliance.bundles.keys import Public, Trust, raw_public
from appliance.bundles.signing import signed
from appliance.bundles.tape import END, header, padding

NOW = datetime(2026, 12, 1, tzinfo=timezone.utc)
HERE = Here("orin-nano", "0.1.0", 1)
MOST = 1 << 30


def member(path: str, content: bytes) -> bytes:
    return header(path, len(content)) + content + padding(len(content))


def proves(_folder: Path, _signed: Signed) -> None:
    """What a bundle's models and pack have to pass is the app's business."""


@dataclass
class Desk:
    """Where bundles are made."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    other: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def public(self, key: Ed25519PrivateKey | None = None, *roles: str, **more: Any) -> Public:
        return Public(raw_public(key or self.key), roles or ("bundle", "keys"), "the desk", **more)

    def contents(self, version: int, files: dict[str, bytes], **more: Any) -> Contents:
        entries = tuple(Entry(path, len(files[path]), sha256(files[path]).hexdigest()) for path in sorted(files))
        return Contents(version, f"Menu {version}", more.pop("created", NOW), entries, **more)

    def manifest(self, version: int, files: dict[str, bytes] | None = None, **more: Any) -> bytes:
        return written(self.contents(version, self.files(version) if files is None else files, **more))

    @staticmethod
    def files(version: int) -> dict[str, bytes]:
        return {"pack/pack.yaml": b"title: %d\n" % version, "pack/faq.csv": b"id\n" * 700, "settings.yaml": b"{}\n"}

    def heads(self, manifest: bytes, *keys: Ed25519PrivateKey) -> bytes:
        """Manifest and signatures as they stand in a bundle's file."""
        content: bytes | None = None
        for key in keys or (self.key,):
            content = signed(manifest, content, key)
        assert content is not None
        return member(MANIFEST, manifest) + member(SIGNATURES, content)

    def bundle(
        self, version: int, *keys: Ed25519PrivateKey, files: dict[str, bytes] | None = None, **more: Any
    ) -> bytes:
        files = self.files(version) if files is None else files
        body = b"".join(member(path, files[path]) for path in sorted(files))
        return self.heads(self.manifest(version, files, **more), *keys) + body + END


@pytest.fixture
def desk() -> Desk:
    return Desk()


@dataclass
class Board:
    """An appliance's folder of bundles."""

    root: Path
    desk: Desk

    def install(self, content: bytes, here: Here = HERE, now: datetime = NOW, **more: Any) -> str:
        given = {"most": MOST, "prove": proves} | more
        return install(self.root, io.BytesIO(content), here, now, **given).id

    def serve(self, content: bytes, **more: Any) -> str:
        """Install it and let it prove itself."""
        name = self.install(content, **more)
        chosen = choose(self.root)
        assert chosen is not None
        assert (chosen.id, chosen.trial) == (name, True)
        commit(self.root, name)
        return name

    def trust(self, key: Public) -> None:
        with exclusive(self.root):
            Trust(self.root).add(key)


@pytest.fixture
def board(tmp_path: Path, desk: Desk) -> Board:
    made = Board(tmp_path / "bundles", desk)
    made.trust(desk.public())
    return made
