"""Token lists of every kind, and phrases spelt with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.errors import ModelCorrupt, ModelMissing
from appliance.speech.ctc.tokens import Speller, Tokens, read_tokens


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder / name


def test_tokens_txt(tmp_path: Path) -> None:
    found = read_tokens(write(tmp_path, "tokens.txt", "<blk> 0\n▁A 2\n你 1\n  3\n"))
    assert found == Tokens(("<blk>", "你", "▁A", " "), 0)


def test_tokens_txt_with_carriage_returns_and_tabs(tmp_path: Path) -> None:
    assert read_tokens(write(tmp_path, "tokens.txt", "a\t0\r\n<pad>\t1\r\n")) == Tokens(("a", "<pad>"), 1)


def test_tokens_json_and_vocab_json(tmp_path: Path) -> None:
    assert read_tokens(write(tmp_path, "tokens.json", '["<unk>", "你"]')) == Tokens(("<unk>", "你"), 0)
    path = write(tmp_path, "vocab.json", json.dumps({"|": 1, "[PAD]": 2, "e": 0}))
    assert read_tokens(path) == Tokens(("e", "|", "[PAD]"), 2)


def piece(text: str, kind: int = 1) -> bytes:
    inside = b"\x0a" + bytes([len(text.encode())]) + text.encode() + b"\x15\x00\x00\x80\xbf\x18" + bytes([kind])
    return b"\x0a" + bytes([len(inside)]) + inside


def test_sentencepiece(tmp_path: Path) -> None:
    path = tmp_path / "x.bpe.model"
    path.write_bytes(piece("<unk>", 2) + piece("▁the") + piece("你") + b"\x12\x02\x18\x01")
    assert read_tokens(path).texts == ("<unk>", "▁the", "你")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelCorrupt, match=r"x\.bpe\.model"):
        read_tokens(path)


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("tokens.txt", "a 0\nb 2\n", "expected numbers from 0 to 1, got none with 1"),
        ("tokens.txt", "a 0\nb 0\n", "expected every number once"),
        ("tokens.txt", "a 0\nb x\n", "line 2: expected `token number`"),
        ("tokens.txt", "", "expected 2 to"),
        ("tokens.json", "{", "expected UTF-8 text or JSON"),
        ("tokens.json", "[1, 2]", "expected a list of texts"),
        ("vocab.json", '{"a": true, "b": 1}', "expected a list of texts"),
        ("vocab.json", '{"a": -1, "b": 0}', "expected every number once, from 0"),
        ("tokens.json", "[" * 100_000, "JSON"),
    ],
)
def test_broken(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(ModelCorrupt) as refused:
        read_tokens(write(tmp_path, name, text))
    assert said in refused.value.detail


def test_not_text_or_missing(tmp_path: Path) -> None:
    (tmp_path / "tokens.txt").write_bytes(b"\xff\xfe a 0\n")
    with pytest.raises(ModelCorrupt, match="UTF-8"):
        read_tokens(tmp_path / "tokens.txt")
    with pytest.raises(ModelMissing):
        read_tokens(tmp_path / "vocab.json")


def test_what_is_text() -> None:
    tokens = Tokens(("<unk>", "<s>", "你", "<|zh|>", "<0xE4>", "[UNK]", "|", "▁", "<", "[", "<space>"), 0)
    assert [n for n in range(len(tokens)) if tokens.is_text(n)] == [2, 4, 6, 7, 8, 9, 10]
    assert [n for n in range(len(tokens)) if tokens.is_tag(n)] == [3]


@pytest.mark.parametrize(
    "texts, phrase, spelt",
    [
        (("_", "你", "好", "你好"), "你好", (3,)),
        (("_", "你", "好"), "你 好", (1, 2)),
        (("_", "你", "好", "|"), "你 好", (1, 3, 2)),
        (("_", "H", "I", "|"), "hi hi", (1, 2, 3, 1, 2)),
        (("_", "▁i", "▁", "i", "phone", "▁iphone", "十"), "iPhone", (5,)),
        (("_", "▁i", "▁", "i", "phone", "十"), "iPhone 十", (1, 4, 2, 5)),
        (("_", "▁", "十", "五"), "十五", (2, 3)),
        (("_", "▁Wi", "-", "Fi", "fi"), "Wi-Fi", (1, 2, 3)),
        (("_", "你"), "你们", ()),
        (("_", "你"), "  ", ()),
    ],
)
def test_spelling(texts: tuple[str, ...], phrase: str, spelt: tuple[int, ...]) -> None:
    assert Speller(Tokens(texts, 0)).spell(phrase) == spelt
