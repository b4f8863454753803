"""Chinese postal addresses: province, city and district from the table of divisions, then street, number and room."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from appliance.language.candidates import GUESS, PATTERN, Candidate

_SUFFIX = re.compile("(?:特别行政区|维吾尔自治区|壮族自治区|回族自治区|自治区|自治州|地区|省|市|区|县|盟)$")
_NATIONS = re.compile(
    "(?:[^省市州]*?)((?:藏族|羌族|彝族|布依族|苗族|侗族|壮族|傣族|白族|景颇族|傈僳族|哈尼族|回族|蒙古族|蒙古|哈萨克|"
    "柯尔克孜|朝鲜族|土家族)+)自治州$"
)
_NUMBER = "[0-9a-z零〇一二三四五六七八九十百-]"
_ROAD = "[\u4e00-\u9fff0-9]{1,10}?(?:大道|胡同|路|街道|街|巷|弄|里|镇|乡|村|道)"
# A road inside a village or town: 中关村 + 大街. Without 里, and without words that talk about a road.
_FURTHER = "(?:(?![那哪这条走去到怎])[\u4e00-\u9fff0-9]){1,4}?(?:大道|大街|街道|胡同|路|街|巷|弄|村|段)"
_ESTATE = (
    "[\u4e00-\u9fff0-9a-z]{1,12}?"
    "(?:小区|花园|公寓|大厦|广场|新村|家园|苑|园区|软件园|科技园|产业园|工业园|大楼|大学|学校|医院|中心|写字楼|城)"
)
_UNIT = f"{_NUMBER}{{1,8}}(?:号楼|号院|栋|幢|座|单元|楼|层|室|号|房)"
_STREET = re.compile(
    f"[, ]?(?:{_ROAD}(?:{_FURTHER}){{0,2}})?(?:{_UNIT})?(?:{_ESTATE})?"
    f"(?:[, ]?{_UNIT}){{0,5}}(?:[, ]?[0-9]{{3,4}}(?![0-9]))?"
)
_BARE = re.compile(
    f"(?:[\u4e00-\u9fff]{{2,6}}(?:路|街|大道|巷|胡同))(?:{_NUMBER}{{1,5}}号)"
    f"(?:{_ESTATE})?(?:[, ]?{_UNIT}){{0,5}}(?:[, ]?[0-9]{{3,4}}(?![0-9]))?"
)
_MARKED = re.compile("[路街道巷弄里镇乡村号楼栋幢座室苑城]|小区|花园|公寓|大厦|广场|大学|学校|医院|中心|胡同")
_ROADLIKE = re.compile("[东西南北中一二三四]?(?:路|街|大道|巷|广场)")
_LEAD = re.compile(
    "^(?:我住|我在|我家在|我住在|住在|家住|地址是|地址|寄到|送到|发到|寄往|发往|收货|在|到|住|去|是|往)+"
)


@dataclass(frozen=True, slots=True)
class Division:
    """One administrative division with those above it."""

    province: str
    """Province, municipality or region."""
    city: str = ""
    """Prefecture-level city; empty for a province."""
    district: str = ""
    """District or county; empty for a city."""


def read_divisions() -> tuple[Division, ...]:
    """The table that comes with the appliance: provinces, prefecture-level cities and common districts."""
    text = resources.files("appliance.language").joinpath("divisions.csv").read_text("utf-8")
    found: dict[Division, None] = {}
    for row in csv.DictReader(text.splitlines()):
        found[Division(row["province"])] = None
        found[Division(row["province"], row["city"])] = None
        for district in row["districts"].split():
            found[Division(row["province"], row["city"], district)] = None
    return tuple(found)


def short_name(name: str) -> str:
    """The name as people say it: 广东 for 广东省, 延边 for 延边朝鲜族自治州; the name where too little remains."""
    nations = _NATIONS.search(name)
    short = name[: nations.start(1)] if nations else _SUFFIX.sub("", name)
    return short if len(short) >= 2 else name


class Addresses:
    """Finds addresses. Thread-safe."""

    def __init__(self, divisions: tuple[Division, ...]) -> None:
        """Index `divisions` by full and short names; short district names count only behind their city."""
        self._named: dict[str, list[Division]] = defaultdict(list)
        self._districts: dict[str, list[Division]] = defaultdict(list)
        for division in divisions:
            lowest = division.district or division.city or division.province
            self._named[lowest].append(division)
            short = short_name(lowest)
            if short != lowest:
                (self._districts if division.district else self._named)[short].append(division)
        lengths: dict[str, set[int]] = defaultdict(set)
        for name in (*self._named, *self._districts):
            lengths[name[0]].add(len(name))
        self._lengths = {head: sorted(sizes, reverse=True) for head, sizes in lengths.items()}

    def _at(self, text: str, start: int, above: Division | None) -> tuple[int, Division] | None:
        """The longest division name at `start` that lies below `above`, with its end."""
        for size in self._lengths.get(text[start : start + 1], ()):
            name = text[start : start + size]
            if len(name) < size:
                continue
            choices = self._named.get(name, [])
            if above is not None:
                choices = choices + self._districts.get(name, [])
                choices = [c for c in choices if _below(c, above)]
            # 中山路 is a street in any town, not the city of 中山.
            if choices and not (name[-1] not in "省市区县" and _ROADLIKE.match(text, start + size)):
                return start + size, _common(choices)
        return None

    def find(self, text: str) -> Iterator[Candidate]:
        """Addresses in the cleaned text, with province, city, district and street in the detail."""
        position = 0
        taken: list[tuple[int, int]] = []
        while position < len(text):
            first = self._at(text, position, None)
            if first is None:
                position += 1
                continue
            start, (end, division) = position, first
            count = 1
            while (deeper := self._at(text, end, division)) is not None:
                end, division = deeper
                count += 1
            street = _STREET.match(text, end)
            rest = street.group().strip(" ,") if street and _MARKED.search(street.group()) else ""
            if rest and street:
                end = start + len(text[start : street.end()].rstrip(" ,"))
            yield _candidate(start, end, division, rest, count)
            taken.append((start, end))
            position = end
        for match in _BARE.finditer(text):
            lead = _LEAD.match(match.group())
            start = match.start() + (lead.end() if lead else 0)
            if all(match.end() <= low or start >= high for low, high in taken):
                street_text = text[start : match.end()]
                yield Candidate(
                    "address", start, match.end(), street_text, 0.7, "pattern", PATTERN, {"street": street_text}
                )


def _below(lower: Division, upper: Division) -> bool:
    if upper.district:
        return False
    if upper.city:
        return bool(lower.district) and (lower.province, lower.city) == (upper.province, upper.city)
    # A municipality is a province and a city at once: 上海市 stands for both.
    return bool(lower.city) and lower.province == upper.province


def _common(choices: list[Division]) -> Division:
    """What all choices share; a municipality's city stands for its province as well."""
    if len(choices) == 1:
        return choices[0]
    cities = [choice for choice in choices if choice.province == choice.city and not choice.district]
    if cities:
        return cities[0]
    first = choices[0]
    if any(choice.province != first.province for choice in choices):
        return Division("", "", first.district if all(c.district == first.district for c in choices) else "")
    same_city = all(choice.city == first.city for choice in choices)
    return Division(first.province, first.city if same_city else "", first.district)


def _candidate(start: int, end: int, division: Division, rest: str, count: int) -> Candidate:
    parts = {"province": division.province, "city": division.city, "district": division.district, "street": rest}
    detail = {name: value for name, value in parts.items() if value}
    shown = [division.province, "" if division.city == division.province else division.city, division.district, rest]
    strong = bool(rest) or count > 1
    return Candidate(
        "address",
        start,
        end,
        "".join(shown),
        0.93 if rest else 0.85 if strong else 0.7,
        "pattern",
        PATTERN if strong else GUESS,
        detail,
    )
