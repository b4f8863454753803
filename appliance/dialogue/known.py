"""When a frequent question answers a turn, and how: the pack's words, with the row that they come from.

1. Whoever brought an intent (a tap), said exactly an example sentence or a whole template of the pack, or named one
   thing alone, gets what the pack does for it.
2. Otherwise a row that is probably right answers where nothing else was understood; instead of an intent that would
   only begin to ask for details it answers when it is surer or very probable, instead of one that can answer at once
   when it is very probable.
3. In the middle of a task a row answers only when it is very probably right and the turn is more than values for the
   task; the open question is asked again. Whoever asks for a person, or wants to stop, is not answered by a row.
"""

from __future__ import annotations

from appliance.dialogue.course import Course
from appliance.dialogue.exchange import Exchange
from appliance.language.faq import FaqRow
from appliance.language.lexicon import OUT_OF_SCOPE
from appliance.packs.schema import Pack
from appliance.packs.task import Flow

_PROBABLE = 0.5
"""Least probability of a row that answers."""
_SURE = 0.85
"""Least probability of a row that answers in the middle of a task, or instead of an intent that can answer at once."""

_EXACTLY = 0.96
"""Confidence that only an exact example sentence or a whole template has (see `language.intent`)."""


class Known:
    """Answers from the pack's frequent questions. Holds no session."""

    def __init__(self, pack: Pack, course: Course) -> None:
        self._rows = {row.id: row for row in pack.faq}
        self._course = course

    def row(self, x: Exchange) -> FaqRow | None:
        """The row that answers a fresh turn, or None (rules 1 and 2)."""
        found = self._likeliest(x, _PROBABLE)
        if found is None:
            return None
        flow = self._course.flow_of(x.intent)
        if flow is None or x.intent == OUT_OF_SCOPE:
            return found
        if self._course.asks(x, flow):
            return found if x.parse.faq[0].confidence >= min(_SURE, x.parse.intent.confidence) else None
        return found if x.parse.faq[0].confidence >= _SURE else None

    def within(self, x: Exchange) -> FaqRow | None:
        """The row that answers in the middle of a task, or None (rule 3)."""
        flow = self._course.flow_of(x.intent)
        if flow is not None and flow.ends_task and x.parse.intent.confidence >= _SURE:
            return None
        return self._likeliest(x, _SURE)

    def _likeliest(self, x: Exchange, least: float) -> FaqRow | None:
        said = x.parse.source in ("template", "sentence") and x.parse.intent.confidence >= _EXACTLY
        if not x.parse.faq or said or x.parse.source in ("turn", "entity"):
            return None
        best = x.parse.faq[0]
        return self._rows.get(best.id) if best.confidence >= least else None

    def answer(self, x: Exchange, row: FaqRow, flow: Flow | None = None) -> None:
        """Say what the row answers and where it comes from; then put the open question of `flow` again."""
        best = x.parse.faq[0]
        x.quote(
            row.answer[x.language],
            {"faq": row.id, "question": row.question[x.language], "confidence": best.confidence},
        )
        x.outcome = "resolved"
        if flow is not None:
            x.say("resumed", task=flow.title.said_in(x.language))
            self._course.ask_again(x, flow)
            x.outcome = "resolved"
