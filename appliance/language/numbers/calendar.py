"""Dates as people say them: 十一月二十二号, 二〇二六年一月三日, 明天, 下周三, Nov 22, tomorrow, 3 days ago."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from appliance.language.numbers.cardinal import parse_number

_N = "[零〇一二两三四五六七八九十\\d]"
_RELATIVE = {
    "大前天": -3, "前天": -2, "前日": -2, "昨天": -1, "昨日": -1, "昨晚": -1, "昨儿": -1,
    "今天": 0, "今日": 0, "今晚": 0, "今早": 0, "今儿": 0, "today": 0, "tonight": 0,
    "明天": 1, "明日": 1, "明早": 1, "明晚": 1, "明儿": 1, "后天": 2, "后日": 2, "后儿": 2, "大后天": 3,
    "the day after tomorrow": 2, "the day before yesterday": -2, "tomorrow": 1, "yesterday": -1,
}  # fmt: skip
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = {
    "一": 0,
    "二": 1,
    "三": 2,
    "四": 3,
    "五": 4,
    "六": 5,
    "日": 6,
    "天": 6,
    "1": 0,
    "2": 1,
    "3": 2,
    "4": 3,
    "5": 4,
    "6": 5,
}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SOME = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
         "ten": 10, "a couple of": 2}  # fmt: skip
_SPANS = {"周": 7, "星期": 7, "礼拜": 7, "月": 30, "day": 1, "week": 7, "month": 30}
_DATE = re.compile(
    f"(?:(?P<year>[零〇一二三四五六七八九\\d]{{4}}|[零〇一二三四五六七八九\\d]{{2}})年|(?P<whichyear>今年|明年|去年))?"
    f"(?:(?P<month>{_N}{{1,3}})月(?:份)?|(?P<whichmonth>这个?月|本月|下个?月|上个?月))"
    f"(?P<day>{_N}{{1,3}})(?:日|号|(?![\\d个瓶块元点]))"
    f"|(?P<y>20\\d\\d)[-/.](?P<m>\\d{{1,2}})[-/.](?P<d>\\d{{1,2}})(?!\\d)"
    f"|(?P<word>{'|'.join(sorted(_RELATIVE, key=len, reverse=True))})(?![a-z])"
    f"|(?P<which>上上|下下|上|下|这|本)?个?(?:周|星期|礼拜)(?P<weekday>[一二三四五六日天]|[1-6](?!\\d))"
    f"|(?P<ago>{_N}{{1,3}})天(?P<dir>前|后|以前|以后|之前|之后)"
    f"|(?P<many>{_N}{{1,3}}|半)个?(?P<unit>周|星期|礼拜|月)(?:以前|之前|前)"
    f"|(?:the )?(?:(?P<whichday>last|this past|this|next|on) )?(?P<day_en>{'|'.join(_DAYS)})(?![a-z])"
    f"|(?P<some>{'|'.join(_SOME)}|\\d{{1,3}}) (?P<unit_en>day|week|month)s? (?P<dir_en>ago|from now)(?![a-z])"
    f"|(?P<lone>{_N}{{1,3}})号(?!楼|柜|店|线|门|口|货|收|窗|桌|机|电|台|库|通|架|单|码)"
    f"|(?P<name>{'|'.join(_MONTHS)})[a-z]* (?P<nth>\\d{{1,2}})(?:st|nd|rd|th)?(?!\\d)"
)
_WEEKS = {"上上": -2, "上": -1, "这": 0, "本": 0, "下": 1, "下下": 2, None: 0}


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date found in a text."""

    start: int
    """First character."""
    end: int
    """One past the last character."""
    value: date
    """The day."""
    sure: bool
    """False for a lone day number, which may mean something else."""


def find_dates(text: str, today: date) -> Iterator[FoundDate]:
    """Every date in a cleaned text, relative ones counted from `today`; impossible dates are passed over.

    A month and day without a year is the one nearest to `today`; a weekday without a week is the coming one. Weeks and
    months ago count as 7 and 30 days.
    """
    for match in _DATE.finditer(text):
        try:
            value = _value(match, today)
        except (ValueError, OverflowError):  # a day that no calendar has, such as 2月30日
            continue
        if value is not None:
            yield FoundDate(match.start(), match.end(), value, match["lone"] is None)


def _number(text: str) -> int:
    value = parse_number(text)
    if value is None:
        raise ValueError(f"expected a numeral, got {text!r}")
    return int(value)


def _value(match: re.Match[str], today: date) -> date | None:
    if match["word"]:
        return today + timedelta(days=_RELATIVE[match["word"]])
    if match["y"]:
        return date(int(match["y"]), int(match["m"]), int(match["d"]))
    if match["weekday"]:
        ahead = _WEEKDAYS[match["weekday"]] - today.weekday()
        if match["which"] is None and ahead < 0:
            ahead += 7
        return today + timedelta(days=ahead + 7 * _WEEKS[match["which"]])
    if match["ago"]:
        days = _number(match["ago"])
        return today + timedelta(days=-days if "前" in match["dir"] else days)
    if match["many"]:
        span = _SPANS[match["unit"]]
        return today - timedelta(days=span // 2 if match["many"] == "半" else span * _number(match["many"]))
    if match["some"]:
        count = _SOME.get(match["some"]) or int(match["some"])
        return today + timedelta(days=_SPANS[match["unit_en"]] * count * (-1 if match["dir_en"] == "ago" else 1))
    if match["day_en"]:
        return _english_weekday(today, match["whichday"], _DAYS.index(match["day_en"]))
    if match["lone"]:
        return _nearest_month(today, _number(match["lone"]))
    if match["name"]:
        return _nearest_year(today, _MONTHS.index(match["name"]) + 1, int(match["nth"]))
    day = _number(match["day"])
    if match["whichmonth"]:
        step = {"下": 1, "上": -1}.get(match["whichmonth"][0], 0)
        month = today.month - 1 + step
        return date(today.year + month // 12, month % 12 + 1, day)
    month = _number(match["month"])
    if match["year"]:
        year = _number(match["year"])
        return date(year if year > 99 else 2000 + year, month, day)
    if match["whichyear"]:
        return date(today.year + {"明": 1, "去": -1}.get(match["whichyear"][0], 0), month, day)
    return _nearest_year(today, month, day)


def _english_weekday(today: date, which: str | None, weekday: int) -> date:
    """Last Monday is the latest one before today, next Monday the first one after it, Monday alone the coming one."""
    back = (today.weekday() - weekday) % 7
    if which in ("last", "this past"):
        return today - timedelta(days=back or 7)
    ahead = (weekday - today.weekday()) % 7
    return today + timedelta(days=(ahead or 7) if which == "next" else ahead)


def _nearest_year(today: date, month: int, day: int) -> date:
    possible = []
    for year in (today.year - 1, today.year, today.year + 1):
        try:
            possible.append(date(year, month, day))
        except ValueError:  # 29 February outside a leap year
            continue
    if not possible:
        raise ValueError(f"expected a day of the year, got {month}-{day}")
    return min(possible, key=lambda candidate: abs(candidate - today))


def _nearest_month(today: date, day: int) -> date:
    """The day of this month, or of the next one when this month has no such day."""
    try:
        return today.replace(day=day)
    except ValueError:
        following = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
        return following.replace(day=day)
