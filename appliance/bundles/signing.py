"""Signatures of a bundle: which trusted keys have signed the exact bytes of its manifest.

What is signed is a fixed word, NUL, and the manifest: a signature made for anything else is none of a bundle.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from appliance.bundles.contents import SIGNATURES, Change, Contents, parsed
from appliance.bundles.keys import Public, key_id, raw_public
from appliance.bundles.moments import stamp
from appliance.errors import BundleRefused, BundleUntrusted

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DOMAIN = b"appliance-bundle-v1\0"
SIGNATURES_BYTES = 8 << 10
KEY_ID = re.compile(r"[0-9a-f]{16}")
MOST = 8
"""Most signatures of one bundle."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature, not yet verified."""

    key: str
    """Id of the key that it is said to be of."""
    value: bytes
    """Its 64 bytes."""


def signed(manifest: bytes, before: bytes | None, key: Ed25519PrivateKey) -> bytes:
    """The signatures' file with that of `key` added to those in `before`, in place of its old one."""
    name = key_id(raw_public(key))
    kept = [one for one in signatures(before) if one.key != name] if before is not None else []
    made = [*kept, Signature(name, key.sign(DOMAIN + manifest))]
    if len(made) > MOST:
        raise BundleRefused(f"{SIGNATURES}: expected at most {MOST} signatures, got {len(made)}")
    rows = [{"key": one.key, "ed25519": base64.b64encode(one.value).decode("ascii")} for one in made]
    return (json.dumps({"signatures": rows}, indent=1) + "\n").encode("ascii")


def signatures(content: bytes) -> tuple[Signature, ...]:
    """The signatures in the file with this content. Raises BundleRefused for anything else."""
    top = parsed(content, SIGNATURES)
    rows = top.get("signatures") if isinstance(top, Mapping) and set(top) == {"signatures"} else None
    if not isinstance(rows, list) or len(rows) > MOST:
        raise BundleRefused(f"{SIGNATURES}: expected a list `signatures` of at most {MOST}, got something else")
    found: dict[str, Signature] = {}
    for row in rows:
        one = _signature(row)
        if one is None or one.key in found:
            raise BundleRefused(f"{SIGNATURES}: expected a key's id and 64 bytes in base64, each key once, got {row!r}")
        found[one.key] = one
    return tuple(found.values())


def _signature(row: object) -> Signature | None:
    if not isinstance(row, Mapping) or set(row) != {"key", "ed25519"}:
        return None
    key, value = row["key"], row["ed25519"]
    if not isinstance(key, str) or not KEY_ID.fullmatch(key) or not isinstance(value, str) or not value.isascii():
        return None
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Signature(key, raw) if len(raw) == 64 else None


def signers(manifest: bytes, content: bytes, known: Mapping[str, Public], now: datetime | None) -> tuple[Public, ...]:
    """The trusted keys that have signed `manifest`, at least one, by the signatures in `content`.

    At the time `now`, when something comes in: a key that was revoked or has ended does not count. With None, for what
    serves already, it does. Raises BundleUntrusted when none is left, or one of a known key is wrong.
    """
    good, found = [], []
    for one in signatures(content):
        key = known.get(one.key)
        if key is None:
            found.append(f"{one.key} (not trusted here)")
            continue
        if not key.verifies(one.value, DOMAIN + manifest):
            raise BundleUntrusted(f"signature by {one.key} ({key.title}): expected that of this manifest, got another")
        if now is not None and key.revoked:
            found.append(f"{one.key} (revoked)")
        elif now is not None and key.not_after is not None and now > key.not_after:
            found.append(f"{one.key} (ended {stamp(key.not_after)}, it is {stamp(now)} here)")
        else:
            good.append(key)
    if not good:
        raise BundleUntrusted(
            f"signatures: expected one by a key that is trusted here ({', '.join(known) or 'there is none'}), "
            f"got {', '.join(found) or 'none'}"
        )
    return tuple(good)


def changed(known: Mapping[str, Public], change: Change) -> dict[str, Public]:
    """The keys as they are after `change`: what was revoked here stays so, and may not be added."""
    after = dict(known)
    for key in change.add:
        if key.id not in known or not known[key.id].revoked:
            after[key.id] = key
    for name in change.revoke:
        if name in known:
            after[name] = replace(known[name], revoked=True)
    return after


def check_roles(
    contents: Contents,
    by: tuple[Public, ...],
    threshold: int,
    *,
    older: bool,
    known: Mapping[str, Public],
    now: datetime,
) -> None:
    """Raise BundleUntrusted unless those who signed may sign what `contents` does; `older`: it replaces a newer one.

    A change of the keys `known` here has to leave `threshold` of role `keys` and one of role `bundle` that count at the
    time `now`, or no bundle could ever change them again.
    """
    if not any("bundle" in key.roles for key in by):
        raise BundleUntrusted(f"signatures: expected one of role `bundle`, got {_said(by)}")
    changing = [key for key in by if "keys" in key.roles]
    if contents.keys and len(changing) < threshold:
        raise BundleUntrusted(
            f"keys: expected {threshold} signatures of role `keys` for a change of keys, got {len(changing)}"
        )
    held = {role for key in by for role in key.roles}
    for key in contents.keys.add:
        if more := sorted(set(key.roles) - held):
            raise BundleUntrusted(
                f"keys.add: expected roles that those who signed have, got {more[0]} for {key.id} ({key.title}) "
                f"by {_said(by)}"
            )
    after = changed(known, contents.keys).values()
    live = [key for key in after if not key.revoked and (key.not_after is None or now <= key.not_after)]
    for role, least in (("keys", threshold), ("bundle", 1)):
        left = sum(role in key.roles for key in live)
        if contents.keys and left < least:
            raise BundleUntrusted(
                f"keys: expected {least} of role `{role}` to be left, neither revoked nor ended, got {left}",
                remedy=(
                    "请同时用 `--add-key` 加入新密钥，或保留现有密钥",
                    "Add a new key along with it (`--add-key`), or leave one that is there",
                ),
            )
    if older and not any("downgrade" in key.roles for key in by):
        raise BundleUntrusted(
            f"signatures: expected one of role `downgrade`, which lets an older version in, got {_said(by)}"
        )


def _said(by: tuple[Public, ...]) -> str:
    return "; ".join(f"{key.id} ({', '.join(key.roles) or 'no role'})" for key in by)
