"""Seals: what this installation made is told from what came from elsewhere, even when its hash was brought with it.

An engine is code: whoever deserialises a hostile one runs it. A hash that lies beside a file proves only that the two
came together. A seal is made with a secret that never leaves this installation, so that none can be brought.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from appliance.artifacts.disk import sync
from appliance.artifacts.staging import staged, write
from appliance.errors import StorageFailed

SECRET = ".seal"  # noqa: S105 - the name of the file, not what it holds
"""File in a store that holds its secret, readable by its owner only."""
LENGTH = 32
"""Bytes of a secret."""


class Seal:
    """HMAC-SHA256 with the secret of the store at `root`. The constructor touches nothing, and no error tells a secret
    or the seal that would have been right."""

    def __init__(self, root: Path) -> None:
        """Use the secret in `root`, whenever there is one."""
        self._root = root

    def make(self) -> None:
        """Make the secret unless there is one, on the disk before it is used. The caller holds `exclusive(root)`.

        Without the old one everything that it sealed is foreign. Raises StorageFailed.
        """
        if self._secret() is not None:
            return
        with staged(self._root) as stage:
            write(stage / SECRET, secrets.token_bytes(LENGTH), mode=0o600)
            (stage / SECRET).replace(self._root / SECRET)
            sync(self._root)

    def of(self, purpose: str, content: bytes) -> str:
        """The seal of `content`, 64 hexadecimal digits; one for another purpose is another.

        Raises StorageFailed without a secret that this user may read.
        """
        secret = self._secret()
        if secret is None:
            raise StorageFailed(f"{self._root / SECRET}: expected the secret of this installation, found none")
        return _seal(secret, purpose, content)

    def fits(self, purpose: str, content: bytes, seal: object) -> bool:
        """True when `seal` is that of `content` for `purpose`; without a secret none is.

        Raises StorageFailed when there is a secret that this user may not read: nothing is known then.
        """
        secret = self._secret()
        if secret is None or not isinstance(seal, str):
            return False
        right = _seal(secret, purpose, content)
        return hmac.compare_digest(right.encode(), seal.encode("utf-8", "replace"))

    def _secret(self) -> bytes | None:
        """None when there is none, or one cut short, which was never used."""
        path = self._root / SECRET
        try:
            with path.open("rb") as file:
                secret = file.read(LENGTH + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StorageFailed(
                f"{path}: expected the secret of this installation, got {error.strerror}",
                remedy=(
                    f"请用拥有 {path} 的用户运行，或删除它后重新编译所有引擎",
                    f"Run as the user who owns {path}, or delete it and build every engine again",
                ),
            ) from error
        return secret if len(secret) == LENGTH else None


def _seal(secret: bytes, purpose: str, content: bytes) -> str:
    return hmac.new(secret, purpose.encode() + b"\0" + content, hashlib.sha256).hexdigest()
