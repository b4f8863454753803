"""The technician's PIN, which is kept nowhere: the settings hold its salted hash (scrypt), compared in constant time.

Six digits are a million PINs, which whoever has the hash can try on a computer of his own within a day or so. The hash
keeps the PIN from eyes, backups and logs; it is the lock-out that keeps it from who stands at the screen.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from itertools import pairwise

from appliance.errors import InvalidInput

LEAST, MOST = 6, 12
"""Digits of a PIN."""
PATTERN = rf"^[0-9]{{{LEAST},{MOST}}}$"

_LOG_COST = 15
"""Each try takes 2^15 rounds of scrypt and 32 MiB: some 0.1 s on a desk's core."""
_BLOCK, _LANES, _SALT, _LENGTH = 8, 1, 16, 32


def hashed(pin: str, *, salt: bytes | None = None) -> str:
    """The value of `service_pin` for `pin`. Raises InvalidInput for one that is no PIN, or that anybody would try."""
    if re.fullmatch(PATTERN[1:-1], pin) is None:
        raise InvalidInput(
            f"PIN: expected {LEAST} to {MOST} digits, got something else",
            remedy=(f"请输入 {LEAST} 至 {MOST} 位数字", f"Type {LEAST} to {MOST} digits"),
        )
    if obvious(pin):
        raise InvalidInput(
            "PIN: expected one that nobody guesses, got digits that are all alike or that count up or down",
            remedy=("请换一个不容易猜到的 PIN", "Choose another one"),
        )
    salt = secrets.token_bytes(_SALT) if salt is None else salt
    return f"scrypt:{_LOG_COST}:{_BLOCK}:{_LANES}:{salt.hex()}:{_derived(pin, salt, _LOG_COST).hex()}"


def matches(pin: str, kept: str) -> bool:
    """Whether `pin` is the one behind `kept`, a value that the settings have accepted; takes as long for any guess."""
    _, cost, _, _, salt, digest = kept.split(":")
    return hmac.compare_digest(_derived(pin, bytes.fromhex(salt), int(cost)), bytes.fromhex(digest))


def obvious(pin: str) -> bool:
    """True when all steps from digit to digit are the same: 000000, 123456, 987654."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return len(steps) == 1


def _derived(pin: str, salt: bytes, log_cost: int) -> bytes:
    cost = 1 << log_cost
    return hashlib.scrypt(
        pin.encode("ascii"), salt=salt, n=cost, r=_BLOCK, p=_LANES, maxmem=256 * _BLOCK * cost, dklen=_LENGTH
    )
