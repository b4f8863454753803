"""What networks learn from is the corpus or a user's folder, and never a test part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.train import corpus, material
from export.train.corpus import Corpus, Question
from export.train.material import Material
from export.train.sentences import DataInvalid, Sentence, Span


def write_rows(path: Path, *rows: object) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


@pytest.fixture
def extra(tmp_path: Path) -> Path:
    path = tmp_path / "extra.txt"
    path.write_text("ＷＩＦＩ密碼是多少\n\n   \n營業時間\n", "utf-8")
    return path


EXTRA = (Sentence("wifi密码是多少", spanned=False), Sentence("营业时间", spanned=False))


def test_a_corpus_is_taken_over_without_the_questions_that_are_held_back(extra: Path) -> None:
    train, dev, drawn = (Sentence(text, "greet") for text in ("早", "晚", "你好"))
    questions, held = (Question("a", "能退吗"),), (Question("a", "能不能退"),)
    found = material.of_corpus(Corpus((train,), (dev,), (drawn,), questions, held), [extra])
    assert found == Material((train, drawn, *EXTRA), (dev,), questions)
    assert "能不能退" not in found.texts


def test_more_text_is_cleaned_and_empty_lines_are_left_out(extra: Path) -> None:
    assert material.more([extra, extra]) == [*EXTRA, *EXTRA]
    assert material.more([]) == []


def test_a_folder_with_a_dev_part(tmp_path: Path, extra: Path) -> None:
    write_rows(
        tmp_path / "train.jsonl",
        {"text": "請問ＡＢＣ", "label": "ask", "spans": [{"start": 2, "end": 5, "type": "x"}]},
        {"text": "😀", "label": "smile"},
    )
    write_rows(tmp_path / "dev.jsonl", {"text": "再見", "label": "bye"})
    # A test part that cannot be read: nobody looks at it.
    (tmp_path / "test.jsonl").write_text("{", "utf-8")
    found = material.of_folder(tmp_path, [extra])
    # The emoji is gone, and with it its sentence.
    assert found.train == (Sentence("请问abc", "ask", (Span(2, 5, "x"),)), *EXTRA)
    assert found.dev == (Sentence("再见", "bye", spanned=False),)
    assert found.questions == ()


def test_without_a_dev_part_a_tenth_is_held_out(tmp_path: Path) -> None:
    rows = [{"text": f"第{number}句", "label": "abc"[number % 3]} for number in range(1000)]
    write_rows(tmp_path / "train.jsonl", *rows)
    found = material.of_folder(tmp_path)
    assert len(found.train) + len(found.dev) == 1000
    assert 70 < len(found.dev) < 130
    assert not {s.text for s in found.train} & {s.text for s in found.dev}
    assert material.of_folder(tmp_path) == found


def test_of_few_sentences_every_tenth_is_held_out(tmp_path: Path) -> None:
    texts = [text for text in map("第{}".format, range(100)) if not corpus.is_dev(text)][:11]
    write_rows(tmp_path / "train.jsonl", *({"text": text, "label": "a"} for text in texts))
    found = material.of_folder(tmp_path)
    assert [s.text for s in found.dev] == [texts[0], texts[10]]
    assert [s.text for s in found.train] == texts[1:10]


def test_a_folder_without_sentences_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match=r"train\.jsonl"):
        material.of_folder(tmp_path)


def test_names_are_those_of_what_is_learnt() -> None:
    found = Material(
        (Sentence("b", "refund", polarity="pos"), Sentence("a", "find", polarity="neg"), Sentence("c")),
        (Sentence("d", "only_in_dev", polarity="neu"),),
        (Question("z", "e"), Question("", "f"), Question("y", "a")),
    )
    assert found.intents == ("find", "refund")
    # All of them, for a row says its polarity by its place among all.
    assert found.polarities == ("neg", "neu", "pos")
    assert found.rows == ("y", "z")
    assert found.texts == ("b", "a", "c", "d", "e", "f")


def test_data_that_were_labelled_for_sentiment() -> None:
    given = [
        Sentence("a", "neg"),
        Sentence("b", "pos", polarity="neu"),  # has both: the label is something else
        Sentence("c", "refund"),
        Sentence("d"),
    ]
    assert material.as_sentiment(given) == (Sentence("a", polarity="neg"), *given[1:])


def test_two_kinds_of_label_are_needed() -> None:
    found = Material(
        (Sentence("a", "find", polarity="neg"), Sentence("b", "refund", polarity="neg"), Sentence("c")), ()
    )
    material.need(found, "intent")
    with pytest.raises(DataInvalid, match=r"at least two kinds of polarity, found \['neg'\]"):
        material.need(found, "sentiment")
    with pytest.raises(DataInvalid, match=r"at least two kinds of label, found \[\]"):
        material.need(Material((Sentence("a"), Sentence("b")), ()), "intent")


def test_noisy_versions_are_of_every_text_and_the_first_is_as_it_was() -> None:
    found = Material(
        tuple(Sentence(f"请问洗衣液在第{number}排吗", "find") for number in range(30)),
        (Sentence("几点关门", "store_hours"),),
        (Question("a", "能退吗"),),
    )
    plain, *noisy = material.noisy(found, 3, 0.3, seed=7)
    assert plain == {text: text for text in found.texts}
    assert len(noisy) == 2
    assert all(list(version) == list(found.texts) and all(version.values()) for version in noisy)
    assert noisy[0] != noisy[1]
    assert all(sum(a != b for a, b in version.items()) > 15 for version in noisy)
    assert material.noisy(found, 3, 0.3, seed=7) == [plain, *noisy]
    assert material.noisy(found, 1, 0.3, seed=7) == [plain]
