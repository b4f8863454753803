"""What a passphrase seals opens with it alone, whole and unchanged."""

from __future__ import annotations

import json
from io import BytesIO

import pytest

from appliance.errors import InvalidInput
from appliance.support.sealed import MAGIC, seal, unseal

WORDS = "correct horse battery"
CHEAP = 1 << 14


def sealed(content: bytes) -> bytes:
    out = BytesIO()
    seal(BytesIO(content), out, WORDS, cost=CHEAP)
    return out.getvalue()


def opened(content: bytes, words: str = WORDS) -> bytes:
    out = BytesIO()
    unseal(BytesIO(content), out, words)
    return out.getvalue()


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (2 << 20) + 5])
def test_it_comes_back_at_every_size(size: int) -> None:
    content = b"ab" * (size // 2 + 1)
    content = content[:size]
    made = sealed(content)
    assert b"abababababababab" not in made
    assert opened(made) == content


def test_another_passphrase_does_not_open_it_and_a_short_one_does_not_seal() -> None:
    with pytest.raises(InvalidInput, match="expected its passphrase"):
        opened(sealed(b"x"), WORDS + "!")
    with pytest.raises(InvalidInput, match="at least"):
        seal(BytesIO(b"x"), BytesIO(), "short")


def test_cut_changed_and_exchanged_pieces_are_refused() -> None:
    made = sealed(b"z" * (3 << 20))
    head = made.index(b"\n", len(MAGIC)) + 1
    piece = (1 << 20) + 16
    first, second = made[head : head + piece], made[head + piece : head + 2 * piece]
    wrong = (
        made[:-1],
        made[: head + piece],
        made[: head + 2 * piece],
        made[: head + 5] + b"\1" + made[head + 6 :],
        made[:-40] + b"\1" + made[-39:],
        made[:head] + second + first + made[head + 2 * piece :],
        made.replace(b'"kdf"', b'"KDF"', 1),
        made + b"more",
    )
    for content in wrong:
        with pytest.raises(InvalidInput):
            opened(content)


def header(**fields: object) -> bytes:
    usual = {"format": 1, "kdf": "scrypt", "n": CHEAP, "salt": "00" * 16, "prefix": "00" * 7}
    return MAGIC + json.dumps(usual | fields).encode() + b"\n" + b"x" * 100


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\3\4 a zip",
        MAGIC,
        MAGIC + b"{}\n",
        header(n=1 << 30),
        header(n=3),
        header(n=2),
        header(salt="00"),
        header(prefix="zz" * 7),
        header(format="one"),
    ],
)
def test_what_is_no_backup_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput, match="backup: expected"):
        opened(content)


def test_a_newer_format_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="newer appliance"):
        opened(header(format=2))
