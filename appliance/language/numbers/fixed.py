"""Words in which a numeral counts nothing, or is part of a name, so that nobody writes it in digits.

Only what a rule of `rules` would otherwise touch stands here: 一下, 一样, 一起, 万一, 十分 and 三心二意 hold no numeral
that a rule reads, because one numeral alone is written in digits only in front of a measure word, and 一 only in front
of a unit. A pack's own names come as `protected` beside these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SAYINGS = (
    "三天两头 三天打鱼两天晒网 三番五次 三番两次 两次三番 三年五载 十万八千里 十万火急 十八般武艺 十八变 "
    "五十步笑百步 三十而立 四两拨千斤 半斤八两 九牛一毛 一毛不拔 一千零一夜 一分钱一分货 三十六计 七十二变 "
    "七十二行 三百六十行 七七八八 三三两两 三六九等 二百五 三点水 三点式 二次元 三次元 二把手 三把手 三部曲 "
    "三角形 三角裤 三角巾 三角板 五角星 六角形 八角形 三毛流浪记 张三 李四 王五 赵六 三个臭皮匠 三人行 五花肉 "
    "两两 三克油 十天半月 十天半个月 五年计划 一亩三分地 八抬大轿 双十一 双十二 三折伞 五折伞"
)
_BRANDS = (
    "三只松鼠 六个核桃 十三香 十月稻田 十月妈咪 三元牛奶 三元酸奶 三元奶粉 三元食品 一号店 七匹狼 两面针 五月天 "
    "七度空间 五十铃 二十一金维他 三九感冒灵 九九九感冒灵 五五海淘 八月瓜 八月炸"
)
_PLACES = (
    "五台山 三台县 六盘水 七台河 九台区 四块石 三元桥 三元里 三元区 五角场 三角地 十里堡 八里庄 三里屯 五道口 五块石"
)
_SHAPED = (
    "三包(?=政策|期|规定|卡|服务|凭证|法|范围|吗|内)",
    "(?<=国家)三包",
    "(?<=享受)三包",
    "(?<=在)三包",
    "五一(?=[一二三四五六七八九]{1,2}折)",
    "十一(?=放假|长假|假期|黄金周|国庆|期间|小长假)",
    "(?<=国庆)十一",
    "(?:二月二|三月三|五月五|九月九|八月十五)(?![号日十])",
    "(?<![元块])八角(?![一二三四五六七八九钱])",
    "一点(?:一滴|点|儿)",
    "[这那前过]两天",
    "(?:腊月|正月|冬月)[初一二三四五六七八九十]+",
    # 五十一斤 is fifty a pound as often as fifty-one pounds, so it says both as it is.
    "(?<![一两二三四五六七八九十百千万零])[二三四五六七八九]十一(?=公?斤|[个件瓶袋包盒箱只支张条双套桶罐本片米])",
    "(?<![一两二三四五六七八九十几])(?:周|星期|礼拜)[一二三四五六](?![十百千万])",
    "(?:[东南西北中][一二三四五六七八九]|[一二三四五六七八九][纬经])路",
)
"""Regular expressions, for words that are fixed only in some company."""

NUMERALS = "零〇一二两三四五六七八九十百千万亿幺洞拐"
"""Characters that a rule may read as part of a number."""

FIXED: tuple[str, ...] = tuple(dict.fromkeys(f"{_SAYINGS} {_BRANDS} {_PLACES}".split()))
"""The fixed words that need no company."""


def fixed_words(protected: Iterable[str] = ()) -> re.Pattern[str]:
    """What is never rewritten: the words of this module and those of `protected` that hold a numeral, longest first."""
    own = {word.replace(" ", "") for word in protected}
    names = {word for word in own if len(word) > 1 and any(character in NUMERALS for character in word)}
    words = sorted(names.union(FIXED), key=lambda word: (-len(word), word))
    return re.compile("|".join([*map(_whole, words), *_SHAPED]))


def _whole(word: str) -> str:
    """The word where it does not end in the middle of a numeral, as 二百五 does in 二百五十."""
    before = f"(?<![{NUMERALS}])" if word[0] in NUMERALS else ""
    behind = f"(?![{NUMERALS}])" if word[-1] in NUMERALS else ""
    return f"{before}{re.escape(word)}{behind}"
