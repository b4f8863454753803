"""Invented values of every entity type, as customers write them, to fill templates and to vary mentions in sentences.

Numbers are drawn at random and belong to nobody; names are put together from common family and given names.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import yaml

from appliance.packs.schema import Pack

_DIGITS = "零一二三四五六七八九"
_SPOKEN = str.maketrans("0123456789", "零幺二三四五六七八九")
_CALLED = ("先生", "女士", "小姐", "师傅", "阿姨", "老师", "大哥", "大姐")
_CARRIERS = (
    ("SF", 13), ("YT", 13), ("JT", 13), ("JD", 13), ("ZTO", 12), ("STO", 12), ("77", 13), ("43", 13), ("73", 12),
)  # fmt: skip
_GOODS = {"product": "products", "brand": "brands", "place": "places"}
"""Types of which words.yaml has more than a pack's tables."""
_MAILS = ("qq.com", "163.com", "126.com", "gmail.com", "sina.com", "outlook.com", "foxmail.com")


@lru_cache(maxsize=1)
def _words() -> Mapping[str, list[str]]:
    """The lists of words.yaml."""
    found: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text("utf-8"))
    return found


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def _maybe_spoken(rng: random.Random, number: str, share: float = 0.25) -> str:
    return number.translate(_SPOKEN) if rng.random() < share else number


def _chinese(number: int) -> str:
    """A number below 1000 in Chinese."""
    if number < 10:
        return _DIGITS[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return ("" if tens == 1 else _DIGITS[tens]) + "十" + (_DIGITS[ones] if ones else "")
    hundreds, rest = divmod(number, 100)
    tail = (
        ""
        if not rest
        else (
            "零" + _DIGITS[rest]
            if rest < 10
            else _DIGITS[rest // 10] + "十" + (_DIGITS[rest % 10] if rest % 10 else "")
        )
    )
    return _DIGITS[hundreds] + "百" + tail


def _number(rng: random.Random, low: int, high: int) -> str:
    number = rng.randint(low, high)
    return _chinese(number) if rng.random() < 0.5 else str(number)


def phone(rng: random.Random) -> str:
    """A mobile number, sometimes grouped or spoken."""
    number = "1" + rng.choice("3456789") + _digits(rng, 9)
    if rng.random() < 0.15:
        return f"{number[:3]}{rng.choice(' -')}{number[3:7]}{rng.choice(' -')}{number[7:]}"
    return _maybe_spoken(rng, number)


def tracking_no(rng: random.Random) -> str:
    """A waybill number of some carrier."""
    head, count = rng.choice(_CARRIERS)
    if rng.random() < 0.3:
        head = head.lower()
    return head + (_digits(rng, count) if rng.random() < 0.85 else _digits(rng, count).translate(_SPOKEN))


def pickup_code(rng: random.Random) -> str:
    """A code of shelf, row and parcel, or of digits."""
    if rng.random() < 0.6:
        parts = str(rng.randint(1, 30)), str(rng.randint(1, 9)), _digits(rng, 4)
        spoken = rng.random() < 0.2
        return ("杠" if spoken else "-").join(p.translate(_SPOKEN) if spoken else p for p in parts)
    return _maybe_spoken(rng, _digits(rng, rng.choice((4, 6, 8))))


def order_no(rng: random.Random) -> str:
    """The number of an order or receipt."""
    return (
        rng.choice(("", "", "DD", "NO", "E"))
        + rng.choice(("2026", "2025", "1100", "88"))
        + _digits(rng, rng.choice((4, 8, 10)))
    )


def person(rng: random.Random, surnames: Sequence[str] = ()) -> str:
    """A name, or a family name with a title."""
    family = rng.choice(list(surnames) or list("王李张刘陈杨赵黄周吴"))
    return family + (rng.choice(_words()["given"]) if rng.random() < 0.65 else rng.choice(_CALLED))


def address(rng: random.Random) -> str:
    """From a city alone to a door."""
    city = rng.choice(_words()["cities"] + _words()["provinces"])
    if rng.random() < 0.35:
        return city + rng.choice(("", "", "市" if city in _words()["cities"] else "省"))
    found = (
        (rng.choice(_words()["provinces"]) + "省" if rng.random() < 0.3 else "")
        + rng.choice(_words()["cities"])
        + rng.choice(("市", ""))
    )
    found += rng.choice(_words()["districts"]) if rng.random() < 0.7 else ""
    if rng.random() < 0.7:
        found += rng.choice(_words()["roads"]) + _number(rng, 1, 300) + "号"
    if rng.random() < 0.5:
        found += rng.choice(_words()["estates"]) + (
            f"{rng.randint(1, 20)}栋{rng.randint(1, 30)}0{rng.randint(1, 4)}" if rng.random() < 0.6 else ""
        )
    return found


def quantity(rng: random.Random) -> str:
    """How many of something."""
    if rng.random() < 0.3:
        return rng.choice(_words()["counted_goods"])
    return rng.choice((*"一两三四五六十半", "几", "2", "3", "6")) + rng.choice(_words()["counted"])


def weight(rng: random.Random) -> str:
    """How heavy."""
    unit = rng.choice(("公斤", "斤", "千克", "kg", "克", "KG"))
    return (
        (_number(rng, 1, 30) if rng.random() < 0.7 else f"{rng.randint(1, 20)}.{rng.randint(1, 9)}")
        + unit
        + rng.choice(("", "", "", "半") if unit in ("斤", "公斤") else ("",))
    )


def amount(rng: random.Random) -> str:
    """A sum of money."""
    if rng.random() < 0.3:
        return f"{rng.randint(1, 300)}.{rng.randint(1, 99)}" + rng.choice(("元", "块", "块钱"))
    return _number(rng, 1, 500) + rng.choice(("块", "元", "块钱", "块五", "块八"))


def date(rng: random.Random) -> str:
    """A day."""
    if rng.random() < 0.25:
        return f"{_number(rng, 1, 12)}月{_number(rng, 1, 28)}{rng.choice('号日')}"
    return rng.choice(_words()["dates"])


def time(rng: random.Random) -> str:
    """A time of day."""
    if rng.random() < 0.3:
        return (
            rng.choice(("早上", "上午", "下午", "晚上", ""))
            + _number(rng, 1, 12)
            + rng.choice(("点", "点半", "点钟", "点二十"))
        )
    return rng.choice(_words()["times"])


def ticket_no(rng: random.Random) -> str:
    """The number of somebody who waits."""
    return rng.choice("ABCDabc") + (_digits(rng, 3) if rng.random() < 0.8 else _digits(rng, 2).translate(_SPOKEN))


def email(rng: random.Random) -> str:
    """A mail address."""
    name = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 8)))
    return name + rng.choice(("", _digits(rng, 2), _digits(rng, 4))) + "@" + rng.choice(_MAILS)


