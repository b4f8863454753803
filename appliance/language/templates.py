"""hassil sentence templates, compiled to regular expressions.

hassil parses the syntax (alternatives, optionals, permutations, lists, rules); its own matcher walks every template for
every sentence and rewrites whitespace, which corrupts wildcard captures in Chinese (hassil issues 276 and 279). A
compiled expression costs microseconds, keeps positions, and can be matched against sounds as well as characters.

In the text to match, an entity is one private-use character that stands for its type (`Slots.mark`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hassil.expression import Expression

_FIRST_MARK = 0xE000
_WILDCARD = "(?:[^\ue000-\uf8ff,.!?;:。]{1,14}?|[a-z][a-z' -]{0,29}?)"
_GAP = "[^,.!?;:。]{0,10}?"
GAP = "_"
"""Slot name of a wildcard that keeps nothing, `{thing:_}`: any few words, or none."""
_EDGE = "(?:(?<![a-z0-9])|(?![a-z0-9]))"
_DEPTH = 16
_DROPPED = re.compile(r"[\"'’]")


class TemplateError(ValueError):
    """A template that hassil cannot parse, or that names what does not exist."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The private-use character of every entity type."""

    types: tuple[str, ...]
    """Entity types in the pack's order."""

    def mark(self, entity_type: str) -> str:
        """The character that stands for an entity of this type."""
        return chr(_FIRST_MARK + self.types.index(entity_type))


@dataclass(frozen=True, slots=True)
class Capture:
    """What a wildcard took."""

    slot: str
    """Slot name, an entity type."""
    start: int
    """First character in the matched text."""
    end: int
    """One past the last character."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template ready to match."""

    pattern: re.Pattern[str]
    """Over cleaned text with entities as marks."""
    slots: bool
    """True when the template names an entity type."""
    captures: Mapping[str, str]
    """Regular expression group to slot name, one for every wildcard."""
    literals: int
    """Least number of literal characters that a match holds."""

    def found(self, match: re.Match[str]) -> tuple[Capture, ...]:
        """The wildcard captures of a match."""
        return tuple(
            Capture(slot, *match.span(group)) for group, slot in self.captures.items() if match.start(group) >= 0
        )


@lru_cache(maxsize=8192)
def _parse(template: str) -> Expression:
    """hassil's tree of one template; cached because it is checked once and compiled twice. Never changed."""
    from hassil.parse_expression import parse_sentence  # lazy: hassil is slow to import
    from hassil.parser import ParseError

    try:
        return parse_sentence(template).expression
    except (ParseError, ValueError, IndexError) as error:
        raise TemplateError(str(error) or type(error).__name__) from error


