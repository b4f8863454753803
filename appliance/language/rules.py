"""A pack's templates and cues, compiled once: for characters, and again for sounds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.language.clean import is_han
from appliance.language.lexicon import Lexicon
from appliance.language.templates import Compiled, TemplateCompiler


@dataclass(frozen=True, slots=True)
class CompiledCue:
    """A cue ready to search for."""

    intent: str
    """Intent that it speaks for or against."""
    weight: float
    """As in `Cue.weight`."""
    compiled: Compiled
    """Its template."""


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template of a whole sentence, ready to match."""

    intent: str
    """Intent that it means."""
    compiled: Compiled
    """The template."""


class Rules:
    """Templates and cues of all intents, compiled for characters or for sounds."""

    def __init__(self, lexicon: Lexicon, compiler: TemplateCompiler, sounds: bool) -> None:
        self.templates: list[CompiledTemplate] = []
        self.cues: list[CompiledCue] = []
        for rule in lexicon.intents:
            for template in rule.templates:
                if not sounds or any(map(is_han, template)):
                    self.templates.append(CompiledTemplate(rule.name, compiler.compile(template)))
            for cue in rule.cues:
                if not sounds or any(map(is_han, cue.template)):
                    self.cues.append(CompiledCue(rule.name, cue.weight, compiler.compile(cue.template, anywhere=True)))


def any_of(words: Iterable[str]) -> str:
    """Regular expression of any of `words`, longest first; empty for none."""
    longest_first = sorted({word for word in words if word}, key=lambda word: (-len(word), word))
    # Latin words end at a word's edge: hi must not be cut off history.
    alternatives = [re.escape(w) + ("(?![a-z])" if w[-1] < "\x7f" else "") for w in longest_first]
    return "(?:" + "|".join(alternatives) + ")" if alternatives else ""
