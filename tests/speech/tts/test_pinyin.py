"""Pinyin of polyphones and of tones that change, and pypinyin's table as it is found and as it is not."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import yaml

from appliance.errors import ApplianceError
from appliance.speech.tts.pinyin import Pinyin, numbered, read_phrases

READINGS = """
- [银行行长长大了。, yin2 hang2 hang2 zhang3 zhang3 da4 le5.]
- [重庆的还款日, chong2 qing4 de5 huan2 kuan3 ri4]
- [首都都是音乐和快乐, shou3 du1 dou1 shi4 yin1 yue4 he2 kuai4 le4]
- [便宜的行李在旅行社, pian2 yi5 de5 xing2 li3 zai4 lü3 xing2 she4]
- [重新称重，重试, "chong2 xin1 cheng1 zhong4, chong2 shi4"]
- [睡觉还是觉得头发长, shui4 jiao4 hai2 shi4 jue2 de5 tou2 fa4 chang2]
- [慢慢地走，地址，目的地, "man4 man4 de5 zou3, di4 zhi3, mu4 di4 di4"]
- [多长？十厘米长，长度, "duo1 chang2? shi2 li2 mi3 chang2, chang2 du4"]
- [得到了，快得很，您得带, "de2 dao4 le5, kuai4 de5 hen3, nin2 dei3 dai4"]
- [为三十元，为您服务, "wei2 san1 shi2 yuan2, wei4 nin2 fu2 wu4"]
- [空调调到二十五度, kong1 tiao2 tiao2 dao4 er4 shi2 wu3 du4]
- [三行文字，两只箱子, "san1 hang2 wen2 zi4, liang3 zhi1 xiang1 zi5"]
- [盒子电子孩子, he2 zi5 dian4 zi3 hai2 zi5]
- [差不多没收了没有, cha4 bu5 duo1 mo4 shou1 le5 mei2 you3]
- [厦门大厦处理处长, xia4 men2 da4 sha4 chu3 li3 chu4 zhang3]
- [女儿绿色，那儿这儿, "nü3 er2 lü4 se4, na4 er5 zhe4 er5"]
- [不是一个，一只，看一看, "bu2 shi4 yi2 ge4, yi4 zhi1, kan4 yi5 kan4"]
- [好不好？不用，不行, "hao3 bu5 hao3? bu2 yong4, bu4 xing2"]
- [一号窗口，一楼，第一名，周一, "yi1 hao4 chuang1 kou3, yi1 lou2, di4 yi1 ming2, zhou1 yi1"]
- [一百一十一万一千元, yi4 bai3 yi1 shi2 yi1 wan4 yi4 qian1 yuan2]
- [一会儿，一点点, "yi2 hui4 er5, yi4 dian3 dian3"]
- [二零一一年一月, er4 ling2 yi1 yi1 nian2 yi1 yue4]
- [幺三八，幺幺零, "yao1 san1 ba1, yao1 yao1 ling2"]
- [转账转圈，弹簧弹琴, "zhuan3 zhang4 zhuan4 quan1, tan2 huang2 tan2 qin2"]
- [给予还给，参差参加, "ji3 yu3 huan2 gei3, cen1 ci1 can1 jia1"]
"""


@pytest.fixture(scope="module")
def pinyin() -> Pinyin:
    return Pinyin()


@pytest.mark.parametrize(("text", "read"), yaml.safe_load(READINGS))
def test_readings(pinyin: Pinyin, text: str, read: str) -> None:
    assert pinyin.read(text) == read


def test_a_sentence_behind_a_full_stop_begins_with_a_capital(pinyin: Pinyin) -> None:
    assert pinyin.read("您好。请坐！谢谢") == "nin2 hao3. Qing3 zuo4! xie4 xie5"


def test_what_has_no_reading_is_left_out(pinyin: Pinyin) -> None:
    assert pinyin.read("abc，，您\u3400好x") == "nin2 hao3"
    assert pinyin.read("") == pinyin.read("，。") == ""


@pytest.mark.parametrize(
    ("reading", "with_number"),
    [("zhǎng", "zhang3"), ("lǜ", "lü4"), ("de", "de5"), ("ér", "er2"), ("ō", "o1"), ("nǚ", "nü3"), ("ê̄", "ê1")],
)
def test_numbered(reading: str, with_number: str) -> None:
    assert numbered(reading) == with_number


def test_the_table_is_the_packages_own() -> None:
    from pypinyin.phrases_dict import phrases_dict

    read = dict(read_phrases())
    assert len(read) == len(phrases_dict)
    for phrase in ("银行", "重庆", "一不小心"):
        assert read[phrase] == tuple(readings[0] for readings in phrases_dict[phrase])


@pytest.mark.parametrize("content", [None, "", "{", '{"银行": "yin"', '{"银行": 3}', '{"银行": [["yín"], ["háng"]], "'])
def test_a_missing_or_broken_table_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "phrases_dict.json").write_text(content)
    spec = ModuleSpec("pypinyin", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ApplianceError, match="table of phrases"):
        list(read_phrases())
