"""A file that only a passphrase opens: scrypt makes the key, AES-256-GCM seals piece after piece.

Each piece is bound to its place and the last one says that it is the last, so that a file which was cut, put together
anew or changed by one bit does not open (the STREAM construction). The header is sealed along with every piece.
"""

from __future__ import annotations

import json
import os
import struct
from typing import IO

from appliance.errors import InvalidInput

MAGIC = b"appliance backup\n"
FORMAT = 1
"""What this version writes and reads."""
LEAST_CHARACTERS = 10
"""Shortest passphrase: whoever finds the file may try for as long as they like."""
AGAIN = ("请核对文件，并从来源重新复制", "Check which file it is, and copy it again from its source")
"""What to do about a file that is no whole backup."""
_PIECE = 1 << 20
_TAG = 16
_COST, _LEAST_COST, _MOST_COST = 1 << 15, 1 << 14, 1 << 18
"""scrypt's N: 32 MB of memory, time not yet measured on hardware. A file may ask for another, but not for gigabytes."""
_LONGEST_HEADER = 4096


def check_passphrase(passphrase: str) -> None:
    """Raise InvalidInput for one that is too short."""
    if len(passphrase) < LEAST_CHARACTERS:
        raise InvalidInput(
            f"passphrase: expected at least {LEAST_CHARACTERS} characters, got {len(passphrase)}",
            remedy=(f"请使用至少 {LEAST_CHARACTERS} 个字符的口令", f"Use a passphrase of {LEAST_CHARACTERS} or more"),
        )


def seal(source: IO[bytes], target: IO[bytes], passphrase: str, *, cost: int = _COST) -> None:
    """Write what `source` holds into `target`, sealed. Raises OSError."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # lazy: no other command needs it

    check_passphrase(passphrase)
    salt, prefix = os.urandom(16), os.urandom(7)
    header = {"format": FORMAT, "kdf": "scrypt", "n": cost, "salt": salt.hex(), "prefix": prefix.hex()}
    head = MAGIC + json.dumps(header, sort_keys=True).encode("ascii") + b"\n"
    cipher = AESGCM(_key(passphrase, salt, cost))
    target.write(head)
    number, piece = 0, source.read(_PIECE)
    while True:
        following = source.read(_PIECE) if len(piece) == _PIECE else b""
        target.write(cipher.encrypt(_nonce(prefix, number, last=not following), piece, head))
        if not following:
            return
        number, piece = number + 1, following


def unseal(source: IO[bytes], target: IO[bytes], passphrase: str) -> None:
    """Write what is sealed in `source` into `target`; only when this returns is all of it true.

    Raises InvalidInput for a file that is no backup, of a newer version, cut or changed, and for a passphrase that does
    not open it; OSError.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    head, salt, prefix, cost = _header(source)
    cipher = AESGCM(_key(passphrase, salt, cost))
    number, piece = 0, source.read(_PIECE + _TAG)
    while True:
        following = source.read(_PIECE + _TAG) if len(piece) == _PIECE + _TAG else b""
        try:
            target.write(cipher.decrypt(_nonce(prefix, number, last=not following), piece, head))
        except InvalidTag as error:
            raise _refused(number) from error
        if not following:
            return
        number, piece = number + 1, following


def _refused(number: int) -> InvalidInput:
    if number == 0:  # a wrong passphrase and a changed first piece cannot be told apart
        return InvalidInput(
            "backup: expected its passphrase and an unchanged file, got another of either",
            remedy=(
                "请核对口令，或从来源重新复制该文件",
                "Check the passphrase, or copy the file again",
            ),
        )
    return InvalidInput(
        f"backup: expected a whole file, got one that is cut or changed behind {number} MiB",
        remedy=AGAIN,
    )


def _header(source: IO[bytes]) -> tuple[bytes, bytes, bytes, int]:
    magic = source.read(len(MAGIC))
    line = source.readline(_LONGEST_HEADER) if magic == MAGIC else b""
    try:
        header = json.loads(line)
        version = int(header["format"])
        if version > FORMAT:
            raise InvalidInput(
                f"backup: expected format {FORMAT}, got {version} of a newer appliance",
                remedy=("请先升级本机的 appliance", "Bring the appliance here up to that version first"),
            )
        salt, prefix, cost = bytes.fromhex(header["salt"]), bytes.fromhex(header["prefix"]), int(header["n"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            "backup: expected a file that `appliance backup` wrote, got another", remedy=AGAIN
        ) from error
    if len(salt) != 16 or len(prefix) != 7 or cost & (cost - 1) or not _LEAST_COST <= cost <= _MOST_COST:
        raise InvalidInput("backup: expected the header that `appliance backup` writes, got another", remedy=AGAIN)
    return MAGIC + line, salt, prefix, cost


def _key(passphrase: str, salt: bytes, cost: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(passphrase.encode("utf-8"))


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, last)
