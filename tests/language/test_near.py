from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.language.lexicon import Lexicon
from appliance.language.near import Corrected, Names
from appliance.language.phrases import phrases_of, read_words
from appliance.packs.compile import find_pack
from appliance.packs.reader import read_csv

TRAIN = Path(__file__).parents[2] / "export/train/data/store/train"
FEW = Names(["洗衣液", "牛奶", "电池", "圆通快递"], frozenset(["过期"]))
TAILS = ("", "快递", "速运", "物流")

# What a recogniser writes and what was said; both alike where nothing may be changed. The kind of error stands first.
BENCHMARK = """
homophone|西衣液在哪里|洗衣液在哪里
homophone|洗一液在哪里|洗衣液在哪里
homophone|电吃在哪里|电池在哪里
homophone|五好电池|五号电池
homophone|五号电迟两板|五号电池两板
homophone|花升油多少钱|花生油多少钱
homophone|胡罗卜一斤多少钱|胡萝卜一斤多少钱
homophone|垃圾带在哪|垃圾袋在哪
homophone|厕锁在哪里|厕所在哪里
homophone|收音台怎么走|收银台怎么走
homophone|地夏停车场怎么走|地下停车场怎么走
homophone|我要去服务抬|我要去服务台
homophone|电提在哪|电梯在哪
homophone|买两包方变面|买两包方便面
homophone|圆珠比有没有|圆珠笔有没有
homophone|柠蒙汽水|柠檬汽水
carrier|园通快递到了没有|圆通快递到了没有
carrier|顺风快递到哪了|顺丰快递到哪了
carrier|顺风速运的单号|顺丰速运的单号
carrier|中同快递怎么还没到|中通快递怎么还没到
carrier|韵答快递|韵达快递
carrier|京冬快递到哪了|京东快递到哪了
carrier|申同快递|申通快递
n-l|流奶在哪|牛奶在哪
n-l|低脂流奶在哪|低脂牛奶在哪
in-ing|卫生晶多少钱|卫生巾多少钱
in-ing|洗洁今在哪|洗洁精在哪
s-sh|保湿双还有吗|保湿霜还有吗
s-sh|防腮霜还有吗|防晒霜还有吗
s-sh|撒虫剂在哪|杀虫剂在哪
f-h|发生油在哪|花生油在哪
f-h|福萝卜多少钱|胡萝卜多少钱
f-h|速溶咖灰有吗|速溶咖啡有吗
zh-z|面巾子有没有|面巾纸有没有
zh-z|厨房字在哪|厨房纸在哪
zh-z|抽子在哪|抽纸在哪
an-ang|电风商多少钱|电风扇多少钱
homophone|微波庐上面|微波炉上面
too far|矿琴水在哪|矿琴水在哪
too far|会生巾在哪|会生巾在哪
too far|洗碗江在哪|洗碗江在哪
said|平果手机多少钱|苹果手机多少钱
said|南服电池在哪|南孚电池在哪
said|两箱牛奶多少钱|两箱牛奶多少钱
said|两瓶过期了|两瓶过期了
said|老人家用的轮椅|老人家用的轮椅
said|洗手间在哪|洗手间在哪
said|我要洗手|我要洗手
said|顺风到了再说|顺风到了再说
said|一路顺风|一路顺风
said|客服是谁|客服是谁
said|他是我的客户|他是我的客户
said|车票能报销吗|车票能报销吗
said|天气怎么样|天气怎么样
said|你们几点关门|你们几点关门
said|给我转人工|给我转人工
said|手机莫得电了|手机莫得电了
said|书寄出来四天了|书寄出来四天了
said|家里来客人了|家里来客人了
said|看行不行|看行不行
said|在服务台等我|在服务台等我
said|按红的按钮|按红的按钮
said|小白鼠|小白鼠
said|where is the milk|where is the milk
said|取件码五杠二杠三零一一|取件码五杠二杠三零一一
"""


