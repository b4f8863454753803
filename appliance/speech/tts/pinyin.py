"""Chinese characters to pinyin with tone numbers, as espeak-ng's pinyin voice reads it: 银行 -> yin2 hang2.

Readings come from pypinyin's two tables, read as files (pypinyin 0.55, MIT): importing the package keeps 58 MB, this
17 MB, because of a phrase only the reading is kept, and only where it differs from that of its characters one
by one; the other phrases still count, since they keep a longer word whole. The tone changes of 一 and 不 are made here,
after Duanmu, "The Phonology of Standard Chinese" (2007), section 11.5; espeak-ng makes that of two third tones.
"""

from __future__ import annotations

import importlib.util
import json
import re
import unicodedata
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.language.pinyin import read_table

_HAN = range(0x4E00, 0xA000)
_ZERO = 0x3007  # 〇
_TONES = {"\u0304": "1", "\u0301": "2", "\u030c": "3", "\u0300": "4"}
_BETWEEN = re.compile(r"[\s,:{]*")
_PAUSES = {"，": ",", "、": ",", "。": ".", "？": "?", "！": "!", "；": ";", "：": ":"}
_NUMERALS = "零〇一二三四五六七八九十百千万亿两几半幺点"
_DIGITS = "零〇一二三四五六七八九十幺点"

_CHARACTERS = {"得": "de5", "长": "chang2", "〇": "ling2", "嗯": "en5", "切": "qie1", "干": "gan1", "哪": "na3"}
"""Characters whose first reading in the table is not the one that they have by themselves at a counter."""
_WORDS = {
    "还款": "huan2 kuan3", "还钱": "huan2 qian2", "还清": "huan2 qing1", "还给": "huan2 gei3", "还伞": "huan2 san3",
    "还车": "huan2 che1", "归还": "gui1 huan2", "交还": "jiao1 huan2", "得到": "de2 dao4", "得知": "de2 zhi1",
    "得分": "de2 fen1", "得奖": "de2 jiang3", "总得": "zong3 dei3", "非得": "fei1 dei3", "还得": "hai2 dei3",
    "您得": "nin2 dei3", "我得": "wo3 dei3", "你得": "ni3 dei3", "都得": "dou1 dei3", "就得": "jiu4 dei3",
    "大夫": "dai4 fu5", "朝鲜": "chao2 xian3", "教我": "jiao1 wo3", "教您": "jiao1 nin2", "背包": "bei1 bao1",
    "重试": "chong2 shi4", "重拍": "chong2 pai1", "重说": "chong2 shuo1", "重来": "chong2 lai2", "重扫": "chong2 sao3",
    "重输": "chong2 shu1", "重填": "chong2 tian2", "重打": "chong2 da3", "重发": "chong2 fa1", "重印": "chong2 yin4",
    "重启": "chong2 qi3", "重新": "chong2 xin1", "调低": "tiao2 di1", "调高": "tiao2 gao1", "调到": "tiao2 dao4",
    "调大": "tiao2 da4", "调小": "tiao2 xiao3", "调温": "tiao2 wen1", "调成": "tiao2 cheng2", "测量": "ce4 liang2",
    "量一量": "liang2 yi1 liang2", "量体温": "liang2 ti3 wen1", "量血压": "liang2 xue4 ya1", "摔倒": "shuai1 dao3",
    "累计": "lei3 ji4", "累积": "lei3 ji1", "放假": "fang4 jia4", "假期": "jia4 qi1", "请假": "qing3 jia4",
    "假日": "jia4 ri4", "切换": "qie1 huan4", "能干": "neng2 gan4", "干活": "gan4 huo2", "干什么": "gan4 shen2 me5",
    "干嘛": "gan4 ma2", "似乎": "si4 hu1", "相似": "xiang1 si4", "类似": "lei4 si4", "亲切": "qin1 qie4",
    "一切": "yi1 qie4", "切记": "qie4 ji4", "东西": "dong1 xi5", "先生": "xian1 sheng5", "多少": "duo1 shao5",
    "朋友": "peng2 you5", "谢谢": "xie4 xie5", "晚上": "wan3 shang5", "时候": "shi2 hou5", "亳州": "bo2 zhou1",
    "一行": "yi1 hang2", "两行": "liang3 hang2", "三行": "san1 hang2", "几行": "ji3 hang2", "电子": "dian4 zi3",
    "哪儿": "na3 er5", "那儿": "na4 er5", "这儿": "zhe4 er5",
}  # fmt: skip
"""Words of a counter that the table lacks or reads otherwise."""
_COUNTED = {"只": "zhi1", "行": "hang2"}
"""Readings right behind a numeral: 一只, 三行文字."""
_THINGS = frozenset("盒箱袋包柜牌桌椅瓶罐杯盘勺筷裤鞋帽袜裙被毯孩妻镜刷梯帘票房车单本")
"""Characters behind which 子 has no tone."""