def tax_no(rng: random.Random) -> str:
    """The 18 characters of a company's tax number; its check character is not right."""
    letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    return "91" + _digits(rng, 6) + "MA" + "".join(rng.choice(letters) for _ in range(8))


def inventors(pack: Pack, *, goods: bool = True) -> Mapping[str, Callable[[random.Random], str]]:
    """A function for each of the pack's entity types that draws a value.

    Listed things are drawn from the pack's tables and, with `goods`, half of them from words.yaml: no shop's table has
    all that people ask for.
    """
    lexicon = pack.lexicon
    listed: dict[str, list[str]] = {}
    for entry in lexicon.gazetteer:
        listed.setdefault(entry.type, []).extend(entry.surfaces)

    def from_list(*lists: list[str]) -> Callable[[random.Random], str]:
        return lambda rng: rng.choice(rng.choice(lists))

    known = {kind: [_words()[name]] for kind, name in _GOODS.items()} if goods else {}
    found: dict[str, Callable[[random.Random], str]] = {
        kind: from_list(names, *known.get(kind, ())) for kind, names in listed.items() if kind != "address"
    }
    found |= {
        "tracking_no": tracking_no, "pickup_code": pickup_code, "order_no": order_no, "phone": phone,
        "person": lambda rng: person(rng, lexicon.surnames[:120]), "address": address, "quantity": quantity,
        "weight": weight, "amount": amount, "date": date, "time": time, "ticket_no": ticket_no, "email": email,
        "tax_no": tax_no, "colour": from_list(_words()["colours"]), "size": from_list(_words()["sizes"]),
    }  # fmt: skip
    return {kind: draw for kind, draw in found.items() if kind in lexicon.entity_types}
