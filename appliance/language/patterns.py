"""Entities that have a form: the pack's regular expressions, and numbers with a meaning (money, weight, date, time)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import date

from appliance.language.candidates import CHECKSUM, GUESS, PATTERN, Candidate
from appliance.language.checksums import CHECKS
from appliance.language.lexicon import PatternRule
from appliance.language.numbers import (
    find_amounts,
    find_dates,
    find_quantities,
    find_times,
    find_weights,
    plain,
)
from appliance.language.numbers.cardinal import DIGITS

_SPOKEN = re.compile(f"[{''.join(DIGITS)}\\d](?:[ 杠-]?[{''.join(DIGITS)}\\d]){{3,}}")
_NUMERIC = re.compile(
    r"[\d零〇一二两三四五六七八九十百千万半毛分点月号日天周期拜]|day|week|month|night|tomorrow|morning"
    r"|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
)
_TEEN = re.compile(f"(?<![{''.join(DIGITS)}\\d百千万])十(?=[一二三四五六七八九]杠)")
_TO_DIGIT = {ord(character): str(value) for character, value in DIGITS.items()} | {ord("杠"): "-"}


def spoken_view(text: str) -> str:
    """`text` with spoken digits, four or more in a run, as digits and 杠 between them as -, character for character."""
    return _SPOKEN.sub(lambda match: match.group().translate(_TO_DIGIT), _TEEN.sub("1", text) if "杠" in text else text)


class Patterns:
    """The pack's pattern rules, compiled. Thread-safe."""

    def __init__(self, rules: Iterable[PatternRule]) -> None:
        """Compile `rules`; they keep their order."""
        self._rules = [
            (
                rule,
                re.compile(rule.regex),
                re.compile(rule.context) if rule.context else None,
                re.compile(rule.remove) if rule.remove else None,
            )
            for rule in rules
        ]

    def find(self, text: str) -> Iterator[Candidate]:
        """Every match of every rule in the cleaned text that passes its context and its checksum."""
        view = spoken_view(text)
        for rule, pattern, context, remove in self._rules:
            for match in pattern.finditer(view if rule.spoken else text):
                group = "value" if "value" in pattern.groupindex else 0
                start, end = match.span(group)
                if start < 0 or start == end:
                    continue
                if context and not context.search(text, max(0, start - rule.window), start):
                    continue
                value = match.group(group).upper() if rule.type != "email" else match.group(group)
                if remove:
                    value = remove.sub("", value)
                if rule.check and not CHECKS[rule.check](value):
                    continue
                rank = CHECKSUM if rule.check else rule.rank
                thing = rule.codes.get(value)
                detail = rule.detail if thing is None else {**thing.detail, "keys": thing.key}
                value = value if thing is None else thing.name
                yield Candidate(rule.type, start, end, value, rule.confidence, "pattern", rank, detail)


NUMERIC = ("amount", "weight", "date", "time", "quantity")
"""Types that `find_numeric` finds."""


def find_numeric(text: str, today: date | None, types: Collection[str]) -> Iterator[Candidate]:
    """Money, weights, counts, dates and times in cleaned text, of the entity types that the pack knows.

    Values: yuan, kilograms and counts as decimals, dates as YYYY-MM-DD, times as HH:MM.
    """
    if not _NUMERIC.search(text):
        return
    if "amount" in types:
        for found in find_amounts(text):
            yield Candidate("amount", found.start, found.end, plain(found.value, 2), 0.93, detail={"unit": "CNY"})
    if "weight" in types:
        for found in find_weights(text):
            yield Candidate("weight", found.start, found.end, plain(found.value, 4), 0.92, detail={"unit": "kg"})
    # Who does not know the date does not know the year either: 3月5日 is the one nearest to today.
    if "date" in types and today is not None:
        for day in find_dates(text, today):
            confidence, rank = (0.93, PATTERN) if day.sure else (0.5, GUESS)
            yield Candidate("date", day.start, day.end, day.value.isoformat(), confidence, "pattern", rank)
    if "time" in types:
        for moment in find_times(text):
            confidence = 0.93 if moment.sure else 0.75
            yield Candidate("time", moment.start, moment.end, moment.value.isoformat("minutes"), confidence)
    if "quantity" in types:
        for found in find_quantities(text):
            yield Candidate("quantity", found.start, found.end, plain(found.value), 0.8, "pattern", GUESS)