class Pinyin:
    """Reads Chinese text as pinyin. Never changes; building one reads both tables (about half a second of one core)."""

    def __init__(self) -> None:
        """Read pypinyin's tables; raises ApplianceError with the command that installs them where they are missing."""
        known: dict[str, str] = {}
        characters: dict[str, str] = {}
        for code, readings in read_table().items():
            if code in _HAN or code == _ZERO:
                first = readings.partition(",")[0]
                characters[chr(code)] = known.get(first) or known.setdefault(first, numbered(first))
        characters |= _CHARACTERS
        self._characters = characters
        self._phrases: dict[str, str | None] = {}
        for phrase, marked in read_phrases():
            syllables = [known.get(one) or known.setdefault(one, numbered(one)) for one in marked]
            alone = [characters.get(one) for one in phrase]
            if len(syllables) == len(alone):
                self._phrases[phrase] = None if syllables == alone else " ".join(syllables)
        self._phrases |= _WORDS
        self._longest = max(map(len, self._phrases))

    def read(self, text: str) -> str:
        """Pinyin of `text`, syllables apart, pauses as ASCII punctuation: 您好，银行。 -> nin2 hao3, yin2 hang2.

        Characters without a reading, and whatever else is neither Chinese nor a pause, are left out. A syllable behind
        a full stop begins with a capital, without which espeak-ng takes the stop for a decimal point.
        """
        pairs = _changed(list(self._pairs(text)))
        out = ""
        for character, syllable in pairs:
            if syllable:
                out += (" " if out else "") + (syllable.capitalize() if out.endswith(".") else syllable)
            elif out and out[-1].isdigit():
                out += _PAUSES[character]
        return out

    def _pairs(self, text: str) -> Iterator[tuple[str, str]]:
        """Each character with its syllable ("" for a pause), by the longest phrase from left to right."""
        at = 0
        while at < len(text):
            character = text[at]
            if character not in self._characters:
                if character in _PAUSES:
                    yield character, ""
                at += 1
                continue
            phrase = "" if self._counted(text, at) else self._phrase(text, at)
            reading = self._phrases[phrase] if phrase else self._alone(text, at)
            syllables = reading.split() if reading else [self._characters[one] for one in phrase]
            yield from zip(phrase or character, syllables, strict=True)
            at += len(syllables)

    def _phrase(self, text: str, at: int) -> str:
        for length in range(min(self._longest, len(text) - at), 1, -1):
            if text[at : at + length] in self._phrases:
                return text[at : at + length]
        return ""

    def _counted(self, text: str, at: int) -> bool:
        """Whether the character at `at` is a measure word behind a numeral, which may look like the start of a word."""
        before = text[at - 1 : at]
        return (
            text[at] in _COUNTED
            and before != ""
            and before in _NUMERALS
            and text[max(0, at - 2) : at] not in self._phrases
        )

    def _alone(self, text: str, at: int) -> str:
        """Reading of the character at `at`, which stands in no phrase, by its neighbours."""
        character, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
        if self._counted(text, at):
            return _COUNTED[character]
        if character == "为" and after and after in _NUMERALS:
            return "wei2"
        if character == "子" and before in _THINGS:
            return "zi5"
        if character == "儿" and before and before in "哪那这点会玩花事":
            return "er5"
        if character == "地" and at >= 2 and text[at - 2] == before:
            return "de5"
        return self._characters[character]


def read_phrases() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each phrase of pypinyin's table with its readings with tone marks, one by one, so that no 45 MB lie parsed.

    Raises ApplianceError where the table is missing or not of the form {"phrase": [["reading"], ...], ...}.
    """
    spec = importlib.util.find_spec("pypinyin")
    folders = spec.submodule_search_locations if spec else None
    path = Path(folders[0] if folders else ".") / "phrases_dict.json"
    try:
        text = path.read_text("utf-8")
        decode = json.JSONDecoder().raw_decode
        at = _skip(text, 0)
        while text[at] == '"':
            phrase, at = scanstring(text, at + 1)
            readings, at = decode(text, _skip(text, at))
            yield phrase, tuple(one[0] for one in readings)
            at = _skip(text, at)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ApplianceError(
            f"expected pypinyin's table of phrases at {path}, got {error}",
            remedy=("请运行 `pip install --force-reinstall pypinyin`", "Run `pip install --force-reinstall pypinyin`"),
        ) from error


def _skip(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def numbered(reading: str) -> str:
    """A reading with its tone as a number, 5 where it has none: zhǎng -> zhang3, lǜ -> lü4, de -> de5."""
    letters, tone = "", "5"
    for character in unicodedata.normalize("NFD", reading):
        if character in _TONES:
            tone = _TONES[character]
        else:
            letters += character
    return unicodedata.normalize("NFC", letters) + tone


def _changed(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same with the tones that 一 and 不 take before the next syllable."""
    changed = []
    for at, (character, syllable) in enumerate(pairs):
        before = pairs[at - 1] if at else ("", "")
        after = pairs[at + 1] if at + 1 < len(pairs) else ("", "")
        if character == "一" and syllable.startswith("yi"):
            syllable = _yi(before[0], after)
        elif character == "不" and syllable.startswith("bu") and syllable != "bu5":
            between = before[0] == after[0] != ""
            syllable = "bu5" if between else "bu2" if after[1].endswith("4") else "bu4"
        changed.append((character, syllable))
    return changed


def _yi(before: str, after: tuple[str, str]) -> str:
    """一 counts (yi2 ge4, yi4 bai3), is a digit, an ordinal or the end of a word (yi1), or stands between (看一看)."""
    character, syllable = after
    if not syllable or (before and before in _DIGITS + "第初周期唯统单之") or character in _DIGITS.replace("点", ""):
        return "yi1"
    if character in "月号楼":
        return "yi1"
    if before == character:
        return "yi5"
    return "yi2" if syllable[-1] == "4" else "yi4"
