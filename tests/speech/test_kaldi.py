"""What Vosk takes and gives, and grammars of phrases."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from appliance.speech.kaldi import grammar, partial, pcm, words
from appliance.values import Word


def test_samples_are_rounded_and_clipped() -> None:
    samples = np.array([0.0, 1.0, -1.0, 0.5, 7.0, -7.0, 1 / 32767], np.float32)
    np.testing.assert_array_equal(pcm(samples), [0, 32767, -32767, 16384, 32767, -32767, 1])
    assert pcm(samples).dtype == np.int16


def test_words_are_moved_kept_inside_and_sure_between_0_and_1() -> None:
    rows = [
        {"word": "退货", "start": 0.1, "end": 0.4, "conf": 1.0000001},
        {"word": "[unk]", "start": 0.4, "end": 0.5, "conf": 1.0},
        {"word": "!SIL", "start": 0.5, "end": 0.6, "conf": 1.0},
        {"word": "吗", "start": 0.6, "end": 0.9, "conf": math.nan},
    ]
    heard = list(words(json.dumps({"result": rows, "text": ""}), 2.0, 2.2, 2.8))
    assert heard == [Word("退货", 2.2, 2.4, 1.0), Word("吗", 2.6, 2.8, 0.0)]
    assert list(words('{"text": ""}', 0.0, 0.0, 1.0)) == []


@pytest.mark.parametrize(
    "said, text",
    [("", ""), ("我 要 退货", "我要退货"), ("how much [unk] milk", "how much milk"), ("<UNK> 你好 !SIL", "你好")],
)
def test_a_partial_text_is_written_as_people_write(said: str, text: str) -> None:
    assert partial(json.dumps({"partial": said})) == text
    assert partial("{}") == ""


def listed(*phrases: str, known: str, unknown: bool = True) -> tuple[list[str], tuple[str, ...]]:
    vocabulary = {*known.split(), *(["[unk]"] if unknown else [])}
    text, missing = grammar(phrases, vocabulary.__contains__)
    return json.loads(text) if text else [], missing


def test_phrases_are_parted_into_the_models_words() -> None:
    known = "我 要 退 退货 货 洗衣液 洗衣 液 在 哪里 哪 里"
    assert listed("我要退货", "洗衣液在哪里？", known=known) == (["我 要 退货", "洗衣液 在 哪里", "[unk]"], ())


def test_fewest_words_wins_over_the_longest_first() -> None:
    assert listed("甲乙丙丁戊", known="甲乙丙 丁 戊 甲乙 丙丁戊")[0] == ["甲乙 丙丁戊", "[unk]"]
    assert listed("甲乙丙丁", known="甲乙丙 甲乙 丙丁")[0][0] == "甲乙 丙丁", (
        "an unknown word is worse than a shorter one"
    )


def test_words_that_the_model_does_not_know_are_told_once() -> None:
    heard = listed("买洗碗机", "洗碗机多少钱", "吃饭", known="买 多少 钱")
    assert heard == (["买 [unk]", "[unk] 多少 钱", "[unk]"], ("洗碗机", "吃饭"))


def test_a_model_without_a_word_for_the_unknown() -> None:
    assert listed("买洗碗机", "吃饭", known="买", unknown=False) == (["买"], ("洗碗机", "吃饭"))


def test_nothing_known_is_no_grammar() -> None:
    assert listed("吃饭", known="买") == ([], ("吃饭",))
    assert listed("", "……", known="买") == ([], ())


def test_words_with_spaces_between_are_not_parted() -> None:
    known = "where is the milk iphone 买 화장실이"
    lines, missing = listed("Where is the Milk?", "买iPhone", "买 Wi-Fi", "화장실이 어디", known=known)
    assert lines == ["where is the milk", "买 iphone", "买 [unk]", "화장실이 [unk]", "[unk]"]
    assert missing == ("Wi-Fi", "어디")


def test_a_phrase_is_listed_once() -> None:
    assert listed("我要", "我 要", known="我 要") == (["我 要", "[unk]"], ())
