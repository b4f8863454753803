"""Which intent a sentence has, by templates, example sentences and cues; and the rule for who wins.

1. An exact example sentence, or a template that covers the whole sentence without a wildcard, decides.
2. A sentence that is nothing but one entity means what the pack says such an entity means alone.
3. Otherwise, where the network serves, its calibrated probabilities decide together with what rule 4 gives each
   intent (see `joining`): a cue helps where the network hesitates, and cannot overrule it where it is sure. The source
   is then `model`.
4. Without a network the surest of these: a template with a wildcard; the cues and the nearest example sentence
   together. When that is less sure than `thresholds.sound`, the same templates and cues are tried on the sounds of the
   words (a recogniser's homophones), a little less sure.
5. Below `thresholds.accept` the turn is out of scope (below `joining.UNSURE` where the network decided, for its
   probabilities are calibrated); also when `out_of_scope` itself is the surest or, under rule 4, nearly as sure:
   guessing costs the customer more than asking back.

Among equals the one that fixes more literal characters wins, then the pack's order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.language.candidates import GUESS, Candidate
from appliance.language.clean import Cleaner
from appliance.language.flatten import Flat, flatten
from appliance.language.joining import joined, settled
from appliance.language.lexicon import OUT_OF_SCOPE, Lexicon
from appliance.language.pinyin import Syllables
from appliance.language.rules import Rules, any_of
from appliance.language.sentences import Sentences
from appliance.language.templates import Capture, Slots, TemplateCompiler
from appliance.values import Intent

_SENTENCE, _TEMPLATE, _ALONE, _WILD, _WILD_EACH = 0.99, 0.97, 0.92, 0.74, 0.06
_HOMOPHONE = 0.88
_HEARD_CUE, _HEARD_SHORT = 0.8, 0.5
_STEEP, _RIVAL = 6.0, 0.4
_SHOWN = 0.12
_DECIDED, _CLEARLY = 0.96, 0.86


@dataclass(frozen=True, slots=True)
class Scored:
    """How sure one source is of one intent."""

    intent: str
    """Intent name."""
    confidence: float
    """0 to 1."""
    source: str
    """`template`, `sentence`, `keyword` or `entity`."""
    literals: int = 0
    """Literal characters that a template fixed."""
    captures: tuple[Capture, ...] = ()
    """What the template's wildcards took, positions in the flattened text."""


@dataclass(frozen=True, slots=True)
class Example:
    """One of the pack's example sentences."""

    intent: str
    """Intent name."""
    masked: str
    """Flattened, with entities as marks."""
    raw: str
    """Flattened as it is."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one sentence."""

    intent: Intent
    """The best intent, or out_of_scope."""
    alternatives: tuple[Intent, ...]
    """Next best, best first."""
    source: str
    """As in `Parse.source`."""
    captured: tuple[Candidate, ...] = ()
    """Entities that a template's wildcards took, positions in the cleaned text."""


