from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import PackInvalid
from appliance.language.sounds import Sounds
from appliance.packs.compile import load_pack
from appliance.speech.wake import DEFAULT, Wake

TRAIN = Path(__file__).parents[2] / "export/train/data/store/train"
SOUNDS = Sounds()
WAKE = Wake(sounds=SOUNDS)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("小店你好", ""),
        ("小店你好我要寄快递", "我要寄快递"),
        ("小店你好，我要寄快递。", "我要寄快递。"),
        ("小店 你好 我要寄快递", "我要寄快递"),
        ("嗯小店你好牛奶在哪", "牛奶在哪"),
        ("呃，那个，小店你好牛奶在哪", "牛奶在哪"),
        ("小电你好我要寄快递", "我要寄快递"),
        ("晓店泥好牛奶在哪", "牛奶在哪"),
        ("小店李好牛奶在哪", "牛奶在哪"),
        ("小点你好好", "好"),
        ("小店你好小店你好", "小店你好"),
    ],
)
def test_what_wakes(text: str, rest: str) -> None:
    woken = WAKE.hear(text)
    assert woken is not None
    assert (woken.phrase, woken.rest) == (DEFAULT, rest)
    assert text[woken.end :].endswith(rest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "嗯",
        "你好",
        "小店",
        "小店你",
        "小店里有牛奶吗",
        "小店关门了吗",
        "你好小店",
        "我说小店你好",
        "他对我说小店你好",
        "小店你们好",
        "小心一点你好",
        "商店你好",
        "小朋友你好",
        "小姐你好",
        "小哥你好",
        "hello",
        "12345",
        "，。！",
    ],
)
def test_what_does_not(text: str) -> None:
    assert WAKE.hear(text) is None


def test_the_distance_says_how_near() -> None:
    assert WAKE.hear("小店你好").distance == 0  # type: ignore[union-attr]
    assert WAKE.hear("小电泥好").distance == 0  # type: ignore[union-attr]
    assert WAKE.hear("小店李好").distance == pytest.approx(0.2)  # type: ignore[union-attr]


def test_a_strict_ear_hears_less_and_a_wide_one_more() -> None:
    assert Wake(distance=0.0, sounds=SOUNDS).hear("小店李好") is None
    assert Wake(distance=0.0, sounds=SOUNDS).hear("小电你好") is not None
    wide = Wake(distance=1.0, sounds=SOUNDS)
    woken = wide.hear("小店好我要寄快递")  # a syllable lost
    assert woken is not None
    assert woken.rest == "我要寄快递"
    added = wide.hear("小店啊你好牛奶")
    assert added is not None
    assert added.rest == "牛奶"
    assert WAKE.hear("小店好我要寄快递") is None


def test_a_partial_wakes_as_soon_as_the_phrase_is_there() -> None:
    heard = [WAKE.hear(partial) is not None for partial in ("", "小", "小店", "小店你", "小店你好", "小店你好牛")]
    assert heard == [False, False, False, False, True, True]
    assert [WAKE.pending(partial) for partial in ("", "小", "小店", "小店你", "小店你好", "牛", "小朋")] == [
        True,
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_any_phrase_works() -> None:
    wake = Wake(["邻里管家", "小邻小邻"], sounds=SOUNDS)
    assert wake.phrases == ("邻里管家", "小邻小邻")
    assert wake.hear("林里管加 洗衣液在哪").rest == "洗衣液在哪"  # type: ignore[union-attr]
    assert wake.hear("小林小林几点关门").phrase == "小邻小邻"  # type: ignore[union-attr]


def test_a_phrase_that_begins_with_a_hesitation_is_heard_whole() -> None:
    assert Wake(["嘿小店铺"], sounds=SOUNDS).hear("嘿小店铺牛奶在哪").rest == "牛奶在哪"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("phrase", "said"),
    [
        ("你好", "too short"),
        ("小店", "too short"),
        ("", "too short"),
        ("喂喂喂", "too common"),
        ("好好好好", "too common"),
        ("hey store", "Chinese characters"),
        ("小店hello", "Chinese characters"),
        ("请问一下", "begins like it"),
        ("多少钱", "begins like it"),
        ("您好您好", "begins like it"),
        ("服务员", "begins like it"),
    ],
)
def test_what_is_refused(phrase: str, said: str) -> None:
    with pytest.raises(PackInvalid, match=said) as raised:
        Wake([phrase], sounds=SOUNDS)
    assert phrase in raised.value.detail
    assert DEFAULT in raised.value.remedy


def test_a_phrase_that_customers_say_is_refused_and_the_sentence_named() -> None:
    with pytest.raises(PackInvalid, match="牛奶在哪里呀"):
        Wake(["牛奶在哪"], common=["牛奶在哪里呀"], sounds=SOUNDS)


def test_the_pack_s_own_sentences_do_not_wake() -> None:
    lexicon = load_pack("store").lexicon
    sentences = [sentence for rule in lexicon.intents for sentence in rule.sentences]
    assert len(sentences) > 1000
    assert Wake(common=sentences, sounds=SOUNDS).phrases == (DEFAULT,)


def test_no_false_alarm_in_all_training_sentences() -> None:
    sentences = [
        re.sub(r"\[([^\[\]]+)\]\([a-z_]+\)", r"\1", line.split("\t")[2])
        for path in sorted(TRAIN.glob("*.txt"))
        for line in path.read_text("utf-8").splitlines()
    ]
    assert len(sentences) > 10_000
    assert [sentence for sentence in sentences if WAKE.hear(sentence)] == []


@given(st.text("小店你好李电嗯，。 a牛奶泥", max_size=12))
def test_the_rest_is_the_end_of_the_text(text: str) -> None:
    woken = WAKE.hear(text)
    if woken is not None:
        assert 0 < woken.end <= len(text)
        assert text.endswith(woken.rest)
        assert woken.distance <= 0.4
        assert not WAKE.pending(text)
