"""The state of an ability, with its reason in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feature:
    """State of one ability of the appliance, as /readyz and /v1/status show it."""

    name: str
    """`ocr`, `vad`, `asr`, `language`, `dialogue`, `microphone`, `speech`, `camera`; `records`, `clock` when amiss."""
    state: str
    """`ready`, `fallback` (works on a lower rung), `off` (not installed, or not now) or `failed`."""
    backend: str
    """What serves it: `onnxruntime-cpu`, `tesseract`, `templates`, `vosk`, or `none`."""
    reason: str
    """Why this backend and not the one above, or why the feature is off; what to run to change it.

    One statement a line, `subject: 中文 / English`, all of it in both languages; the subject may be missing or twofold.
    """
    required: bool = False
    """True when the appliance is not ready without it."""
    models: tuple[str, ...] = ()
    """Models behind it, as `name@digest`."""
    languages: tuple[str, ...] = ()
    """Languages that it serves, for example `zh`; empty where it serves every language or none."""

    def said(self, language: str) -> tuple[str, ...]:
        """The statements of the reason in one language."""
        return tuple(_half(line, language) for line in self.reason.splitlines())


def _half(statement: str, language: str) -> str:
    """`subject: 中文 / English` without the other language; a statement that has but one stays as it is."""
    subject = re.match(r"(?:[\w.-]+: )*", statement, re.ASCII)
    begin = subject.end() if subject else 0
    chinese, mark, english = statement[begin:].partition(" / ")
    return statement[:begin] + (english if mark and language == "en" else chinese)


def statements(said: Iterable[str]) -> str:
    """A reason of several statements, each once and on a line of its own."""
    return "\n".join(dict.fromkeys(" ".join(statement.split()) for statement in said if statement))
