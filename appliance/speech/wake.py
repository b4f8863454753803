"""The wake phrase: words set in the pack, with which a customer speaks to the kiosk without touching it.

Matched by sound in the recogniser's text, partial or final, so that any phrase works without a network of its own; only
at the beginning of an utterance, behind a hesitation at most. What follows the phrase is the turn: 我要寄快递 of
小店你好我要寄快递. What sounds near it wakes, too, up to a settable distance (`language.sounds`); one syllable more or
less costs 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.errors import PackInvalid
from appliance.language.sounds import FAR, Sounds

DEFAULT = "小店你好"
"""The phrase of a pack that sets none."""

DISTANCE = 0.4
"""Greatest sum of the distances of all syllables: two that whole regions mix up, or one that noise does."""

_SYLLABLES, _LONG = 3, 4
"""Fewest syllables of a phrase, and from how many on some may come twice (小度小度)."""

_HESITATIONS = ("那个", "嗯", "呃", "额", "啊", "哎", "诶", "唉", "喂", "嗨", "哦", "噢", "嘿")
_EVERYDAY = (
    "你好", "您好", "你好你好", "您好您好", "请问一下", "请问", "谢谢你", "谢谢您", "不好意思", "对不起", "没关系",
    "不知道", "为什么", "怎么办", "多少钱", "在哪里", "在哪儿", "有没有", "可以吗", "好不好", "帮我看看", "麻烦你",
    "我想问", "我要买", "我想买", "我知道", "没问题", "等一下", "再见了", "是不是", "这个那个", "服务员", "老板你好",
    "你好老板", "工作人员", "你们好", "早上好", "下午好", "晚上好", "你好请问", "喂你好", "你好吗", "什么东西",
)  # fmt: skip
"""What people say to each other at a counter; no phrase may sound like the beginning of one."""


@dataclass(frozen=True, slots=True)
class Woken:
    """The wake phrase, heard."""

    phrase: str
    """The phrase as the pack writes it."""
    end: int
    """One past its last character in the text."""
    distance: float
    """How far it was from the phrase, 0 for the very sounds."""
    rest: str
    """What was said behind it, without punctuation in front; empty where nothing followed yet."""


class Wake:
    """Listens for phrases in texts. Thread-safe: nothing is changed after construction."""

    def __init__(
        self,
        phrases: Iterable[str] = (DEFAULT,),
        *,
        distance: float = DISTANCE,
        common: Iterable[str] = (),
        sounds: Sounds | None = None,
    ) -> None:
        """Take the pack's `phrases`; `common` are sentences that customers say, which must not wake the kiosk.

        Raises PackInvalid for a phrase that is not Chinese, too short, or too common: one that everyday words or a
        sentence of `common` begin with.
        """
        self._sounds = sounds or Sounds()
        self._most = distance
        self._phrases = tuple(dict.fromkeys(phrases))
        self._hesitations = sorted(_HESITATIONS, key=len, reverse=True)
        for phrase in self._phrases:
            self._check(phrase)
        for sentence in (*_EVERYDAY, *common):
            woken = self.hear(sentence)
            if woken is not None:
                raise _refused(
                    woken.phrase,
                    "one that nobody says to anybody else",
                    f"{sentence!r}, which customers say, begins like it",
                )

    def _check(self, phrase: str) -> None:
        if not all(self._sounds.of(character) for character in phrase):
            raise _refused(phrase, "Chinese characters only", "others among them")
        syllables = [self._sounds.of(character)[0] for character in phrase]
        if len(syllables) < _SYLLABLES:
            raise _refused(
                phrase, f"{_SYLLABLES} syllables or more", f"{len(syllables)}: too short to be told from noise"
            )
        if len(set(syllables)) < (2 if len(syllables) >= _LONG else _SYLLABLES):
            raise _refused(phrase, "different syllables", "the same ones again: too common a sound")

    @property
    def phrases(self) -> tuple[str, ...]:
        """The phrases, as the pack writes them."""
        return self._phrases

    def hear(self, text: str) -> Woken | None:
        """The phrase that a partial or final `text` begins with, the nearest of all; None where it is none."""
        at = self._begin(text)
        places = [index for index in range(at, len(text)) if text[index].isalnum()]
        found = [woken for phrase in self._phrases if (woken := self._match(phrase, text, places))]
        return min(found, key=lambda woken: (woken.distance, -woken.end), default=None)

    def pending(self, text: str) -> bool:
        """True when a partial `text` is the beginning of a phrase and may still become it, empty text included."""
        said = [character for character in text[self._begin(text) :] if character.isalnum()]
        for phrase in self._phrases:
            if len(said) < len(phrase):
                apart = sum(self._sounds.between(one, other) for one, other in zip(said, phrase, strict=False))
                if apart <= self._most:
                    return True
        return False

    def _begin(self, text: str) -> int:
        """Where the utterance begins behind hesitations, spaces and punctuation."""
        at = 0
        while at < len(text):
            if not text[at].isalnum():
                at += 1
                continue
            hesitation = next((word for word in self._hesitations if text.startswith(word, at)), "")
            if not hesitation or any(phrase.startswith(hesitation) for phrase in self._phrases):
                break
            at += len(hesitation)
        return at

    def _match(self, phrase: str, text: str, places: list[int]) -> Woken | None:
        """The best alignment of `phrase` with the first of `places`: edit distance over syllables, its end free."""
        longest = min(len(places), len(phrase) + int(self._most / FAR))
        row = [index * FAR for index in range(longest + 1)]
        for character in phrase:
            before, row = row, [row[0] + FAR]
            for index in range(longest):
                changed = before[index] + self._sounds.between(text[places[index]], character)
                row.append(min(changed, before[index + 1] + FAR, row[index] + FAR))
        distance, size = min((cost, abs(index - len(phrase)), index) for index, cost in enumerate(row))[::2]
        if distance > self._most or not size:
            return None
        end = places[int(size) - 1] + 1
        rest = text[end:]
        while rest and not rest[0].isalnum():
            rest = rest[1:]
        return Woken(phrase, end, round(distance, 2), rest)


def _refused(phrase: str, expected: str, got: str) -> PackInvalid:
    return PackInvalid(
        f"wake phrase {phrase!r}: expected {expected}, got {got}",
        remedy=(
            f"请换一个唤醒词：三个字以上、平时不会对别人说的话，比如“{DEFAULT}”",
            f"Set another wake phrase, of three syllables or more, that nobody says to others, such as {DEFAULT}",
        ),
    )
