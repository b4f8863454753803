"""How near two Chinese characters sound: syllables without tones, and the sounds that speakers and recognisers mix up.

0 is the same syllable whatever its tone, 1 another one. Between them stand what whole regions do not tell apart
(z/zh, c/ch, s/sh, n/l, f/h, an/ang, en/eng, in/ing: the pairs of fuzzy pinyin input) and, dearer, what a recogniser
takes for the other in noise (r/l, b/p, d/t, g/k, j/q, ü/i).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache

from appliance.language.pinyin import read_table

FAR = 1.0
"""Distance of syllables that nobody mixes up."""

_COMMON, _RARE = 0.2, 0.4
_MOST = 0.6
_INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcsyw")
_INITIAL = {
    **dict.fromkeys(("z zh", "c ch", "s sh", "l n", "f h"), _COMMON),
    **dict.fromkeys(("l r", "b p", "d t", "g k", "j q", "c z", "ch zh", "h k", "q x", "r y"), _RARE),
}
_FINAL = {
    **dict.fromkeys(("an ang", "en eng", "in ing", "ian iang", "uan uang", "uen ueng"), _COMMON),
    **dict.fromkeys(("ü i", "ün in", "üan ian", "üe ie", "o uo", "e o", "ong eng", "un en", "uo ou", "ai ei"), _RARE),
}
_ROUNDED = {"a": "ua", "an": "uan", "ang": "uang", "ei": "ui", "en": "un", "eng": "ong", "o": "uo", "u": "u"}
"""What follows h where a southern speaker says f: 发 is hua, 飞 hui."""


def _pair(one: str, other: str) -> str:
    return " ".join(sorted((one, other)))


_INITIAL_COST = {_pair(*pair.split()): cost for pair, cost in _INITIAL.items()}
_FINAL_COST = {_pair(*pair.split()): cost for pair, cost in _FINAL.items()}


def toneless(reading: str) -> str:
    """One reading without its tone: zhǐ is zhi, nǚ is nü."""
    letters = unicodedata.normalize("NFD", reading).replace("u\u0308", "ü")
    return "".join(c for c in letters if not unicodedata.combining(c))


def parts(syllable: str) -> tuple[str, str]:
    """Initial and final of a syllable, the final as it sounds: yu is ü, ju is j and ü."""
    initial = next((i for i in _INITIALS if syllable.startswith(i)), "")
    final = syllable[len(initial) :]
    if initial == "y":
        final = final.replace("u", "ü", 1) if final.startswith("u") else final if final[:1] == "i" else f"i{final}"
        initial = ""
    elif initial == "w":
        initial, final = "", final if final.startswith("u") else f"u{final}"
    elif initial in ("j", "q", "x") and final.startswith("u"):
        final = "ü" + final[1:]
    return initial, final


@lru_cache(maxsize=65536)
def apart(one: str, other: str) -> float:
    """Distance of two toneless syllables, 0 to 1; the same either way."""
    if one == other:
        return 0.0
    (a, x), (b, y) = parts(one), parts(other)
    if {a, b} == {"f", "h"}:
        x, y = (_ROUNDED.get(final, final) if initial == "f" else final for initial, final in ((a, x), (b, y)))
        if x == y or _FINAL_COST.get(_pair(x, y)) is not None:
            return _COMMON + _FINAL_COST.get(_pair(x, y), 0.0)
    first = 0.0 if a == b else _INITIAL_COST.get(_pair(a, b), FAR)
    second = 0.0 if x == y else _FINAL_COST.get(_pair(x, y), FAR)
    return first + second if first + second <= _MOST else FAR


class Sounds:
    """Readings of characters. Thread-safe: nothing is changed after construction."""

    def __init__(self) -> None:
        """Read pypinyin's table; a character keeps every reading that it lists, its usual one first."""
        self._readings: dict[str, tuple[str, ...]] = {
            chr(code): tuple(dict.fromkeys(toneless(reading) for reading in readings.split(",")))
            for code, readings in read_table().items()
            if 0x4E00 <= code < 0xA000 or code == 0x3007
        }

    def of(self, character: str) -> tuple[str, ...]:
        """Toneless readings of a Chinese character, the usual one first; none of anything else."""
        return self._readings.get(character, ())

    def between(self, said: str, meant: str) -> float:
        """Distance of two characters, 0 to 1: of the usual reading of what was `said` to the nearest of `meant`.

        A recogniser writes a character for its usual reading, while a name may be read in any of its own.
        """
        if said == meant:
            return 0.0
        heard, named = self.of(said)[:1], self.of(meant)
        return min((apart(one, other) for one in heard for other in named), default=FAR)

    def texts(self, said: str, meant: str) -> float:
        """Sum of the distances of two texts of one length, character by character."""
        return sum(self.between(one, other) for one, other in zip(said, meant, strict=True))


def classes() -> Callable[[str], str]:
    """A function from a syllable to its class: syllables nearer than FAR share one, so that they are found by it."""
    finals = [*_FINAL_COST, *(_pair(*pair) for pair in _ROUNDED.items() if pair[0] != pair[1])]
    first, second = _joined(_INITIAL_COST), _joined(finals)

    @lru_cache(maxsize=4096)
    def of(syllable: str) -> str:
        initial, final = parts(syllable)
        return f"{first.get(initial, initial)}-{second.get(final, final)}"

    return of


def _joined(pairs: Iterable[str]) -> dict[str, str]:
    """Each sound to the one that stands for all that any chain of `pairs` leads to."""
    leader: dict[str, str] = {}

    def of(sound: str) -> str:
        while leader.setdefault(sound, sound) != sound:
            sound = leader[sound]
        return sound

    for pair in pairs:
        one, other = (of(sound) for sound in pair.split())
        leader[max(one, other)] = min(one, other)
    return {sound: of(sound) for sound in leader}
