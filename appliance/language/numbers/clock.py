"""Times of day as people say them: 下午三点半, 差五分八点, 晚上十点一刻, 15:30, 3pm, 中午12点."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time

from appliance.language.numbers.cardinal import parse_number

_N = "[零〇一二两三四五六七八九十\\d]"
_PART = "凌晨|半夜|清早|早上|早晨|早|上午|中午|下午|傍晚|晚上|夜里|晚|今晚|明晚|明早|今早"
_TIME = re.compile(
    f"(?P<part>{_PART})?"
    f"(?:差(?P<before>{_N}{{1,3}}|一刻)分?钟?(?:到)?(?P<toward>{_N}{{1,3}})点"
    f"|(?P<clock>\\d{{1,2}}):(?P<clockminute>\\d{{2}})(?: ?(?P<half>am|pm))?"
    f"|(?P<hour>{_N}{{1,3}})(?:点钟?(?!{_N}*(?:折|倍|公斤|斤|元|块|%|个))|时(?!间|候|刻))(?:(?P<halfpast>半)|(?P<quarter>[一三])刻|(?P<minute>零?{_N}{{1,3}})分?(?![\\d折个元块]))?整?"
    f"|(?P<ehour>\\d{{1,2}})(?P<eminute>:\\d\\d)? ?(?P<ehalf>am|pm)(?![a-z]))"
)
_AFTERNOON = ("下午", "傍晚", "晚上", "晚", "夜里", "今晚", "明晚")


@dataclass(frozen=True, slots=True)
class FoundTime:
    """A time of day found in a text."""

    start: int
    """First character."""
    end: int
    """One past the last character."""
    value: time
    """Hour and minute."""
    sure: bool
    """True when the part of the day is known; otherwise 1 to 12 may be morning or evening."""


def find_times(text: str) -> Iterator[FoundTime]:
    """Every time of day in a cleaned text; impossible ones are passed over.

    Without a part of the day the hour is taken as said. 24:00 becomes 00:00.
    """
    for match in _TIME.finditer(text):
        value = _value(match)
        if value is not None:
            sure = (
                bool(match["part"] or match["half"] or match["ehalf"]) or value.hour > 12 or match["clock"] is not None
            )
            yield FoundTime(match.start(), match.end(), value, sure)


def _number(text: str | None) -> int:
    value = parse_number(text.lstrip("零〇") or "零") if text else None
    return -1 if value is None else int(value)


def _value(match: re.Match[str]) -> time | None:
    minute, half = 0, match["half"] or match["ehalf"]
    if match["toward"]:
        hour = _number(match["toward"])
        minute = -15 if match["before"] == "一刻" else -_number(match["before"])
    elif match["clock"]:
        hour, minute = int(match["clock"]), int(match["clockminute"])
    elif match["ehour"]:
        hour, minute = int(match["ehour"]), int((match["eminute"] or ":0")[1:])
    else:
        if match.group() == "一点":  # 便宜一点, 快一点: a little, not one o'clock
            return None
        hour = _number(match["hour"])
        if match["halfpast"]:
            minute = 30
        elif match["quarter"]:
            minute = 15 if match["quarter"] == "一" else 45
        elif match["minute"]:
            minute = _number(match["minute"])
            if minute < 0:
                return None
    if not 0 <= hour <= 24 or not -59 <= minute <= 59:
        return None
    part = match["part"]
    if half == "pm" or part in _AFTERNOON or (part == "中午" and hour < 3):
        hour += 12 if hour < 12 else 0
        hour = 24 if hour == 12 and part in ("晚上", "夜里", "今晚", "明晚") else hour
    elif half == "am" and hour == 12:
        hour = 0
    minutes = (hour * 60 + minute) % (24 * 60)
    return time(minutes // 60, minutes % 60)
