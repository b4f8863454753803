"""Which words are a number, and how it is written: the rules of inverse text normalisation, in order of trial.

The cascade of taggers that grammars of finite-state transducers use for this (Zhang et al. 2021, arXiv 2104.05055; the
project WeTextProcessing for Chinese) is a list of regular expressions here, because each form is short and the values
of numerals come from `cardinal`. What a rule has written is hidden from those behind it, and so are the fixed words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from appliance.language.numbers import codes, forms

WRITTEN = "\ue000"
"""Stands in the text for each character that an earlier rule has written."""

FIXED = "\ue001"
"""Stands in the text for each character that no rule may write."""

_D, _S = codes.PLAIN, codes.SPOKEN
_N = f"{_D}两十百千万亿"
_C = f"[{_N}]+"
_FREE = f"(?<![{_N}\\d.几数{WRITTEN}])(?<![二两三四五六七八九十零〇]点)"
"""In front of a numeral: no other numeral, and nothing that makes it vague."""
_END = f"(?![{_N}\\d几{WRITTEN}])"
_ONE = "[一二两三四五六七八九]"
_COUNT = "[二两三四五六七八九十]"
_STRONG = (
    "公斤|千克|毫克|克拉|克|斤|毫升|升|吨|磅|公里|千米|厘米|毫米|米|英寸|寸|岁|个百分点|栋|幢|单元|楼|"
    "号(?!召|称|令)|折(?!叠|腾|磨|断|返)"
)
"""Units before which 一 is a number, too."""
_GOODS = (
    "个|件|瓶|袋|包|盒|箱|只|支|张|条|双|套|台|部|把|罐|桶|份|根|卷|提|粒|颗|本|杯|排|串|板|块|片|听|枚|盘|碗|筐|捆|束|朵|棵|辆|单|层|"
    "小时|分钟|秒钟|秒|倍|室|路(?=公交|车)"
)
"""Measure words before which numbers from two are written in digits; 一 stays an article there."""
_UNIT = f"(?:{_STRONG}|{_GOODS})"
_WEEK = f"(?<![周期拜初第])(?!(?<=[另哪这那每某同头块元{WRITTEN}])一)"
_FEW = "[下句人口位手脚头]"
_WORDS = "|".join(codes.ENGLISH)
_TAIL = "[一二三四五六七八九]"
_STOP = "(?=$|[^\\u4e00-\\u9fff]|[的了吧呢吗啊钱])"
"""Where a sum of money surely ends: 一 behind 十五块 may begin the next word, as in 十五块一扫."""
_OTHER = "(?=[\\u4e00-\\u9fff])(?![的了吧呢吗啊钱])"


@dataclass(frozen=True, slots=True)
class Rule:
    """One form of numbers."""

    name: str
    """What it is."""
    pattern: re.Pattern[str]
    """How it is said."""
    write: Callable[[re.Match[str]], str | None]
    """What is written for a match; None leaves the words."""


def _rule(name: str, pattern: str, write: Callable[[re.Match[str]], str | None]) -> Rule:
    return Rule(name, re.compile(pattern), write)


RULES: tuple[Rule, ...] = (
    _rule(
        "English digits",
        f"(?i)(?<![a-z\\d])(?:{_WORDS})(?: +(?:{_WORDS})){{2,}}(?![a-z])",
        codes.english,
    ),
    _rule(
        "letters and digits",
        f"(?<![A-Za-z\\d])(?:(?:[A-Za-z][{_S}]{{2,}}|[A-Z]{{2,3}}[{_S}]{{3,}}|(?:[A-Za-z]{{2,3}}|[A-Zb-df-hj-np-tv-z]{{4}})[{_S}]{{4,}})"
        f"(?:[A-Za-z]{{1,2}}[{_S}]+)*|[{_S}]{{4,}}(?:[A-Za-z]{{1,2}}[{_S}]+)+[A-Za-z]{{0,2}})"
        f"(?:(?<=[{_S}]{{9}})[A-Za-z]{{2}})?(?![A-Za-z{_S}十百千万亿\\d])",
        codes.code,
    ),
    _rule("letter and digit", f"(?<![A-Za-z\\d])[A-Za-z][{_D}](?=[层座栋区口楼]|号(?:门|楼|口|柜))", codes.code),
    _rule(
        "groups with dashes",
        f"(?<![{_N}\\d])(?:十[{_D}]?|[{_S}]+)(?:[杠横](?:十[{_D}]?|[{_S}]+)){{1,3}}(?![{_S}十百千万亿\\d杠横])",
        codes.dashed,
    ),
    _rule("percentage", f"百分之(?P<n>百|[{_N}]+(?:点[{_D}]+)?){_END}", forms.percent),
    _rule("fraction", f"{_FREE}(?P<under>{_C})分之(?P<over>{_C}){_END}", forms.fraction),
    _rule(
        "decimal",
        f"{_FREE}(?P<whole>{_C})点(?P<rest>[{_D}]+)(?![{_D}两十百点半钟刻几\\d]|千(?!克|米)|分(?!钱))"
        f"(?P<unit>(?={_UNIT}|[元块毛万亿%匹度]))?",
        forms.decimal,
    ),
    _rule("before the hour", f"(?<=差){_C}(?=分钟?到?{_C}点)", forms.number),
    _rule("quarter before the hour", f"(?<=差)一刻(?=到?{_C}点)", lambda match: "15分"),
    _rule(
        "time",
        f"{_FREE}(?P<part>{'|'.join(forms.PARTS)})?{_WEEK}(?<![{_N}几])(?P<hour>{_C})"
        f"(?P<mark>点钟|点(?![钟几])|时(?!间|候|代|尚|常|髦|光|期|差|段))"
        f"(?:(?P<half>半)|(?P<quarter>[一三])刻钟?|(?P<minute>[{_D}十]+)(?P<fen>分)?(?![{_N}]|{_UNIT}|[元块折]))?",
        forms.clock,
    ),
    _rule("year of two digits", f"{_FREE}[{_D}]{{2}}(?=年(?!级|前|后|内))", forms.year),
    _rule(
        "digits",
        f"(?<![{_N}幺洞拐\\d{WRITTEN}])[{_S}]{{3,}}(?![十百千万亿\\d{WRITTEN}]|分之)(?P<unit>(?={_UNIT}))?",
        codes.run,
    ),
    _rule(
        "month and day",
        f"{_FREE}(?P<month>{_C})月(?P<middle>份)?(?:(?P<day>{_C})(?P<mark>[日号]))?(?!饼)",
        forms.month,
    ),
    _rule("decade", f"{_FREE}[零五六七八九][零五](?=后(?!面|边|天|来))", codes.pair),
    _rule("discount", f"{_FREE}{_TAIL}{{2}}(?=折(?!叠|腾|磨|断|返))", codes.pair),
    _rule("range", f"{_FREE}{_WEEK}(?P<low>{_C})(?P<to>[到至])(?P<high>{_C})(?={_UNIT}|[天年周次])(?!块)", forms.span),
    _rule("from", f"{_FREE}{_WEEK}{_C}(?=[到至]{_C}[元块毛])", forms.number),
    _rule(
        "amount",
        f"{_FREE}(?P<yuan>{_C})(?P<unit>块|元)(?:(?P<half>半)(?![个斤])"
        f"|零?(?P<jiao>{_ONE})[毛角](?:(?P<fen>{_ONE})分?(?!{_UNIT}))?|零(?P<single>{_ONE})分?(?![{_N}毛角])"
        f"|(?P<one>{_TAIL})(?=[一两二三四五六七八九半]{_UNIT}|一{_OTHER})"
        f"|(?P<last>{_TAIL}{{2}}{_STOP}|[二三四五六七八九]|一{_STOP})(?![{_N}点月]|{_UNIT}))?(?P<money>钱)?",
        forms.amount,
    ),
    _rule(
        "amount below one",
        f"{_FREE}(?P<jiao>{_C})(?P<unit>毛(?![巾笔衣线孩病绒发])|角(?={_ONE}分?|钱|$|[^\\u4e00-\\u9fff]|[的了吧呢吗]))"
        f"(?:(?P<fen>{_ONE})分?(?![{_N}]|{_UNIT}))?(?P<money>钱)?",
        forms.small_amount,
    ),
    _rule("fen", f"{_FREE}{_C}(?=分钱)", forms.number),
    _rule(
        "weight",
        f"{_FREE}(?P<whole>{_C})(?P<unit>公斤|千克|斤)(?:(?P<half>半)|(?P<liang>{_ONE})两(?!个|天|件|次)"
        f"|(?P<tenth>{_TAIL})(?![{_N}点月]|{_UNIT}|[元块毛]))",
        forms.weight,
    ),
    _rule("liang", f"{_FREE}(?:{_COUNT}|十[{_D}])(?=两(?![{_N}]|{_UNIT}|{_FEW}))", forms.number),
    _rule("length", f"{_FREE}(?P<whole>[一二两])米(?P<rest>[{_D}]{{1,2}})(?![{_N}]|{_UNIT}|[元块])", forms.height),
    _rule("kilograms", f"{_FREE}{_C}(?=千克)", forms.number),
    _rule("units", f"{_FREE}{_WEEK}{_C}(?={_STRONG})", forms.number),
    _rule("ordinal", f"(?<=第)(?:十|[{_N}]{{2,}}){_END}", forms.number),
    _rule("counted", f"{_FREE}{_WEEK}(?:{_COUNT}|[{_N}]{{2,}})(?={_GOODS})", forms.number),
    _rule("number", f"{_FREE}[{_N}]{{2,}}{_END}(?!分之)", forms.bare),
)
"""All rules. A later one sees what the earlier ones left."""
