"""Names of people, found behind words that announce a name or in front of a form of address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from appliance.language.candidates import CONTEXT, GUESS, Candidate

_NOT_GIVEN = "的了吗呢是在有要想我你他她它和与跟电手号地住送寄取查买退换,，。.!?、:： "
_TITLES = "先生|女士|小姐|太太|师傅|老师|阿姨|大哥|大姐"
_CJK = "\u4e00-\u9fff"


class People:
    """Finds persons by surname. Thread-safe."""

    def __init__(self, surnames: Iterable[str], contexts: Iterable[str]) -> None:
        """Take family names (one or two characters) and the words that announce a name."""
        families = "|".join(sorted(map(re.escape, surnames), key=len, reverse=True))
        words = sorted((word.lower() for word in contexts), key=len, reverse=True)
        self._announced = self._titled = self._introduced = None
        if not families or not words:
            return
        given = f"[{_CJK}](?<![{_NOT_GIVEN}])"
        front = "|".join(map(re.escape, words))
        self._announced = re.compile(
            f"(?:{front})(?:是|叫|为)?[:： ]*"
            f"(?P<value>(?:{families}){given}(?:{given})?(?![先女小])|[a-z]{{2,15}}(?: [a-z]{{2,15}})?)"
        )
        self._titled = re.compile(f"(?P<value>(?:{families})(?:{given}{{1,2}})?)(?={_TITLES})")

        # 我是 announces much else: a name only where nothing follows it.
        self._introduced = re.compile(f"我是(?P<value>(?:{families}){given}(?:{given})?)(?=[,，。.!！?？、;；:： ]|$)")

    def find(self, text: str) -> Iterator[Candidate]:
        """Persons in the cleaned text: surname with one or two given characters, or a Latin name behind its context."""
        if self._announced is None or self._titled is None or self._introduced is None:
            return
        for match in self._announced.finditer(text):
            name = match["value"]
            value = name if name[0] > "\x7f" else name.title()
            yield Candidate("person", *match.span("value"), value, 0.85, "pattern", CONTEXT)
        for match in (*self._introduced.finditer(text), *self._titled.finditer(text)):
            yield Candidate("person", *match.span("value"), match["value"], 0.7, "pattern", GUESS)