class _Writer:
    """Turns hassil's expression tree into a regular expression."""

    def __init__(
        self,
        expansions: Mapping[str, str],
        types: Sequence[str],
        wildcards: Sequence[str],
        fold: Callable[[str], str] | None,
        rules: dict[str, tuple[str, int, bool]],
    ) -> None:
        self.expansions, self.types, self.wildcards, self.fold = expansions, types, wildcards, fold
        self.rules = rules
        self.captures: dict[str, str] = {}
        self.slots = False

    def write(self, node: Any, depth: int = 0) -> tuple[str, int]:
        """Regular expression of `node` and the least number of literal characters in a match."""
        from hassil.expression import Alternative, ListReference, Permutation, RuleReference, TextChunk

        if depth > _DEPTH:
            raise TemplateError("expected rules that do not refer to themselves")
        if isinstance(node, TextChunk):
            return self._literal(node.text)
        if isinstance(node, ListReference):
            return self._list(node.list_name, node.slot_name)
        if isinstance(node, RuleReference):
            return self._rule(node.rule_name, depth)
        if isinstance(node, Permutation):
            raise TemplateError("expected alternatives written out, got a permutation (;)")
        parts = [self.write(item, depth + 1) for item in node.items]
        if isinstance(node, Alternative):
            written = [text for text, _ in parts if text]
            least = min((count for text, count in parts if text), default=0)
            optional = node.is_optional or any(not text for text, _ in parts)
            body = "(?:" + "|".join(written) + ")" if written else ""
            return (body + "?" if body and optional else body), (0 if optional else least)
        return "".join(text for text, _ in parts), sum(count for _, count in parts)

    def _literal(self, text: str) -> tuple[str, int]:
        words = _DROPPED.sub("", text.lower())
        if not words.strip():
            return (" *" if words else ""), 0
        folded = self.fold(words) if self.fold else words
        escaped = " *".join(re.escape(part) for part in folded.split())
        before = " *" if words[0] == " " else ""
        after = " *" if words[-1] == " " else ""
        return before + escaped + after, len(words.replace(" ", ""))

    def _list(self, name: str, slot: str) -> tuple[str, int]:
        if slot == GAP and name in self.wildcards:
            return _GAP, 0
        if slot not in self.types:
            raise TemplateError(f"expected an entity type in {{{name}:{slot}}}, got {slot!r}")
        if name in self.wildcards:
            group = f"w{len(self.captures)}"
            self.captures[group] = slot
            return f"(?P<{group}>{_WILDCARD})", 0
        if name not in self.types:
            raise TemplateError(f"expected an entity type or a wildcard, got {{{name}}}")
        self.slots = True
        return " *" + Slots(tuple(self.types)).mark(name) + " *", 2

    def _rule(self, name: str, depth: int) -> tuple[str, int]:
        if name not in self.expansions:
            raise TemplateError(f"expected a rule of phrases.yaml, got <{name}>")
        if name in self.rules:
            text, least, slots = self.rules[name]
            self.slots |= slots
            return text, least
        before, held, self.slots = self.slots, len(self.captures), False
        text, least = self.write(_parse(self.expansions[name]), depth + 1)
        text = f"(?:{text})"
        if len(self.captures) == held:  # a wildcard's group is numbered anew in every template
            self.rules[name] = (text, least, self.slots)
        self.slots |= before
        return text, least


class TemplateCompiler:
    """Compiles the templates of one pack."""

    def __init__(
        self,
        expansions: Mapping[str, str],
        types: Sequence[str],
        wildcards: Sequence[str],
        fold: Callable[[str], str] | None = None,
    ) -> None:
        """Take the pack's rules, entity types and wildcard lists; `fold` maps literals to sounds."""
        self._arguments = (expansions, types, wildcards, fold)
        # What each rule was written as, its literal characters, and whether it names a type: many templates share few.
        self._rules: dict[str, tuple[str, int, bool]] = {}

    def write(self, template: str) -> tuple[str, _Writer, int]:
        """Regular expression, writer and least literal characters; raises TemplateError as `compile` does."""
        writer = _Writer(*self._arguments, self._rules)
        text, least = writer.write(_parse(template))
        if not least:
            raise TemplateError("expected at least one literal character, got only optional parts or wildcards")
        return text, writer, least

    def compile(self, template: str, *, anywhere: bool = False) -> Compiled:
        """Compile one template; `anywhere` lets it match inside a sentence, at word boundaries in English.

        Raises TemplateError for a syntax error, an unknown rule or list, or a template that matches nothing at all.
        """
        text, writer, least = self.write(template)
        edged = f"{_EDGE}(?:{text}){_EDGE}" if anywhere else f"(?:{text})"
        return Compiled(re.compile(edged), writer.slots, writer.captures, least)


class TemplateChecker:
    """Checks the templates of one pack."""

    def __init__(self, expansions: Mapping[str, str], lists: Sequence[str]) -> None:
        """Take the pack's rules; `lists` are its entity types and wildcards."""
        self._expansions, self._lists = expansions, lists
        self._compilers: dict[tuple[str, ...], TemplateCompiler] = {}

    def check(self, template: str) -> None:
        """Raise TemplateError unless `template` compiles.

        A list is taken for a wildcard only where its slot has another name, as in `{thing:product}`.
        """
        wildcards = tuple(name for name in self._lists if f"{{{name}:" in template)
        if wildcards not in self._compilers:
            self._compilers[wildcards] = TemplateCompiler(self._expansions, self._lists, wildcards)
        self._compilers[wildcards].write(template)
