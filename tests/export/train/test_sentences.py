"""Labelled sentences are read from three formats; what cannot be read is named with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.language.clean import Cleaner
from appliance.packs.compile import load_pack
from export.train import corpus, sentences
from export.train.sentences import DataInvalid, Sentence, Span


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def write_rows(path: Path, *rows: object) -> Path:
    return write(path, *(json.dumps(row, ensure_ascii=False) for row in rows))


def said(sentence: Sentence) -> list[tuple[str, str]]:
    return [(sentence.text[span.start : span.end], span.type) for span in sentence.spans]


@pytest.fixture(scope="module")
def cleaner() -> Cleaner:
    return Cleaner()


@pytest.mark.parametrize(
    ("marked", "plain", "spans"),
    [
        ("洗衣液在哪", "洗衣液在哪", ()),
        ("[洗衣液](product)在哪", "洗衣液在哪", (Span(0, 3, "product"),)),
        ("我叫[王芳](person)，找[盐](product)", "我叫王芳，找盐", (Span(2, 4, "person"), Span(6, 7, "product"))),
        ("[红色](colour)[L码](size)", "红色L码", (Span(0, 2, "colour"), Span(2, 4, "size"))),
        ("[](product)", "[](product)", ()),
        ("", "", ()),
    ],
)
def test_marks_are_taken_out_and_mentions_stand_where_they_stood(
    marked: str, plain: str, spans: tuple[Span, ...]
) -> None:
    assert sentences.unmarked(marked) == (plain, spans)


def test_the_projects_own_format(tmp_path: Path) -> None:
    write(
        tmp_path / "train" / "find_product.txt",
        "plain\tneu\t[洗衣液](product)在哪",
        "dialect\tneg\t[盐](product)搁哪嘎达",
    )
    assert sentences.load(tmp_path, "train") == [
        Sentence("洗衣液在哪", "find_product", (Span(0, 3, "product"),), "neu", "plain"),
        Sentence("盐搁哪嘎达", "find_product", (Span(0, 1, "product"),), "neg", "dialect"),
    ]


def test_files_of_sentiment_and_entities_have_no_intent_and_come_in_order_of_their_names(tmp_path: Path) -> None:
    for name in ("sentiment", "greet", "entities"):
        write(tmp_path / "test" / f"{name}.txt", f"short\tpos\t{name}")
    found = sentences.load(tmp_path, "test")
    assert [(s.text, s.label) for s in found] == [("entities", ""), ("greet", "greet"), ("sentiment", "")]


@pytest.mark.parametrize(
    "line",
    [
        "plain\t洗衣液在哪",
        "plain\tneu\t洗衣液\t在哪",
        "plan\tneu\t洗衣液在哪",
        "plain\tneutral\t洗衣液在哪",
        "plain\tneu\t ",
        "",
    ],
)
def test_a_line_that_is_not_the_projects_own_is_named(tmp_path: Path, line: str) -> None:
    write(tmp_path / "train" / "greet.txt", "plain\tneu\t你好", line, "plain\tneu\t早")
    with pytest.raises(DataInvalid, match=r"^greet\.txt:2: expected style, polarity and sentence") as caught:
        sentences.load(tmp_path, "train")
    assert repr(line) in str(caught.value)


def test_a_mark_without_a_proper_type_is_named(tmp_path: Path) -> None:
    write(tmp_path / "train" / "greet.txt", "plain\tneu\t[洗衣液](Product)在哪")
    with pytest.raises(DataInvalid, match=r"^greet\.txt:1: expected \[mention\]\(type\), got .*Product"):
        sentences.load(tmp_path, "train")


def test_jsonl_of_a_users_own(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "train.jsonl",
        {
            "text": "我叫王芳，找盐",
            "label": "find",
            # In any order; they come out in that of their positions.
            "spans": [{"start": 6, "end": 7, "type": "thing"}, {"start": 2, "end": 4, "type": "who"}],
            "polarity": "neg",
            "style": "typo",
        },
        {"text": "早"},
    )
    write_rows(tmp_path / "dev.jsonl", {"text": "晚", "spans": []})
    assert sentences.load(tmp_path, "train") == [
        Sentence("我叫王芳，找盐", "find", (Span(2, 4, "who"), Span(6, 7, "thing")), "neg", "typo"),
        Sentence("早", spanned=False),
    ]
    # An empty list says that somebody looked and found none.
    assert sentences.load(tmp_path, "dev") == [Sentence("晚")]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "JSONDecodeError"),
        ('["text"]', "AttributeError|TypeError"),
        ("7", "TypeError"),
        ('{"label": "find"}', "KeyError: 'text'"),
        ('{"text": ""}', "text is empty"),
        ('{"text": 7}', "text is empty"),
        ('{"text": "盐", "spans": [{"start": 0, "end": 2, "type": "x"}]}', "a span of 0 to 2 in 1 characters"),
        ('{"text": "盐", "spans": [{"start": -1, "end": 1, "type": "x"}]}', "a span of -1 to 1"),
        ('{"text": "盐", "spans": [{"start": 1, "end": 1, "type": "x"}]}', "a span of 1 to 1"),
        ('{"text": "盐", "spans": [{"start": 0, "type": "x"}]}', "KeyError: 'end'"),
        ('{"text": "盐", "spans": [0]}', "TypeError"),
        (
            '{"text": "食盐", "spans": [{"start": 0, "end": 2, "type": "x"}, {"start": 1, "end": 2, "type": "y"}]}',
            "spans overlap",
        ),
        ('{"text": "盐", "polarity": "good"}', "polarity 'good'"),
        ('{"utt": "salt", "intent": "find"}', "KeyError: 'annot_utt'"),
    ],
)
def test_a_row_that_is_not_jsonl_as_it_should_be_is_named(tmp_path: Path, line: str, why: str) -> None:
    # The blank line counts: editors number it, too.
    write(tmp_path / "train.jsonl", '{"text": "早"}', "", line)
    with pytest.raises(DataInvalid, match=rf"^train\.jsonl:3: expected an object with text.*({why})"):
        sentences.load(tmp_path, "train")


MASSIVE = (
    {
        "id": "1", "locale": "zh-CN", "partition": "train", "intent": "alarm_set",
        "utt": "星期五早上九点叫醒我", "annot_utt": "[date : 星期五] [time : 早上九点] 叫醒我",
    },
    {
        "id": "2", "locale": "zh-CN", "partition": "test", "intent": "audio_volume_mute",
        "utt": "安静", "annot_utt": "安静",
    },
)  # fmt: skip


@pytest.mark.parametrize("as_folder", [True, False])
def test_massive_as_a_file_or_in_a_folder(tmp_path: Path, as_folder: bool) -> None:
    path = write_rows(tmp_path / "zh-CN.jsonl", *MASSIVE)
    source = tmp_path if as_folder else path
    (train,) = sentences.load(source, "train")
    assert (train.text, train.label) == ("星期五 早上九点 叫醒我", "alarm_set")
    assert said(train) == [("星期五", "date"), ("早上九点", "time")]
    assert sentences.load(source, "test") == [Sentence("安静", "audio_volume_mute")]
    assert sentences.load(source, "dev") == []


def test_rows_of_massive_in_a_part_of_a_users_own(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "train.jsonl", *MASSIVE)
    assert [s.label for s in sentences.read_jsonl(path)] == ["alarm_set", "audio_volume_mute"]


def test_a_part_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="part: expected one of train, dev, test, got 'validation'"):
        sentences.load(tmp_path, "validation")


@pytest.mark.parametrize("part", ["train", "test"])
def test_no_sentence_is_an_error_but_for_dev(tmp_path: Path, part: str) -> None:
    with pytest.raises(DataInvalid, match=rf"expected {part}/\*\.txt, {part}\.jsonl or MASSIVE's"):
        sentences.load(tmp_path, part)
    assert sentences.load(tmp_path, "dev") == []


def test_mentions_move_with_the_cleaning(cleaner: Cleaner) -> None:
    # Traditional and full-width become simplified and half-width, and what is dropped in front moves the rest.
    dirty, spans = sentences.unmarked("😀  請問[ＬＡＵＮＤＲＹ](product)，[藍色](colour)的　在哪")
    found = sentences.cleaned(Sentence(dirty, "find_product", spans, "neu", "plain"), cleaner)
    assert found.text == cleaner.clean(dirty).text
    assert said(found) == [("laundry", "product"), ("蓝色", "colour")]
    assert (found.label, found.polarity, found.style, found.spanned) == ("find_product", "neu", "plain", True)


def test_a_mention_of_which_nothing_is_left_goes(cleaner: Cleaner) -> None:
    text, spans = sentences.unmarked("[😀](feeling)[盐](product)")
    assert said(sentences.cleaned(Sentence(text, spans=spans), cleaner)) == [("盐", "product")]


def test_mentions_that_fall_together_do_not_overlap(cleaner: Cleaner) -> None:
    # A letter and its accent become one character: it cannot be two mentions.
    sentence = Sentence("e\u0301盐", spans=(Span(0, 1, "a"), Span(1, 2, "b"), Span(2, 3, "c")))
    assert sentences.cleaned(sentence, cleaner).spans == (Span(0, 1, "a"), Span(1, 2, "c"))


def test_clean_sentences_stay_as_they_are(cleaner: Cleaner) -> None:
    sentence = Sentence("洗衣液在哪", "find_product", (Span(0, 3, "product"),))
    assert sentences.cleaned(sentence, cleaner) == sentence


def test_labels_and_types_are_sorted_and_each_is_named_once() -> None:
    found = [
        Sentence("b", "refund", (Span(0, 1, "time"),)),
        Sentence("a", "greet"),
        Sentence("c", ""),
        Sentence("d", "greet", (Span(0, 1, "date"),)),
    ]
    assert sentences.labels(found) == ("greet", "refund")
    assert sentences.types(found) == ("date", "time")


def test_which_styles_are_noisy() -> None:
    noisy = {style for style in sentences.STYLES if Sentence("x", style=style).noisy}
    assert noisy == {"dialect", "typo", "asr", "rambling"}
    assert not Sentence("x").noisy


@pytest.mark.parametrize("part", ["train", "test"])
def test_the_projects_own_data_name_nothing_that_the_pack_has_not(part: str, cleaner: Cleaner) -> None:
    lexicon = load_pack("store").lexicon
    found = sentences.load(corpus.DATA, part)
    assert set(sentences.labels(found)) == {rule.name for rule in lexicon.intents}
    assert set(sentences.types(found)) <= set(lexicon.entity_types)
    for sentence in found:
        kept = sentences.cleaned(sentence, cleaner)
        assert len(kept.spans) == len(sentence.spans), sentence
        assert [kind for _, kind in said(kept)] == [kind for _, kind in said(sentence)]


@pytest.mark.parametrize(
    "line", ["{", "[1]", '{"partition": "train", "intent": "a"}', '{"partition": "train", "annot_utt": "a"}']
)
def test_a_row_of_massive_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "zh-CN.jsonl", json.dumps(MASSIVE[0]), line)
    for source in (path, tmp_path):
        with pytest.raises(DataInvalid, match=r"zh-CN\.jsonl:2: "):
            sentences.load(source, "train")


def test_only_a_newline_ends_a_row(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", {"text": "a\u2028b\x85c"})
    assert [s.text for s in sentences.load(tmp_path, "train")] == ["a\u2028b\x85c"]


def test_what_is_null_is_missing(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.jsonl", {"text": "a", "label": None, "polarity": None, "spans": None, "style": None})
    assert sentences.load(tmp_path, "train") == [Sentence("a", spanned=False)]


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes("洗衣液".encode("gb18030"))
    with pytest.raises(DataInvalid, match=r"train\.jsonl.*UTF-8"):
        sentences.load(tmp_path, "train")
