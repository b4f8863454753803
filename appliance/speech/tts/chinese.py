"""Figures and signs of a written text in Chinese words: ¥128.50 -> 一百二十八元五角, 18:30 -> 晚上六点半.

A list of rules, each a pattern and what a match is said as; the first ones take the longest and surest forms (dates,
telephone numbers), the last ones whatever figures are left. What has been said holds no figures any more, so that no
later rule takes it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time
from fractions import Fraction

from appliance.language.numbers import say_amount, say_date, say_digits, say_number, say_time
from appliance.speech.tts import spell

_N = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_HAN = "\u4e00-\u9fff"
_PART = "凌晨|清早|早上|早晨|早|上午|中午|下午|傍晚|晚上|晚|夜里|今晚|明晚|今早|明早"
_CURRENCIES = {"¥": "元", "$": "美元", "€": "欧元", "£": "英镑"}
UNITS = {
    "km/h": "公里每小时", "m/s": "米每秒", "kWh": "千瓦时", "mAh": "毫安时", "km": "公里", "cm2": "平方厘米",
    "cm": "厘米", "mm": "毫米", "m2": "平方米", "m3": "立方米", "m": "米", "kg": "公斤", "KG": "公斤", "Kg": "公斤",
    "mg": "毫克", "g": "克", "t": "吨", "ml": "毫升", "mL": "毫升", "ML": "毫升", "L": "升", "l": "升", "kW": "千瓦",
    "W": "瓦", "V": "伏", "GHz": "吉赫", "MHz": "兆赫", "kHz": "千赫", "Hz": "赫兹", "dB": "分贝",
    "kcal": "千卡", "kJ": "千焦", "min": "分钟", "ms": "毫秒", "h": "小时", "s": "秒", "lb": "磅",
    "oz": "盎司", "px": "像素",
}  # fmt: skip
"""Units as they are written and as they are said."""
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_MEASURE = (
    "个|件|瓶|袋|包|盒|箱|只|支|张|条|双|套|台|部|把|罐|桶|份|根|卷|对|粒|颗|块|本|杯|片|位|名|人|天|年(?!级)|次|斤|公斤|千克|克|吨|"
    "毫升|升|毫米|厘米|米|公里|小时|分钟|秒|周|星期|种|家|间|层|遍|倍|步|站|度|元|毛|点|万|亿|千|百|平方|立方|排|岁|美元|欧元|英镑|串|"
    "根|道|门|样|顿|行(?!李)"
)
_KEYS = (
    "单号|运单|订单|编号|号码|尾号|后四位|后六位|取件码|验证码|提货码|取货码|取餐码|取餐号|排队号|密码|工号|卡号|会员号|账号|帐号|"
    "身份证号?|流水号|序列号|邮编|税号|代码|票号|凭证号|口令|短信码|识别码"
)
_LINES = "电话|热线|拨打|致电|拨|客服|手机|打|联系"

Said = Callable[[re.Match[str], bool], str]
"""What a match is said as, and whether 1 is 幺 where figures are read one by one."""


def worded(text: str, *, telephone: bool) -> str:
    """`text`, cleaned, with every figure and sign in Chinese words; Latin words and ASCII punctuation stay.

    Figures of telephone numbers, codes and rooms are read one by one, with 1 as 幺 where `telephone`. Full years too.
    """
    text = spell.ADDRESS.sub(lambda found: spell.address(found, "zh", telephone=telephone), text)
    for pattern, said in _RULES:
        text = pattern.sub(lambda found, said=said: said(found, telephone), text)  # type: ignore[misc]
    return text


def number(text: str) -> str:
    """A plain number: 1,200 -> 一千二百, 3.50 -> 三点五零; one that is too long or begins with 0 digit by digit."""
    whole, point, decimals = text.replace(",", "").partition(".")
    if (len(whole) > 1 and whole[0] == "0") or len(whole) > 12:
        front = say_digits(whole, telephone=False)
    else:
        front = say_number(int(whole))
    return front + ("点" + say_digits(decimals, telephone=False) if point else "")


def _counted(text: str) -> str:
    return "两" if text == "2" else number(text)


def _phone(found: re.Match[str], telephone: bool) -> str:
    front = "加八六," if found.group().startswith("+") else ""
    groups = [group for group in found.groups() if group]
    return front + spell.grouped(groups, "zh", telephone=telephone)


def _date(found: re.Match[str], telephone: bool) -> str:
    try:
        return say_date(date(int(found[1]), int(found[3]), int(found[4])), year=True)
    except ValueError:  # 2026-13-45 is no date: its figures are left to the rules that follow
        return found.group()


def _month(found: re.Match[str], telephone: bool) -> str:
    if not 1 <= int(found[2]) <= 12:
        return found.group()
    return f"{say_digits(found[1], telephone=False)}年{say_number(int(found[2]))}月"


def _clock(found: re.Match[str], telephone: bool) -> str:
    part, hour, minute, second, half = (found[name] for name in ("part", "hour", "minute", "second", "half"))
    hours, minutes = int(hour), int(minute or 0)
    if hours > 24 or (hours == 24 and minutes) or (half and hours > 12):
        return found.group()
    if half:
        hours = hours % 12 + (12 if half.lower().startswith("p") else 0)
    if hours == 24:
        return (part or "") + ("十二点" if part else "二十四点")
    words = say_time(time(hours, minutes))
    if part:
        words = part + re.sub(r"^(?:凌晨|早上|上午|中午|下午|晚上)", "", words)
    if second and int(second):
        words = words.replace("半", "三十分") + ("" if minutes else "零分") + f"{number(str(int(second)))}秒"
    return words


def _money(found: re.Match[str], telephone: bool) -> str:
    figure, scale = found["number"].replace(",", ""), found["scale"] or ""
    unit = _CURRENCIES[found["sign"]]
    front = "负" if found["minus"] or found["low"] else ""
    if unit != "元" or scale or len(figure.partition(".")[2]) > 2:
        return f"{front}{_counted(figure)}{scale}{unit}"
    return front + _amount(figure)


def _amount(figure: str) -> str:
    """An amount in yuan; one that no till shows, too long or too fine, as a plain number."""
    whole, _, decimals = figure.partition(".")
    return number(figure) + "元" if len(whole) > 12 or len(decimals) > 2 else say_amount(Fraction(figure))


def _yuan(found: re.Match[str], telephone: bool) -> str:
    figure = found[1].replace(",", "")
    words = _amount(figure)
    return words if found[2] == "元" else words.replace("元", "块").replace("角", "毛")


def _discount(found: re.Match[str], telephone: bool) -> str:
    return say_digits(found[1].replace(".", ""), telephone=False) + "折"


def _fraction(found: re.Match[str], telephone: bool) -> str:
    over, under = int(found[1]), int(found[2])
    if 0 < over < under <= 10 or (under in (100, 1000) and over < under):
        return f"{number(found[2])}分之{number(found[1])}"
    if 1 <= over <= 12 and 1 <= under <= 31:
        return f"{number(found[1])}月{number(found[2])}号"
    return found.group()


def _degrees(found: re.Match[str], telephone: bool) -> str:
    scale = {"c": "摄氏度", "f": "华氏度"}.get((found[3] or "").lower(), "度")
    return ("零下" if found[1] else "") + number(found[2]) + scale


def _plain(found: re.Match[str], telephone: bool) -> str:
    figure = found[2].replace(",", "")
    sign = "负" if found[1] else ""
    whole, _, decimals = figure.partition(".")
    if (
        not decimals
        and "," not in found[2]
        and ((len(whole) > 1 and whole[0] == "0") or (len(whole) > 6 and not whole.endswith("000")))
    ):
        return sign + spell.digits(whole, "zh", telephone=telephone)
    return sign + number(figure)


def _one_by_one(group: int) -> Said:
    return lambda found, telephone: spell.digits(found[group], "zh", telephone=telephone)


def _coded(found: re.Match[str], telephone: bool) -> str:
    return found[1] + spell.code(found[2], "zh", telephone=telephone)


def _rule(pattern: str, said: Said | str) -> tuple[re.Pattern[str], Said]:
    # ASCII: only so is there a word boundary between a Chinese character and a figure.
    if isinstance(said, str):
        return re.compile(pattern, re.ASCII), lambda found, telephone: found.expand(said)
    return re.compile(pattern, re.ASCII), said


_RULES = (
    # --- dates and times -------------------------------------------------------------------------------------------
    _rule(r"(?<=\d)T(?=\d\d:)", " "),
    _rule(r"(?<![\d.-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d]|[-/.]\d)", _date),
    _rule(r"(?<![\d.-])((?:19|20)\d\d)[-/](\d{1,2})(?![\d/:]|-\d)", _month),
    _rule(
        rf"(?P<part>{_PART})? ?(?<![\d.:])(?P<hour>\d{{1,2}}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![\d:])"
        r"(?: ?(?P<half>[AaPp]\.?[Mm]\b\.?))?",
        _clock,
    ),
    _rule(r"(?P<part>)(?<![\d.:])(?P<hour>1?\d)(?P<minute>)(?P<second>) ?(?P<half>[AaPp]\.?[Mm]\b\.?)", _clock),
    _rule(r"(凌晨|早上|上午|中午|下午|晚上)([零一二两三四五六七八九十半点分]+)(?: ?[-~至到] ?)\1", r"\1\2到"),
    _rule(r"(?<=[点半分秒]) ?[-~] ?(?=凌晨|早上|上午|中午|下午|晚上)", "到"),
    _rule(r"(?<!\d)(\d{4})[-~](?=\d{4}年)", lambda f, t: say_digits(f[1], telephone=False) + "到"),
    _rule(r"(?<!\d)(\d{4})(?=(?:[到至]\d{4})?年)", lambda f, t: say_digits(f[1], telephone=False)),
    _rule(r"(?<=年)[-~](?=\d)", "到"),
    _rule(r"(?<!\d)(\d\d)(?=年\d{1,2}月|后(?:的|们|,|$))", lambda f, t: say_digits(f[1], telephone=False)),
    # --- telephone numbers, codes ----------------------------------------------------------------------------------
    _rule(r"(?<![\d.])(?:\+?86[- ]?)?(1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?!\d)", _phone),
    _rule(r"(?<![\d.])(?:\((0\d{2,3})\) ?|(0\d{2,3})[- ])(\d{3,4})[- ]?(\d{4})(?!\d)", _phone),
    _rule(r"(?<![\d.])([48]00)[- ]?(\d{3})[- ]?(\d{4})(?!\d)", _phone),
    _rule(r"(?<![\d.])([48]00)-(\d{4})-(\d{3})(?!\d)", _phone),
    _rule(r"(?<=[零幺一二三四五六七八九])(转) ?(\d{2,6})(?!\d)", _coded),
    _rule(rf"((?:{_LINES})(?:号码|是|为|:| )*)(\d{{3,8}})(?![\d.:]| ?(?:{_MEASURE}|{_UNIT}|折))", _coded),
    _rule(r"(?<!\d)(?:95\d{3}|1[02]\d{3}|123\d\d|1[12][0-9]|[48]00)(?=热线|客服|电话)", _one_by_one(0)),
    _rule(
        rf"((?:{_KEYS})(?:末四位|后四位)?(?:是|为|:| |,)*)"
        r"([A-Za-z]{0,6}-?\d[\dA-Za-z]{2,}(?:-[\dA-Za-z]+)*|[\dA-Za-z]+(?:-[\dA-Za-z]+)+)"
        rf"(?![\dA-Za-z.]| ?(?:{_MEASURE}))",
        _coded,
    ),
    _rule(
        r"(?<!\d)(\d{2,4}) 星号 (\d{2,4})(?!\d)", lambda f, t: spell.grouped([f[1], "星号", f[2]], "zh", telephone=t)
    ),
    _rule(rf"(?<=\d0)\+(?= ?[{_HAN}])", "多"),
    _rule(r"()(?<![\dA-Za-z-])(\d{1,3}-\d{1,3}-\d{2,6})(?![\d-])", _coded),
    _rule(r"()(?<![\dA-Za-z])((?=[A-Z]*\d[\dA-Z]*[A-Z]|[A-Z]+\d)[A-Z\d]{7,})(?![\dA-Za-z])", _coded),
    _rule(r"()(?<![A-Za-z])([A-Z]{1,4}-?(?:0\d+|\d{3,}))(?![\d.:]|[A-Za-z])", _coded),
    _rule(r"(?<!\d)(\d{3,4})(?=室|房|号房|路(?:公|车|$|[,。]))", _one_by_one(1)),
    _rule(
        r"(?<![\d.])(\d+(?:\.\d+){2,})(?![\d])",
        lambda f, t: "点".join(say_digits(p, telephone=False) for p in f[1].split(".")),
    ),
    # --- ranges and signs between figures --------------------------------------------------------------------------
    _rule(r"(?<=\d) ?- ?(?=\d+(?:\.\d+)? ?=)", "减"),
    _rule(rf"(?<=\d)({_UNIT}) ?[-~] ?(?=\d)", r"\1到"),
    _rule(r"(?<=[\d%元块折号日月天个]) ?[-~] ?(?=[¥$]?\d)|(?<=[CF]) ?[-~] ?(?=\d+ ?°)|(?<=°[CF])[-~](?=-?\d)", "到"),
    _rule(r"(?<=\d) ?[x*×] ?(?=\d)", "乘"),
    _rule(r"(?<=\d) ?÷ ?(?=\d)", "除以"),
    _rule(r" ?≥ ?", "大于等于"),
    _rule(r" ?≤ ?", "小于等于"),
    _rule(r" ?≠ ?", "不等于"),
    _rule(r"±", "正负"),
    _rule(r" ?= ?(?=[-\d])", "等于"),
    _rule(r" ?> ?(?=\d)", "大于"),
    _rule(r" ?< ?(?=\d)", "小于"),
    # --- amounts, shares, degrees, measures ------------------------------------------------------------------------
    _rule(
        rf"(?P<minus>-)?(?P<sign>[¥$€£]) ?(?P<low>-)?(?P<number>{_N}) ?(?P<scale>万|亿)?(?:美元|欧元|英镑|元|块)?",
        _money,
    ),
    _rule(rf"(?:RMB|CNY) ?({_N})()", lambda f, t: _amount(f[1].replace(",", ""))),
    _rule(rf"(?<![\d.])({_N}) ?(元|块钱|块)", _yuan),
    _rule(r"(?<=[元块角毛]) ?/ ?", "每"),
    _rule(rf"({_N})到({_N}) ?%", lambda f, t: f"百分之{number(f[1])}到百分之{number(f[2])}"),
    _rule(rf"(-)?({_N}) ?%", lambda f, t: ("负" if f[1] else "") + f"百分之{number(f[2])}"),
    _rule(rf"(?<![\d.])({_N}) ?折", _discount),
    _rule(r"(?<![\d./])(\d{1,4})/(\d{1,4})(?![\d/])", _fraction),
    _rule(rf"(?<!\d)(-)?({_N})(?=到-?\d+(?:\.\d+)? ?°)", lambda f, t: ("零下" if f[1] else "") + number(f[2])),
    _rule(rf"(-)?({_N}) ?°([CFcf])?(?![A-Za-z])", _degrees),
    _rule(rf"((?:{_N}) ?)({_UNIT})(?![A-Za-z\d])", lambda f, t: f[1].strip() + UNITS[f[2]]),
    _rule(rf"每({_UNIT})(?![A-Za-z\d])", lambda f, t: "每" + UNITS[f[1]]),
    _rule(rf"(?<=\d)([{_HAN}]{{1,2}})/(?=[{_HAN}])", r"\1每"),
    _rule(r"\bNo\.? ?(\d+)(?! ?号)", r"\1号"),
    _rule(rf"(?<![\d.第十百千万零到-])2(?= ?(?:{_MEASURE})(?!月))", "两"),
    _rule(rf"((?<![\dA-Za-z{_HAN}.,])-|(?<=[{_HAN}:,] )-|(?<=[为是达到至:])-)?({_N})", _plain),
    # --- signs that are left ---------------------------------------------------------------------------------------
    _rule(r" ?\+ ?", "加"),
    _rule(r" ?& ?", "和"),
    _rule(r"°", "度"),
    _rule(r"%", "百分号"),
    _rule(r"@", "艾特"),
    _rule(rf"(?<=[{_HAN}A-Za-z]) ?/ ?(?=[{_HAN}A-Za-z])", "、"),
)
