"""Numbers as a person says them in Chinese: the way back from digits to words, for answers that are spoken."""

from __future__ import annotations

from datetime import date, time
from fractions import Fraction

_DIGITS = "零一二三四五六七八九"
_TELEPHONE = "零幺二三四五六七八九"
_WEEKDAYS = "一二三四五六日"


def say_number(value: int | Fraction, *, places: int = 2) -> str:
    """The cardinal in words: 250 -> 二百五十, 1001 -> 一千零一, 3.5 -> 三点五, below 10^16; negatives begin with 负."""
    if value < 0:
        return "负" + say_number(-value, places=places)
    whole = int(value)
    scaled = int((Fraction(value) - whole) * 10**places * 2 + 1) // 2
    if scaled == 10**places:
        whole, scaled = whole + 1, 0
    words = _whole(whole)
    decimals = f"{scaled:0{places}d}".rstrip("0") if places else ""
    return f"{words}点{''.join(_DIGITS[int(d)] for d in decimals)}" if decimals else words


def _whole(value: int) -> str:
    if value >= 10**16:
        raise ValueError(f"expected a number below 10^16, got {value}")
    if value < 10:
        return _DIGITS[value]
    words = ""
    for unit, name in ((10**8, "亿"), (10**4, "万"), (1, "")):
        part, value = divmod(value, unit)
        if not part:
            continue
        if part >= 10**4:  # thousands of 亿
            words += _whole(part) + name
            continue
        if words and part < 1000:
            words += "零"
        words += _below_ten_thousand(part) + name
    return words[1:] if words.startswith("一十") else words


def _below_ten_thousand(value: int) -> str:
    words, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, value = divmod(value, unit)
        if digit:
            words += ("零" if gap and words else "") + _DIGITS[digit] + name
            gap = False
        else:
            gap = True
    return words


def say_digits(digits: str, *, telephone: bool = True) -> str:
    """Digit by digit, 1 as 幺 unless `telephone` is False; letters and dashes stay as they are."""
    names = _TELEPHONE if telephone else _DIGITS
    return "".join(names[int(c)] if "0" <= c <= "9" else c for c in digits)


def say_amount(yuan: Fraction) -> str:
    """An amount of money, exact to the fen: 3.5 -> 三元五角, 12.08 -> 十二元零八分, 0.5 -> 五角, 2 -> 两元."""
    fen = int(yuan * 100 * 2 + 1) // 2
    whole, rest = divmod(fen, 100)
    jiao, single = divmod(rest, 10)
    words = f"{_counted(whole)}元" if whole or not rest else ""
    if jiao:
        words += f"{_counted(jiao) if not words else _DIGITS[jiao]}角"
    if single:
        words += ("零" if whole and not jiao else "") + f"{_DIGITS[single]}分"
    return words


def _counted(value: int) -> str:
    """A number in front of a unit: 2 is 两 there."""
    return "两" if value == 2 else _whole(value)


def say_date(day: date, *, year: bool = False) -> str:
    """A date: 十一月二十二号, with the year in front digit by digit where asked."""
    front = say_digits(str(day.year), telephone=False) + "年" if year else ""
    return f"{front}{_whole(day.month)}月{_whole(day.day)}号"


def say_weekday(day: date) -> str:
    """The day of the week: 星期日."""
    return "星期" + _WEEKDAYS[day.weekday()]


def say_time(moment: time) -> str:
    """A time of day with its part of the day: 15:30 -> 下午三点半, 08:05 -> 早上八点零五分."""
    hour = moment.hour
    part = "凌晨" if hour < 5 else "早上" if hour < 9 else "上午" if hour < 12 else "中午" if hour < 13 else ""
    part = part or ("下午" if hour < 18 else "晚上")
    words = part + _counted(hour if hour <= 12 else hour - 12) + "点"
    if moment.minute == 30:
        return words + "半"
    if moment.minute:
        words += ("零" if moment.minute < 10 else "") + _whole(moment.minute) + "分"
    return words
