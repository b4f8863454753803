"""Frequent questions: how often the right row comes first, and how often a question that none answers is refused."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from appliance.language.faq import WORDS_ALONE, Faq, FaqRow, Weighing
from appliance.language.pinyin import Syllables
from appliance.packs.schema import Pack
from export.train import weigh
from export.train.corpus import Question


def keywords(text: str) -> Iterator[str]:
    """Pairs of neighbouring Chinese characters, and Latin words: index terms of keyword search without a lexicon."""
    word = ""
    previous = ""
    for character in text.lower() + " ":
        han = "\u4e00" <= character <= "\u9fff"
        if character.isascii() and character.isalnum():
            word += character
            previous = ""
            continue
        if word:
            yield word
            word = ""
        if han and previous:
            yield previous + character
        previous = character if han else ""


class Keywords:
    """Keyword matching as a search engine does it: BM25 (Robertson et al. 1994) over documents, one for each row."""

    def __init__(self, documents: Sequence[str]) -> None:
        """Index one document a row."""
        bags = [Counter(keywords(document)) for document in documents]
        self._bags = bags
        self._lengths = [sum(bag.values()) for bag in bags]
        self._mean = sum(self._lengths) / max(len(bags), 1) or 1.0
        seen = Counter(term for bag in bags for term in bag)
        self._idf = {term: math.log(1 + (len(bags) - n + 0.5) / (n + 0.5)) for term, n in seen.items()}

    def best(self, text: str) -> int:
        """The row with the highest score; -1 where no keyword is found."""
        terms = set(keywords(text))
        scores = []
        for bag, length in zip(self._bags, self._lengths, strict=True):
            norm = 1.2 * (0.25 + 0.75 * length / self._mean)
            scores.append(sum(self._idf[t] * bag[t] * 2.2 / (bag[t] + norm) for t in terms if t in bag))
        best = int(np.argmax(scores))
        return best if scores[best] > 0 else -1


def many(rows: int = 20_000, ways: int = 4, width: int = 384) -> dict[str, float]:
    """What so many rows of invented words cost: seconds to index, CPU milliseconds to find one, resident MB more."""
    rng = np.random.default_rng(1)
    letters = [chr(code) for code in rng.choice(np.arange(0x4E00, 0x9000), 3000, replace=False)]
    texts = [["".join(rng.choice(letters, 12)) for _ in range(ways)] for _ in range(rows)]
    listed = [FaqRow(f"row{n}", {"zh": each[0]}, {"zh": ""}, tuple(each)) for n, each in enumerate(texts)]
    before, began = _resident_mb(), time.process_time()
    faq = Faq(listed, texts, Syllables())
    vectors = rng.normal(size=(rows * ways, width)).astype(np.float32)
    faq.learn(vectors, WORDS_ALONE)
    built, after = time.process_time() - began, _resident_mb() - vectors.nbytes / 1e6
    asked = [(texts[n][1][:8] + texts[-n][2][:4], vectors[n * ways]) for n in range(1, 101)]
    began = time.process_time()
    for text, vector in asked:
        faq.find(text, vector)
    return {
        "rows": rows,
        "index_s": round(built, 1),
        "find_ms": round((time.process_time() - began) * 1000 / len(asked), 2),
        "added_mb": round(after - before, 1),
    }


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text("utf-8")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def by_keywords(rows: Sequence[FaqRow], asked: Sequence[Question], *, ways: bool) -> float:
    """Share of answerable questions whose row keyword matching puts first; with `ways` it also sees the variants."""
    found = Keywords([" ".join(row.ways) if ways else row.question["zh"] for row in rows])
    hits = [rows[best].id == q.row for q in asked if q.row for best in [found.best(q.text)] if best >= 0]
    return round(sum(hits) / sum(bool(q.row) for q in asked), 4)


def measure(
    pack: Pack, network: Any, weighing: Weighing, temperature: float, asked: Sequence[Question]
) -> dict[str, Any]:
    """The appliance's answers beside keyword matching, on cleaned test questions."""
    faq, rows = weigh.index(pack, network, weighing)
    found = weigh.judged(weigh.ask(faq, network, asked, temperature), rows, weighing)
    found["keywords"] = by_keywords(rows, asked, ways=False)
    found["keywords_and_variants"] = by_keywords(rows, asked, ways=True)
    found["ratio"] = round(found["top1"] / found["keywords"], 4)
    found["ratio_with_variants"] = round(found["top1"] / found["keywords_and_variants"], 4)
    return found
