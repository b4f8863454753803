"""Answers in words: responses.yaml. Each has phrasings in both languages and what may be tapped after it.

    shelf_found:
      zh: ["{item.name}在{item.aisle}区{item.shelf}。", "您要的{item.name}在{item.shelf}。"]
      en: ["{item.name} is in aisle {item.aisle}, shelf {item.shelf}."]
      suggest: [check_price, find_product]

`{a.b}` is replaced by what the flow knows under that name; `packs.checks` proves at load time that it will know it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from appliance.packs.reader import Section, read_yaml

_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*(?:\.[a-z0-9_]+)*)\}")


@dataclass(frozen=True, slots=True)
class Response:
    """One answer with its phrasings."""

    name: str
    """Name in responses.yaml."""
    zh: tuple[str, ...]
    """Chinese phrasings."""
    en: tuple[str, ...]
    """English phrasings."""
    suggest: tuple[str, ...] = ()
    """Flows to offer after it."""
    line: int = 0
    """Line in responses.yaml."""

    @property
    def placeholders(self) -> frozenset[str]:
        """Dotted names that any phrasing uses."""
        return frozenset(name for phrase in (*self.zh, *self.en) for name in _PLACEHOLDER.findall(phrase))

    def phrase(self, language: str, turn: int) -> str:
        """The phrasing for this turn of the session: they take turns, so that the same words do not come twice."""
        phrases = self.en if language == "en" else self.zh
        return phrases[turn % len(phrases)]


def fill(phrase: str, value: Callable[[str], str]) -> str:
    """Replace every `{name}` by `value(name)`. Plain replacement: a value is never read as a template again."""
    return _PLACEHOLDER.sub(lambda found: value(found.group(1)), phrase)


def _phrases(section: Section) -> tuple[str, ...]:
    phrases = section.texts() if isinstance(section.node, yaml.SequenceNode) else (section.text(),)
    if not phrases:
        raise section.fail("at least one phrasing", "none")
    for phrase in phrases:
        rest = _PLACEHOLDER.sub("", phrase)
        if "{" in rest or "}" in rest:
            raise section.fail("braces only around a name such as {item.shelf}", repr(phrase))
    return phrases


def load_responses(folder: Path) -> Mapping[str, Response]:
    """Read responses.yaml of the pack in `folder`; raises PackInvalid naming file and line."""
    responses: dict[str, Response] = {}
    for name, section in read_yaml(folder / "responses.yaml").mapping().items():
        keys = section.mapping(("zh", "en", "suggest"), required=("zh", "en"))
        suggest = keys["suggest"].texts() if "suggest" in keys else ()
        responses[name] = Response(name, _phrases(keys["zh"]), _phrases(keys["en"]), suggest, section.line)
    return responses
