from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import PackInvalid
from appliance.packs.reader import read_csv, read_yaml


def write(folder: Path, text: str | bytes, name: str = "file.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_values_know_their_place(tmp_path: Path) -> None:
    root = read_yaml(write(tmp_path, "a: x\nb:\n  - 1\n  - 2\nc: {zh: 好, en: good}\nd: true\ne: 0.5\n"))
    keys = root.mapping()
    assert keys["a"].text() == "x"
    assert keys["b"].texts() == ("1", "2")
    assert keys["b"].items()[1].line == 4
    assert keys["c"].localised().said_in("en") == "good"
    assert keys["c"].localised().said_in("zh") == "好"
    assert keys["d"].flag() is True
    assert keys["e"].number(0, 1) == 0.5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\na: 2\n", r"line 2 \(a\): expected every key once, got 'a' twice"),
        ("a: [1\n", r"file.yaml line 2: expected YAML"),
        ("", "expected keys with values, got an empty file"),
        (b"a: \xff\n", "expected UTF-8, got byte 0xff at 3"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    with pytest.raises(PackInvalid, match=complaint):
        read_yaml(write(tmp_path, text)).mapping()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackInvalid, match="none.yaml: expected a readable file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(PackInvalid, match="none.csv: expected a readable file"):
        read_csv(tmp_path / "none.csv")


def test_what_is_wrong_inside_is_named(tmp_path: Path) -> None:
    root = read_yaml(write(tmp_path, "a: [x, x]\nb: {}\nc: maybe\nd: 7\ne: ''\n"))
    keys = root.mapping()
    complaints = {
        r"line 1 \(a\): expected a mapping, got a list": lambda: keys["a"].mapping(),
        r"line 1 \(a\[1\]\): expected every entry once, got 'x' twice": lambda: keys["a"].texts(),
        r"line 1 \(a\): expected text, got a list": lambda: keys["a"].text(),
        r"line 2 \(b\): expected a list, got a mapping": lambda: keys["b"].items(),
        r"line 2 \(b\): expected key 'zh', got nothing": lambda: keys["b"].localised(),
        r"line 3 \(c\): expected true or false, got 'maybe'": lambda: keys["c"].flag(),
        r"line 3 \(c\): expected a number from 0 to 1, got 'maybe'": lambda: keys["c"].number(0, 1),
        r"line 4 \(d\): expected a number from 0 to 1, got 7": lambda: keys["d"].number(0, 1),
        r"line 5 \(e\): expected text, got nothing": lambda: keys["e"].text(),
        r"line 1 \(a\): expected one of b, c, got 'a'": lambda: root.mapping(("b", "c")),
    }
    for complaint, act in complaints.items():
        with pytest.raises(PackInvalid, match=complaint):
            act()


def test_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffid,name\n1, 牙膏 \n\n2,\n", "t.csv")
    assert [dict(row) for row in read_csv(path, "id")] == [{"id": "1", "name": "牙膏"}, {"id": "2", "name": ""}]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected a header line, got an empty file"),
        ("id,id\n", "line 1: expected distinct column names"),
        ("name\nx\n", "line 1: expected a column 'id'"),
        ("id,name\n1\n", "line 2: expected 2 columns, got 1"),
        ("id,name\n,x\n", "line 2: expected a id, got nothing"),
        ("id,name\n1,x\n1,y\n", "line 3: expected every id once, got '1' as in line 2"),
        (b"id\n\xff\n", "expected UTF-8 CSV"),
        ('id\n"1"x\n', "expected UTF-8 CSV"),
    ],
)
def test_a_broken_table_is_named(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    with pytest.raises(PackInvalid, match=complaint):
        read_csv(write(tmp_path, text, "t.csv"), "id")
