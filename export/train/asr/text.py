"""Which sentences are spoken: training, dev and held-out ones, in the words that a reader says.

What is held out differs in everything: hand-written sentences of the project's test files, which no training step
reads, and sentences drawn from templates that nothing in training was drawn from. Sentences whose writing is wrong on
purpose (typing errors, recogniser errors) are left out, for what they say is another sentence; so are English words.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.language.clean import Cleaner
from appliance.packs.schema import Pack
from appliance.speech.tts import reading
from export.train import corpus, expand, sentences
from export.train.sentences import Sentence

WRONG = ("typo", "asr")
"""Styles whose characters are not what was said."""
LONGEST = 40
"""Most characters of a spoken sentence, about ten seconds."""
_SPELT = {"vip", "app", "ok", "pos", "atm", "sf", "yt", "jd", "jt", "zto", "sto", "no", "dd", "ems", "usb", "led", "xl",
          "xxl", "qq", "id", "pvc", "pc", "tv", "a", "b", "c", "d"}  # fmt: skip
_WORD = re.compile("[A-Za-z]+")
_LETTERS = re.compile(r"(?:[A-Za-z][.\s,?!]*(?![a-z]))+")
_KEPT = re.compile("[\u3400-\u9fff〇A-Z，]")


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence to speak."""

    text: str
    """What is said: Chinese characters, capital letters, and commas where a reader pauses."""
    source: str
    """written, template, question, phrase or drill."""
    label: str = ""
    """Intent; empty where it is not known."""
    key: str = ""
    """The template it was drawn from; empty otherwise."""

    @property
    def bare(self) -> str:
        """The characters alone: what a recogniser should write."""
        return self.text.replace("，", "")


@dataclass(frozen=True)
class Lines:
    """Everything to speak."""

    train: tuple[Line, ...]
    """To learn from."""
    dev: tuple[Line, ...]
    """To choose by: other sentences, templates and voices than training has, others than the test has."""
    test: tuple[Line, ...]
    """To measure with, once."""


def chance(text: str, salt: str) -> float:
    """A number from 0 to 1 that is always the same for a text."""
    return int(hashlib.sha256(f"{salt}:{text}".encode()).hexdigest()[:8], 16) / 0x100000000


def spoken(text: str) -> str | None:
    """What a reader of Mandarin says for `text`, as the kiosk's own voice reads it (`speech.tts.reading`).

    None where it has an English word, a character that no Mandarin reader knows, or nothing that can be said.
    """
    text = _WORD.sub(lambda word: word[0].upper() if word[0].lower() in _SPELT else word[0], text)
    found = ""
    for run in reading.spoken(text):
        if run.language == "zh":
            found += run.text
        elif _LETTERS.fullmatch(run.text):
            found += re.sub("[^A-Z]", "", run.text.upper())
        else:
            return None
    found = re.sub(r"[。？！；：、,.?!;:~…，]+", "，", re.sub(r"\s+", "", found)).strip("，")
    if not found or not all(_KEPT.match(character) and _known(character) for character in found):
        return None
    return found


def _known(character: str) -> bool:
    """True for what is written in Mandarin (GB 2312): characters of dialects have no reading in it."""
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def load(pack: Pack, folder: Path = corpus.DATA, *, each: int = 260, drills: int = 4000, seed: int = 7) -> Lines:
    """All sentences of `pack`: `each` drawn for an intent, `drills` of dictionary words for every sound of Mandarin."""
    cleaner = Cleaner()
    written = [s for s in sentences.load(folder, "train") if s.style not in WRONG]
    train = [Line(text, "written", s.label) for s in written if (text := _said(s.text, cleaner))]
    questions = [*corpus.questions_of(pack), *corpus.unanswered(folder)]
    train += [Line(text, "question") for q in questions if (text := _said(q.text, cleaner))]
    train += [Line(text, "phrase") for name in _names(pack) if (text := _said(name, cleaner))]
    drawn = list(drawn_of(pack, each, seed, cleaner))
    test = [s for s in sentences.load(folder, "test") if s.style not in WRONG]
    tested = [Line(text, "written", s.label) for s in test if s.label and (text := _said(s.text, cleaner))]
    held = [line for line in drawn if chance(line.key, "template") < 0.12]
    train += [line for line in drawn if chance(line.key, "template") >= 0.12]
    secret = {line.bare for line in (*tested, *held)}
    train = [line for line in _once(train) if line.bare not in secret]
    dev = [line for line in train if chance(line.bare, "dev") < 0.02]
    aside = {line.bare for line in dev}
    learnt = [line for line in train if line.bare not in aside]
    learnt += drilled({line.bare for line in (*tested, *held)} | aside, drills, seed)
    spread = [line for line in _once(held) if chance(line.bare, "held") < 0.5]
    dev += [line for line in _once(held) if chance(line.bare, "held") >= 0.5][:150]
    return Lines(tuple(learnt), tuple(dev), tuple(_once([*tested, *spread[:300]])))


def drawn_of(pack: Pack, each: int, seed: int, cleaner: Cleaner) -> Iterable[Line]:
    """`each` sentences of every intent from its templates, with the template that each is from."""
    rng = random.Random(seed)
    walker = expand.Walker(pack)
    for rule in pack.lexicon.intents:
        seen: set[str] = set()
        for _ in range(each * 6):
            if len(seen) >= each or not rule.templates:
                break
            template = rng.choice(rule.templates)
            found: Sentence = expand.sentence(walker.draw(template, rng), rule.name)
            text = _said(found.text, cleaner)
            if text and len(text) > 1 and text not in seen:
                seen.add(text)
                yield Line(text, "template", rule.name, template)


def drilled(avoided: set[str], count: int, seed: int) -> list[Line]:
    """Lines of two to four words of pypinyin's dictionary each: every sound, in any order."""
    from pypinyin.phrases_dict import phrases_dict

    rng = random.Random(seed)
    words = sorted(word for word in phrases_dict if len(word) <= 4 and re.fullmatch("[\u4e00-\u9fa5]+", word))
    found = []
    for _ in range(count):
        text = "".join(rng.choice(words) for _ in range(rng.randint(2, 4)))
        if text not in avoided:
            found.append(Line(text, "drill"))
    return found


def _said(text: str, cleaner: Cleaner) -> str | None:
    found = spoken(cleaner.clean(text).text)
    return found if found and len(found) <= LONGEST else None


def _names(pack: Pack) -> list[str]:
    lexicon = pack.lexicon
    return [surface for entry in lexicon.gazetteer for surface in entry.surfaces]


def _once(lines: Sequence[Line]) -> list[Line]:
    kept: dict[str, Line] = {}
    for line in lines:
        kept.setdefault(line.bare, line)
    return list(kept.values())


def save(lines: Lines, folder: Path) -> None:
    """Write train.jsonl, dev.jsonl and test.jsonl."""
    for name in ("train", "dev", "test"):
        rows: tuple[Line, ...] = getattr(lines, name)
        text = "".join(json.dumps(asdict(line), ensure_ascii=False) + "\n" for line in rows)
        (folder / f"{name}.jsonl").write_text(text, "utf-8")


def read(folder: Path, name: str) -> list[Line]:
    """Lines of one part that `save` wrote."""
    rows: list[Mapping[str, str]] = [
        json.loads(line) for line in (folder / f"{name}.jsonl").read_text("utf-8").split("\n") if line
    ]
    return [Line(**row) for row in rows]
