"""Takes out of a text what is for the eye alone: markdown, tags, emoji; and brings its characters to one form."""

from __future__ import annotations

import re
import unicodedata

_MARKDOWN = (
    (re.compile(r"(?<=\d)\*{2,}(?=\d)"), " 星号 "),  # 138****5678: hidden digits, no emphasis
    (re.compile(r"^[ \t]*```.*$", re.MULTILINE), ""),
    (re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)"), r"\1"),
    (re.compile(r"^[ \t]*(?:#{1,6}|[-*+•]|>)[ \t]+", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*(\d{1,2})[.)][ \t]+", re.MULTILINE), r"\1, "),
    (re.compile(r"\s(\d{1,2})\.\s+(?=[\u4e00-\u9fff])"), r", \1, "),
    (re.compile(r"^(?=[ \t]*[-:|])[-:| \t]{3,}$", re.MULTILINE), ""),
    (re.compile(r"(\*\*|__|~~|`)(?=\S)(.*?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"</?[a-zA-Z][^<>\n]{0,80}>"), ","),
    (re.compile(r"&nbsp;"), " "),
    (re.compile(r"[ \t]*[→⇒➜|][ \t]*"), ","),
)
_ALIKE = str.maketrans(
    {
        "–": "-",
        "—": ",",
        "−": "-",
        "‑": "-",
        "～": "~",
        "〜": "~",
        "∼": "~",
        "’": "'",
        "‘": "'",
        "·": " ",
        "✕": "×",
        "＋": "+",
    }
)
_QUOTES = re.compile(r"[\"“”„«»「」『』《》〈〉【】`*]")
_KEPT = frozenset("°¥$€£+=<>~×÷±≥≤≠")


def cleaned(text: str) -> str:
    """`text` in NFKC without markdown, tags, emoji, quotation marks and control characters; line ends are kept.

    Full-width digits, letters and punctuation become ASCII (，is a comma with a space), ℃ becomes °C; two dashes and
    arrows become pauses.
    """
    for wide in "，！？；":  # with a space: 30，100 are two numbers, 30,100 is one
        text = text.replace(wide, f"{unicodedata.normalize('NFKC', wide)} ")
    text = text.replace("——", ",").replace("……", ",").replace("…", ",").replace("●", "")
    for pattern, replacement in _MARKDOWN:
        text = pattern.sub(replacement, text)
    text = unicodedata.normalize("NFKC", text).replace("￥", "¥").translate(_ALIKE)
    kept = "".join(c for c in text if c in _KEPT or c == "\n" or unicodedata.category(c) not in _UNSPOKEN)
    return _QUOTES.sub("", kept)


_UNSPOKEN = frozenset(["So", "Sk", "Cc", "Cf", "Co", "Cn", "Cs", "Mn", "Me", "Sm", "Sc"])
"""Unicode's categories of emoji, their modifiers, control characters and other signs that have no sound."""