def table() -> list[tuple[str, str, str]]:
    lines = [tuple(line.split("|")) for line in BENCHMARK.strip().splitlines()]
    return [(kind, said, meant) for kind, said, meant in lines]


@pytest.fixture(scope="module")
def names(lexicon: Lexicon) -> Names:
    """As the appliance makes them: the pack's names and carriers, its sentences, pypinyin's words."""
    listed = [surface for entry in lexicon.gazetteer for surface in entry.surfaces]
    rows = read_csv(find_pack("store") / "carriers.csv")
    carriers = [row["name_zh"].removesuffix("快递") + tail for row in rows for tail in TAILS]
    often, once = phrases_of(sentence for rule in lexicon.intents for sentence in rule.sentences)
    known = read_words() | often
    more = ["南孚电池", "苹果手机"]
    return Names(
        [*listed, *carriers, *more], known, once=once, before=lexicon.single_before, after=lexicon.single_after
    )


@pytest.mark.parametrize(("kind", "said", "meant"), table())
def test_the_benchmark(names: Names, kind: str, said: str, meant: str) -> None:
    assert names.correct(said).text == meant


def plain_sentences() -> Iterator[str]:
    import re

    for path in sorted(TRAIN.glob("*.txt")):
        for line in path.read_text("utf-8").splitlines():
            style, _, sentence = line.split("\t")
            if style in ("plain", "short", "long", "polite", "rude"):
                yield re.sub(r"\[([^\[\]]+)\]\([a-z_]+\)", r"\1", sentence)


def test_sentences_without_errors_stay(names: Names) -> None:
    """Of 4,775 sentences that people wrote without errors, one is changed: 老人急用 is no 老人机."""
    sentences = list(plain_sentences())
    changed = [change.said for sentence in sentences for change in names.correct(sentence).changes]
    assert len(sentences) > 4000
    assert len(changed) <= 1, changed


def test_listed_names_stay(names: Names, lexicon: Lexicon) -> None:
    for entry in lexicon.gazetteer:
        for surface in entry.surfaces:
            assert names.correct(surface).text == surface
            assert names.correct(f"{surface}在哪").text == f"{surface}在哪"


def test_a_change_says_what_it_was(names: Names) -> None:
    corrected = names.correct("请问发生油在哪")
    assert [(c.start, c.end, c.said, c.meant, c.distance) for c in corrected.changes] == [
        (2, 5, "发生油", "花生油", 0.2)
    ]
    assert names.correct("请问洗衣液在哪") == Corrected("请问洗衣液在哪")


def test_spared_spans_stay(names: Names) -> None:
    assert names.correct("收件人洗一液").text == "收件人洗衣液"
    assert names.correct("收件人洗一液", [(3, 6)]).text == "收件人洗一液"


def test_of_two_names_equally_near_neither_is_meant() -> None:
    names = Names(["花生油", "花声油"], frozenset())
    assert names.correct("花升油在哪").text == "花升油在哪"


def test_a_word_that_means_something_is_no_name() -> None:
    assert Names(["洗衣液"], frozenset()).correct("洗一夜的碗").text == "洗衣液的碗"
    assert Names(["洗衣液"], frozenset(["洗一夜"])).correct("洗一夜的碗").text == "洗一夜的碗"
    assert Names(["洗衣液"], frozenset(["夜的"])).correct("洗一夜的碗").text == "洗一夜的碗"


@given(st.text("洗衣液夜一西牛奶流乃电池吃迟两瓶过在哪圆园通快递 a，", max_size=14))
def test_the_length_never_changes_and_a_second_time_changes_nothing(text: str) -> None:
    names = FEW
    once = names.correct(text)
    assert len(once.text) == len(text)
    for change in once.changes:
        assert text[change.start : change.end] == change.said
        assert once.text[change.start : change.end] == change.meant
    assert names.correct(once.text).text == once.text
