"""The table of frequent questions: what is read of it, and how each mistake in it is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from appliance.errors import PackInvalid
from appliance.language.faq import FaqRow
from appliance.packs.compile import load_pack, shipped_packs
from appliance.packs.faq import COLUMNS, FILE, load_faq
from appliance.packs.reader import read_csv

HEAD = ",".join(COLUMNS) + "\n"


def written(folder: Path, *lines: str, head: str = HEAD) -> Path:
    (folder / FILE).write_text(head + "".join(f"{line}\n" for line in lines), "utf-8")
    return folder


def test_a_row_has_its_words_in_both_languages_and_every_way_of_asking_once(tmp_path: Path) -> None:
    written(
        tmp_path,
        "parking,停车要钱吗,两小时免费。,Is parking free?,Two hours are.,停车收费不| 停车要钱吗 |停车收费不||泊车",
    )
    assert load_faq(tmp_path) == (
        FaqRow(
            "parking",
            {"zh": "停车要钱吗", "en": "Is parking free?"},
            {"zh": "两小时免费。", "en": "Two hours are."},
            ("停车要钱吗", "Is parking free?", "停车收费不", "泊车"),
        ),
    )


def test_what_has_no_english_is_said_in_chinese(tmp_path: Path) -> None:
    (row,) = load_faq(written(tmp_path, "wifi,有无线网吗,有。,,,"))
    assert row.question == {"zh": "有无线网吗", "en": "有无线网吗"}
    assert row.answer == {"zh": "有。", "en": "有。"}
    assert row.ways == ("有无线网吗",)


def test_a_pack_needs_no_questions(tmp_path: Path) -> None:
    assert load_faq(tmp_path) == ()
    assert load_faq(written(tmp_path)) == ()
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    assert load_faq(tmp_path) == ()


def test_columns_may_stand_in_any_order_beside_others(tmp_path: Path) -> None:
    head = ",".join(["note", *reversed(COLUMNS)]) + "\n"
    (row,) = load_faq(written(tmp_path, "mine,泊车,Two hours.,Parking?,两小时免费。,停车要钱吗,parking", head=head))
    assert (row.id, row.answer["en"], row.ways) == ("parking", "Two hours.", ("停车要钱吗", "Parking?", "泊车"))


@pytest.mark.parametrize("missing", COLUMNS[1:])
def test_a_missing_column_is_named(tmp_path: Path, missing: str) -> None:
    head = ",".join(name for name in COLUMNS if name != missing) + "\n"
    with pytest.raises(PackInvalid, match=rf"faq\.csv line 1: expected the columns id, .*got none named '{missing}'"):
        load_faq(written(tmp_path, "a,b,c,d,e", head=head))


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["a,,好。,,,"], r"faq\.csv row 1 \(a\): expected text under question_zh, got nothing"),
        (["a,甲,好。,,,", "b,乙,  ,Q?,A.,丙"], r"faq\.csv row 2 \(b\): expected text under answer_zh, got nothing"),
        ([",甲,好。,,,"], r"faq\.csv line 2: expected a id, got nothing"),
        (["a,甲,好。,,,", "a,乙,好。,,,"], r"faq\.csv line 3: expected every id once, got 'a' as in line 2"),
        (["a,甲,好。,,"], r"faq\.csv line 2: expected 6 columns, got 5"),
        (
            ["a,甲,好。,,,丙", "b,乙,好。,,,丁|丙"],
            r"row 2 \(b\): expected a question under one id, got '丙' under a too",
        ),
        (["a,甲,好。,Open?,,", "b,乙,好。,,,Open?"], r"row 2 \(b\): .*got 'Open\?' under a too"),
        (["a,甲,好。,,,乙", "b,乙,好。,,,"], r"row 2 \(b\): .*got '乙' under a too"),
    ],
)
def test_a_mistake_in_a_row_is_named_with_its_place(tmp_path: Path, lines: list[str], complaint: str) -> None:
    with pytest.raises(PackInvalid, match=complaint):
        load_faq(written(tmp_path, *lines))


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"")
    with pytest.raises(PackInvalid, match=r"faq\.csv: expected a header line, got an empty file"):
        load_faq(tmp_path)
    (tmp_path / FILE).write_bytes(HEAD.encode() + "a,甲,好,,,".encode("gb18030"))
    with pytest.raises(PackInvalid, match=r"faq\.csv: expected UTF-8 CSV"):
        load_faq(tmp_path)


def test_the_shipped_pack_has_all_its_rows_and_says_all_in_both_languages() -> None:
    folder = shipped_packs() / "store"
    rows = load_faq(folder)
    table = read_csv(folder / FILE, "id")
    assert [row.id for row in rows] == [line["id"] for line in table]
    assert len(rows) > 50
    for row, line in zip(rows, table, strict=True):
        assert row.answer == {"zh": line["answer_zh"], "en": line["answer_en"]}
        assert row.question == {"zh": line["question_zh"], "en": line["question_en"]}
        assert all([*row.question.values(), *row.answer.values()]), row.id
        assert {line["question_zh"], line["question_en"]} <= set(row.ways)
        assert len(row.ways) >= 5, row.id
    ways = [way for row in rows for way in row.ways]
    assert len(ways) == len(set(ways))


def test_a_pack_with_a_broken_table_does_not_load(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(shipped_packs() / "store", tmp_path / "store"))
    written(copy, "a,,好。,,,")
    with pytest.raises(PackInvalid, match=r"store/faq\.csv row 1 \(a\): expected text under question_zh"):
        load_pack(str(copy))
