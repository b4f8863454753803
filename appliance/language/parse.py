"""From a turn to its Parse: cleaning, entities, intent. The one entry to the language room."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date

from appliance.errors import ApplianceError
from appliance.language.candidates import CHECKSUM, Candidate, resolve
from appliance.language.classify import Classifier, Impression
from appliance.language.clean import Cleaned, Cleaner, guess_language
from appliance.language.entities import EntityFinder, in_original
from appliance.language.faq import Faq
from appliance.language.flatten import flatten
from appliance.language.intent import Decision, Example, IntentMatcher
from appliance.language.lexicon import OUT_OF_SCOPE, Lexicon
from appliance.language.pinyin import Syllables
from appliance.language.redact import PERSONAL, redact
from appliance.language.tagger import Tagger
from appliance.language.templates import Slots
from appliance.values import Entity, FaqMatch, Intent, Parse, Turn

_OTHER_READING = 0.9
_PATIENCE_S = 2.0
"""Seconds after which a turn goes on without the networks: they may stand behind a photo that is being read."""


@dataclass(frozen=True, slots=True)
class Minds:
    """The language networks that serve; each may be missing, and may fail at any turn."""

    classifier: Classifier | None = None
    """Intent, sentiment and sentence vector."""
    tagger: Tagger | None = None
    """Entities that no table lists."""
    faq: Faq | None = None
    """Frequent questions; it serves without a network, too."""
    models: Mapping[str, str] = field(default_factory=dict)
    """`classifier` and `tagger` to `name@digest`."""


class Parser:
    """Understands turns in the words of one pack. Thread-safe; no state between turns."""

    def __init__(
        self, lexicon: Lexicon, today: Callable[[], date | None] = date.today, minds: Minds | None = None
    ) -> None:
        """Compile the pack's language side; without `minds` the templates decide.

        `today` anchors words like 明天; None where the date is not known.
        """
        self._minds = minds or Minds()
        self._cleaner = Cleaner()
        self._types = frozenset(lexicon.entity_types)
        syllables = Syllables()
        self._finder = EntityFinder(lexicon, self._cleaner, syllables, today)
        slots = Slots(lexicon.entity_types)
        examples = []
        self._emoji: dict[str, str] = {}
        for rule in lexicon.intents:
            for sentence in rule.sentences:
                cleaned = self._cleaner.clean(sentence)
                if cleaned.text:
                    found = self._finder.find(cleaned.text, near=False)
                    masked = flatten(cleaned.text, found, slots).text
                    examples.append(Example(rule.name, masked, flatten(cleaned.text).text))
                for picture in cleaned.emoji:
                    self._emoji.setdefault(picture, rule.name)
        self._matcher = IntentMatcher(lexicon, self._cleaner, syllables, examples)

    def join(self, minds: Minds) -> None:
        """Let these networks take part in turns from now on."""
        self._minds = minds

    def language(self, text: str) -> str:
        """`en` when `text` is mostly English words, else `zh`."""
        return guess_language(text)

    def entities(self, text: str) -> tuple[Entity, ...]:
        """Entities of any text in order of position, none overlapping; `text[start:end] == entity.text`."""
        cleaned = self._cleaner.clean(text)
        return tuple(in_original(found, cleaned, text) for found in self._finder.find(cleaned.text))

    def redact(self, text: str) -> str:
        """`text` with everything masked that identifies a person, for the event log."""
        return redact(text, self.entities(text))

    def parse(self, turn: Turn) -> Parse:
        """What `turn` means. An intent or entities that came with the turn are kept and not guessed again."""
        began = time.perf_counter()
        cleaned = self._cleaner.clean(turn.text)
        clock = _Clock(began, "clean")
        listed = found = self._finder.find(cleaned.text)
        clock.lap("entities")
        used: dict[str, None] = {}
        deadline = time.monotonic() + _PATIENCE_S
        if turn.intent is None and turn.source != "image":  # a tap needs no networks, and a photo's text is no sentence
            found = self._tagged(cleaned.text, found, used, clock, deadline)
        carried = {entity.type for entity in turn.entities}
        found = tuple(c for c in found if not _carried(c, cleaned, turn.entities, carried))
        impression = None
        if turn.intent is None:
            impression = self._impression(cleaned.text, used, clock, deadline)
        decision = self._decide(turn, cleaned, found, impression)
        clock.lap("intent")
        faq = self._faq(turn, cleaned.text, impression, clock)
        taken = [c for c in decision.captured if c.type not in carried and not any(c.overlaps(o) for o in found)]
        entities = [*turn.entities, *(in_original(c, cleaned, turn.text) for c in (*found, *taken))]
        kept = {(one.type, one.start, one.end) for one in found}
        return Parse(
            intent=decision.intent,
            entities=tuple(sorted(entities, key=lambda entity: (entity.start, entity.end))),
            alternatives=decision.alternatives,
            clean=cleaned.text,
            language=guess_language(turn.text) if turn.text.strip() else turn.language,
            source=decision.source,
            timings_ms=clock.laps,
            sentiment=impression.sentiment if impression else None,
            faq=faq,
            models=tuple(used),
            personal=tuple(
                in_original(one, cleaned, turn.text)
                for one in listed
                if one.type in PERSONAL and (one.type, one.start, one.end) not in kept
            ),
        )

    def _tagged(
        self, text: str, found: tuple[Candidate, ...], used: dict[str, None], clock: _Clock, deadline: float
    ) -> tuple[Candidate, ...]:
        """`found` joined with what the tagger finds, as `candidates.resolve` settles it."""
        tagger = self._minds.tagger
        if tagger is None or not text:
            return found
        with suppress(ApplianceError):  # whoever runs the network has said so; the tables and patterns stand
            guessed = tagger.find(text, found, deadline)
            found = self._finder.joined(text, found, guessed, tagger.judges, tagger.longest)
            used[self._minds.models.get("tagger", "")] = None
        clock.lap("tagger")
        return found

    def _impression(self, text: str, used: dict[str, None], clock: _Clock, deadline: float) -> Impression | None:
        classifier = self._minds.classifier
        if classifier is None or not text:
            return None
        impression = None
        with suppress(ApplianceError):  # the same: the templates decide
            impression = classifier.read(text, deadline)
            used[self._minds.models.get("classifier", "")] = None
        clock.lap("encoder")
        return impression

    def _faq(self, turn: Turn, text: str, impression: Impression | None, clock: _Clock) -> tuple[FaqMatch, ...]:
        """Frequent questions that a turn in words may be; whoever brings an intent or shows a photo asks none."""
        faq = self._minds.faq
        if faq is None or turn.intent is not None or turn.source == "image" or not text:
            return ()
        if impression is None:
            matches = faq.find(flatten(text).text)
        else:
            strange = next((i.confidence for i in impression.intents if i.name == OUT_OF_SCOPE), 0.0)
            matches = faq.find(flatten(text).text, impression.vector, strange)
        clock.lap("faq")
        return matches

    def _decide(
        self, turn: Turn, cleaned: Cleaned, found: tuple[Candidate, ...], impression: Impression | None
    ) -> Decision:
        if turn.intent is not None:
            return Decision(turn.intent, (), "turn")
        if not cleaned.text and cleaned.emoji:
            meant = [self._emoji[picture] for picture in cleaned.emoji if picture in self._emoji]
            if meant:
                return Decision(Intent(meant[0], 0.7), (), "sentence")
        known = [*found, *_as_candidates(turn.entities, cleaned, self._types)]
        carried = [entity.type for entity in turn.entities]
        network = impression.intents if impression else ()
        decision = self._matcher.decide(cleaned.text, resolve(known), carried, network)
        if decision.intent.name == OUT_OF_SCOPE:
            for reading in turn.alternatives:
                other = self._cleaner.clean(reading).text
                second = self._matcher.decide(other, self._finder.find(other))
                if second.intent.name != OUT_OF_SCOPE:
                    sure = round(second.intent.confidence * _OTHER_READING, 4)
                    # Its captures point into another text, so only the intent is taken over.
                    return Decision(Intent(second.intent.name, sure), second.alternatives, second.source)
        return decision


def _as_candidates(entities: tuple[Entity, ...], cleaned: Cleaned, types: frozenset[str]) -> Iterator[Candidate]:
    """Entities that came with the turn, in the cleaned text, so that templates see them as what they are."""
    for entity in entities:
        span = cleaned.cleaned_span(entity.start, entity.end)
        if span and entity.type in types:
            yield Candidate(entity.type, *span, entity.value, entity.confidence, entity.source, CHECKSUM)


def _carried(candidate: Candidate, cleaned: Cleaned, carried: tuple[Entity, ...], types: set[str]) -> bool:
    """True when the turn already says what this candidate guesses: same type, or the same characters."""
    start, end = cleaned.original_span(candidate.start, candidate.end)
    return candidate.type in types or any(start < entity.end and entity.start < end for entity in carried)


class _Clock:
    """Milliseconds by stage."""

    def __init__(self, began: float, stage: str) -> None:
        self._at, self.laps = began, dict[str, float]()
        self.lap(stage)

    def lap(self, stage: str) -> None:
        """What was done since the last call was this stage."""
        now = time.perf_counter()
        self.laps[stage] = round((now - self._at) * 1000, 3)
        self._at = now
