"""Keys: ed25519 pairs of whoever makes bundles, and the public ones that an appliance trusts, each with its roles.

A private key stays on a desk, in a file encrypted with a passphrase. What an appliance trusts is one small file for
each key. A key that was revoked stays known as such: what it signed before goes on being served, nothing new comes in.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance.artifacts.disk import storage, sync
from appliance.artifacts.staging import staged, write
from appliance.bundles.moments import moment_of, stamp
from appliance.errors import InvalidInput

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROLES = ("bundle", "keys", "downgrade")
"""What a key may do: sign bundles, sign changes of keys, allow an older version in."""
FOLDER = "keys"
"""Folder of the trusted keys, in that of the bundles."""
_ID_DOMAIN = b"appliance-bundle-key-v1\0"


def key_id(raw: bytes) -> str:
    """What a public key is called: 16 hexadecimal digits. It finds the key; the whole key verifies."""
    return hashlib.sha256(_ID_DOMAIN + raw).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Public:
    """A public key with what it may do."""

    raw: bytes
    """Its 32 bytes."""
    roles: tuple[str, ...]
    """Some of `ROLES`."""
    title: str
    """Whose it is, for people."""
    not_after: datetime | None = None
    """When nothing more may be signed with it; None: never."""
    revoked: bool = False
    """True when nothing new may come in by it."""

    @property
    def id(self) -> str:
        """See `key_id`."""
        return key_id(self.raw)

    def to_json(self) -> dict[str, Any]:
        """As manifests and the trusted keys' files have it."""
        made: dict[str, Any] = {
            "key": base64.b64encode(self.raw).decode("ascii"),
            "roles": list(self.roles),
            "title": self.title,
        }
        return made | ({"not_after": stamp(self.not_after)} if self.not_after is not None else {})

    @staticmethod
    def raw_of(text: object) -> bytes | None:
        """32 bytes out of their base64; None for anything else."""
        if not isinstance(text, str) or not text.isascii():
            return None
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return None
        return raw if len(raw) == 32 else None

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """True when `signature` is this key's of `message`."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Trust:
    """The keys that the appliance with the bundles at `root` knows. The constructor touches nothing."""

    def __init__(self, root: Path) -> None:
        """Keep one file for each key in `root`/keys."""
        self._root = root
        self.folder = root / FOLDER

    def keys(self) -> dict[str, Public]:
        """Every key by its id, revoked ones too. One whose file is damaged is not there."""
        found = {}
        for path in sorted(self.folder.glob("*.json")):
            key = _read(path)
            if key is not None and key.id == path.stem:
                found[key.id] = key
        return found

    def damaged(self) -> tuple[Path, ...]:
        """Files in the folder that are no key of their name."""
        known = self.keys()
        return tuple(path for path in sorted(self.folder.glob("*.json")) if path.stem not in known)

    def add(self, key: Public) -> None:
        """Trust `key` from now on, with these roles. The caller holds `exclusive(root)`. Raises StorageFailed."""
        content = json.dumps(key.to_json() | {"revoked": key.revoked}, ensure_ascii=False, indent=1) + "\n"
        with staged(self._root) as stage:
            write(stage / "key", content.encode("utf-8"))
            self.folder.mkdir(exist_ok=True)
            (stage / "key").replace(self.folder / f"{key.id}.json")
            sync(self.folder)
            sync(self._root)

    def revoke(self, name: str) -> None:
        """Let nothing new in by the key called `name`. As `add`; raises InvalidInput for one that is not known."""
        known = self.keys()
        if name not in known:
            listed = ", ".join(known) or "none"
            raise InvalidInput(
                f"key: expected one of {listed}, got {name}",
                remedy=("密钥见 `appliance bundle key list`", "See `appliance bundle key list`"),
            )
        self.add(replace(known[name], revoked=True))


def _read(path: Path) -> Public | None:
    try:
        with path.open("rb") as file:
            row = json.loads(file.read(1 << 16))
        raw, ends = Public.raw_of(row["key"]), row.get("not_after")
        moment = moment_of(ends) if ends is not None else None
        roles = tuple(role for role in ROLES if role in row["roles"])
        if raw is None or not isinstance(row["revoked"], bool) or (ends is not None and moment is None):
            return None  # without its end it would be trusted for longer than was said
        return Public(raw, roles, str(row["title"]), moment, row["revoked"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def generate(path: Path, passphrase: bytes) -> bytes:
    """Make a new pair: the private key encrypted at `path`, the public one beside it as `path`.pub; its raw bytes.

    Raises InvalidInput when there is a file already or no passphrase, StorageFailed.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not passphrase:
        raise InvalidInput(
            "passphrase: expected one, got none: a private key is never kept in the open",
            remedy=("请输入口令，或用 --passphrase-file", "Type one, or give --passphrase-file"),
        )
    beside = public_path(path)
    for place in (path, beside):
        if place.exists():
            raise InvalidInput(
                f"{place}: expected no file, found one",
                remedy=("请另选文件名，旧密钥不会被覆盖", "Choose another name: no key is ever overwritten"),
            )
    key = Ed25519PrivateKey.generate()
    locked = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(passphrase))
    shown = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    with storage(path):
        write(path, locked, mode=0o600)
        write(beside, shown)
    return raw_public(key)


def public_path(path: Path) -> Path:
    """Where the public key lies that belongs to the private one at `path`."""
    return path.with_name(f"{path.name}.pub")


def raw_public(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of the public key of a pair."""
    from cryptography.hazmat.primitives import serialization as form

    return key.public_key().public_bytes(form.Encoding.Raw, form.PublicFormat.Raw)


def load_private(path: Path, passphrase: bytes) -> Ed25519PrivateKey:
    """The private key in the PEM file at `path`. Raises InvalidInput, StorageFailed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    with storage(path):
        content = path.read_bytes()
    try:
        key = load_pem_private_key(content, passphrase or None)
    except (ValueError, TypeError) as error:  # neither says more than that it was one of the two
        raise InvalidInput(
            f"{path}: expected an ed25519 private key and its passphrase, got a wrong one or another file",
            remedy=("请检查文件和口令", "Check the file and the passphrase"),
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(f"{path}: expected an ed25519 key, got {type(key).__name__}")
    return key


def load_public(path: Path) -> bytes:
    """The 32 bytes of the public key in the PEM file at `path`. Raises InvalidInput, StorageFailed."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    with storage(path):
        content = path.read_bytes()
    try:
        key = form.load_pem_public_key(content)
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError(type(key).__name__)
    except ValueError as error:
        raise InvalidInput(
            f"{path}: expected an ed25519 public key in PEM, got another file",
            remedy=(
                "请给出 `appliance bundle key new` 生成的 .pub 文件",
                "Give the .pub file that `appliance bundle key new` made",
            ),
        ) from error
    return key.public_bytes(form.Encoding.Raw, form.PublicFormat.Raw)