class IntentMatcher:
    """Decides intents for one pack. Thread-safe after construction."""

    def __init__(self, lexicon: Lexicon, cleaner: Cleaner, syllables: Syllables, examples: Sequence[Example]) -> None:
        """Compile the pack's rules and learn its example sentences."""
        self._lexicon = lexicon
        self._slots = Slots(lexicon.entity_types)
        self._syllables = syllables
        arguments = (lexicon.expansions, lexicon.entity_types, lexicon.wildcards)
        self._spelt = Rules(lexicon, TemplateCompiler(*arguments), sounds=False)
        self._heard = Rules(lexicon, TemplateCompiler(*arguments, fold=syllables.fold), sounds=True)
        self._sentences = Sentences(((example.intent, example.masked) for example in examples), syllables)
        self._exact = {example.raw: example.intent for example in reversed(examples)}
        self._alone = {kind: rule.name for rule in reversed(lexicon.intents) for kind in rule.alone}
        self._order = {name: order for order, name in enumerate(lexicon.intent_names)}
        self._refused = re.compile(lexicon.wildcard_refuses) if lexicon.wildcard_refuses else None
        self._accept = lexicon.thresholds.get("accept", 0.5)
        self._sound = lexicon.thresholds.get("sound", 0.6)
        openers = any_of(cleaner.clean(word).text for word in lexicon.openers)
        closers = any_of(cleaner.clean(word).text for word in lexicon.closers)
        self._openers = re.compile(f"^(?: *{openers} *)+") if openers else None
        self._closers = re.compile(f"(?: *{closers} *)+$") if closers else None

    def decide(
        self, text: str, entities: Sequence[Candidate], carried: Sequence[str] = (), network: Sequence[Intent] = ()
    ) -> Decision:
        """Intent of a cleaned text with its entities, none overlapping; `carried` are types that came with the turn.

        `network` is what the classifier makes of it, every intent with its probability; empty where none serves.
        """
        masked, raw = flatten(text, entities, self._slots), flatten(text)
        alone = self._by_entity(masked, entities, carried)
        scored = [alone] if alone else []
        exact = self._exact.get(raw.text)
        if exact:
            scored.append(Scored(exact, _SENTENCE, "sentence", len(raw.text)))
        scored += self._by_template(self._spelt, masked.text, raw.text, 1.0)
        if not any(score.confidence >= _TEMPLATE for score in scored):
            scored += self._by_evidence(self._spelt, masked.text, raw.text, 1.0)
            if max((score.confidence for score in scored), default=0.0) < self._sound:
                heard = self._syllables.fold(masked.text), self._syllables.fold(raw.text)
                scored += self._by_template(self._heard, *heard, _HOMOPHONE)
                scored += self._by_cues(self._heard, *heard, _HEARD_CUE)
            if network and (alone is None or alone.confidence < self._accept):
                return self._joined(scored, network, masked)
        return self._choose(scored, masked)

    def _joined(self, scored: Sequence[Scored], network: Sequence[Intent], masked: Flat) -> Decision:
        """Rule 3."""
        evidence: dict[str, float] = {}
        for score in scored:
            evidence[score.intent] = max(evidence.get(score.intent, 0.0), score.confidence)
        best, others = settled(joined(network, evidence))
        return Decision(best, others, "model", self._captured(scored, best.name, masked))

    def _by_entity(self, masked: Flat, entities: Sequence[Candidate], carried: Sequence[str]) -> Scored | None:
        bare = self._stripped(masked.text).replace(" ", "")
        kinds = [*carried, *(e.type for e in entities)] if not bare or all(c >= "\ue000" for c in bare) else []
        for kind in kinds:
            if kind in self._alone:
                sure = min((e.confidence for e in entities if e.type == kind), default=1.0)
                return Scored(self._alone[kind], _ALONE * sure, "entity")
        return None

    def _stripped(self, text: str) -> str:
        """Without polite openers and closers, and said once (好的好的); the text itself where nothing would remain."""
        shorter = self._openers.sub("", text) if self._openers else text
        shorter = self._closers.sub("", shorter) if self._closers else shorter
        shorter = shorter or text
        half = len(shorter) // 2
        return shorter[:half] if half and shorter[:half] == shorter[half:] else shorter

    def _by_template(self, rules: Rules, masked: str, raw: str, scale: float) -> Iterator[Scored]:
        with_marks = tuple(dict.fromkeys((masked, self._stripped(masked))))
        without = tuple(dict.fromkeys((raw, self._stripped(raw))))
        both = tuple(dict.fromkeys(with_marks + without))
        for template in rules.templates:
            compiled = template.compiled
            wild = bool(compiled.captures)
            if wild and rules is self._heard:
                continue
            # A wildcard would take polite words for part of a name, so it never sees them.
            for text in with_marks[-1:] if wild else both if compiled.slots else without:
                match = compiled.pattern.fullmatch(text)
                if match is None:
                    continue
                captures = compiled.found(match)
                if any(self._refuses(text[c.start : c.end]) for c in captures):
                    continue
                # Positions count in the masked text; openers may have been cut off its front.
                shift = masked.find(text) if wild else 0
                captures = tuple(Capture(c.slot, c.start + shift, c.end + shift) for c in captures)
                confidence = _TEMPLATE if not captures else _WILD - _WILD_EACH * (len(captures) - 1)
                yield Scored(template.intent, confidence * scale, "template", compiled.literals, captures)
                break

    def _refuses(self, captured: str) -> bool:
        return not captured.strip() or (self._refused is not None and self._refused.search(captured) is not None)

    def _by_evidence(self, rules: Rules, masked: str, raw: str, scale: float) -> list[Scored]:
        """Cues and nearness together: what both say counts more than what one says."""
        cues = {score.intent: score for score in self._by_cues(rules, masked, raw, scale)}
        against = {score.intent for score in cues.values() if score.confidence < 0}
        together: list[Scored] = []
        votes = self._sentences.near(self._stripped(masked))
        for near in votes:
            rival = max((other.likeness for other in votes[:2] if other.intent != near.intent), default=0.0)
            share = 1 - math.exp(-_STEEP * max(0.0, near.likeness - _RIVAL * rival))
            cue = cues.pop(near.intent, None)
            certain = 0.0 if cue is None else max(cue.confidence, 0.0)
            if near.intent in against and cue is not None:
                share *= 1 + cue.confidence
            joined = 1 - (1 - share) * (1 - certain)
            together.append(Scored(near.intent, min(joined, 0.95), "sentence" if share > certain else "keyword"))
        return [*together, *(cue for cue in cues.values() if cue.confidence > 0)]

    def _by_cues(self, rules: Rules, masked: str, raw: str, scale: float) -> list[Scored]:
        """Noisy-or of the cues found for each intent; an intent with only counter-cues comes out negative."""
        doubt: dict[str, float] = {}
        against: dict[str, float] = {}
        for cue in rules.cues:
            if cue.compiled.pattern.search(masked if cue.compiled.slots else raw):
                if cue.weight > 0:
                    # Two syllables alone are too often something else: 做 and 坐, 想 and 向.
                    literals = cue.compiled.literals
                    sure = scale if scale == 1 or literals > 2 else _HEARD_SHORT if literals == 2 else 0.0
                    doubt[cue.intent] = doubt.get(cue.intent, 1.0) * (1 - cue.weight * sure)
                else:
                    against[cue.intent] = against.get(cue.intent, 1.0) * (1 + cue.weight)
        found = [Scored(name, (1 - d) * against.get(name, 1.0), "keyword") for name, d in doubt.items()]
        return found + [Scored(name, a - 1, "keyword") for name, a in against.items() if name not in doubt]

    def _choose(self, scored: Sequence[Scored], masked: Flat) -> Decision:
        best: dict[str, Scored] = {}
        for score in scored:
            if score.intent not in best or _rank(score) > _rank(best[score.intent]):
                best[score.intent] = score
        ranked = sorted(best.values(), key=lambda s: (-s.confidence, -s.literals, self._order[s.intent]))
        shown = [Intent(s.intent, round(s.confidence, 4)) for s in ranked if s.confidence >= _SHOWN]
        strange = best[OUT_OF_SCOPE].confidence if OUT_OF_SCOPE in best else 0.0
        sure = max(ranked[0].confidence, 0.0) if ranked else 0.0  # a counter-cue alone is below nothing
        if sure < self._accept or (sure < _DECIDED and strange >= sure * _CLEARLY) or strange >= sure:
            own = max(strange, 1 - sure)
            rest = tuple(intent for intent in shown if intent.name != OUT_OF_SCOPE)[:3]
            return Decision(Intent(OUT_OF_SCOPE, round(own, 4)), rest, "none")
        top = ranked[0]
        return Decision(shown[0], tuple(shown[1:4]), top.source, self._captured(scored, top.intent, masked))

    def _captured(self, scored: Sequence[Scored], intent: str, masked: Flat) -> tuple[Candidate, ...]:
        """What a wildcard took for `intent`: worth keeping even where the intent is surer by other means."""
        wild = max((s for s in scored if s.intent == intent and s.captures), key=_rank, default=None)
        if wild is None:
            return ()
        return tuple(self._capture(capture, masked, wild.confidence) for capture in wild.captures)

    def _capture(self, capture: Capture, masked: Flat, confidence: float) -> Candidate:
        start, end = masked.span(capture.start, capture.end)
        value = masked.text[capture.start : capture.end].strip()
        return Candidate(capture.slot, start, end, value, round(confidence * 0.7, 4), "template", GUESS)


def _rank(score: Scored) -> tuple[float, int]:
    return score.confidence, score.literals
