"""The rung below the networks: Tesseract, for a machine whose models are missing or refused.

pytesseract finds the program and reads its table. It also hands pictures over, but as files in the temporary folder,
where a killed process leaves a customer's waybill behind; here they go through the program's stdin instead.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from appliance.device.bill import stage
from appliance.errors import BackendFailed, DeadlineExceeded, Unavailable
from appliance.values import OcrLine, OcrResult, Quad
from appliance.vision.image import Pixels
from appliance.vision.watch import UNWATCHED, Watch

_CJK = r"[　-〿㐀-䶿一-鿿豈-﫿＀-￯]"
_SPACE_IN_CHINESE = re.compile(rf"(?<={_CJK})\s+(?={_CJK})")
_SPACE_BESIDE_SIGN = re.compile(r"\s+(?=[、。，：；！？）】》])|(?<=[、。，：；！？（【《])\s+")


@dataclass(frozen=True, slots=True)
class Word:
    """One word as Tesseract reports it."""

    line: tuple[int, int, int]
    """Its block, paragraph and line."""
    text: str
    """Its characters."""
    confidence: float
    """0 to 1."""
    rectangle: tuple[int, int, int, int]
    """Left, top, right and bottom, in pixels of the image given to Tesseract."""


class TesseractReader:
    """Reads through the `tesseract` program, one child process a photo. Any thread may call it."""

    def __init__(
        self,
        languages: str = "chi_sim+eng",
        timeout: float = 20.0,
        *,
        max_side: int = 2400,
        min_confidence: float = 0.5,
    ) -> None:
        """Take the `languages` (joined by +), the seconds that a child may live and the longest side it is shown."""
        self._languages = languages
        self._timeout = timeout
        self._max_side = max_side
        self._min_confidence = min_confidence

    def probe(self) -> str:
        """Name and version of the program and its languages; Unavailable names what is missing and its package."""
        import pytesseract

        wanted = self._languages.split("+")
        try:
            version = str(pytesseract.get_tesseract_version()).splitlines()[0]
            installed = pytesseract.get_languages()
        except (pytesseract.TesseractNotFoundError, SystemExit) as error:
            raise _missing("the program tesseract", ["tesseract-ocr", *map(_package, wanted)]) from error
        lacking = [language for language in wanted if language not in installed]
        if lacking:
            raise _missing(f"Tesseract's language {', '.join(lacking)}", [_package(language) for language in lacking])
        return f"tesseract {version} ({self._languages})"

    def read(
        self,
        image: Pixels,
        *,
        size: tuple[int, int] | None = None,
        deadline: float | None = None,
        watch: Watch = UNWATCHED,
    ) -> OcrResult:
        """Read an upright BGR image, shape (height, width, 3), dtype uint8; arguments as `Reader.read`.

        The program gives all lines at its end, so `watch` hears them together and a deadline leaves none.
        Raises DeadlineExceeded when the deadline or the reader's own timeout passes (the child is then killed),
        Unavailable when the program has gone, BackendFailed when it fails.
        """
        height, width = image.shape[:2]
        full = size or (width, height)
        started = time.perf_counter()
        with stage("recognise"):  # the child works, and this thread pays for it
            shown = _reduced(image, self._max_side)
            table = self._table(shown, deadline)
        scale = (full[0] / shown.shape[1], full[1] / shown.shape[0])
        lines = tuple(line for line in _lines(_words(table), scale) if line.confidence >= self._min_confidence)
        timings = {"recognise": (time.perf_counter() - started) * 1000}
        watch.found(len(lines))
        for line in lines:
            watch.line(line)
        return OcrResult(lines, full[0], full[1], "tesseract", timings)

    def _table(self, image: Pixels, deadline: float | None) -> Mapping[str, Any]:
        import pytesseract

        allowed = self._timeout if deadline is None else min(self._timeout, deadline - time.monotonic())
        if allowed <= 0:
            raise DeadlineExceeded(f"tesseract: expected time to read, got a deadline {-allowed:.3f} s ago")
        program = pytesseract.pytesseract.tesseract_cmd
        command = [program, "stdin", "stdout", "-l", self._languages, "--psm", "3", "-c", "tessedit_create_tsv=1"]
        # Unless the machine says otherwise, one thread: Tesseract's OpenMP threads spin on each other, and one alone
        # took 0.8 s where four took 1.8 s (Tesseract 5.3, a receipt, two cores).
        environment = {"OMP_THREAD_LIMIT": "1"} | os.environ
        try:
            done = subprocess.run(
                command, input=_png(image), capture_output=True, timeout=allowed, env=environment, check=False
            )
        except FileNotFoundError as error:
            packages = ["tesseract-ocr", *map(_package, self._languages.split("+"))]
            raise _missing("the program tesseract", packages) from error
        except OSError as error:
            raise BackendFailed(f"tesseract: expected a program that starts, got {error}") from error
        except subprocess.TimeoutExpired as error:  # run() has killed the child
            raise DeadlineExceeded(f"tesseract: expected an answer in {allowed:.1f} s, got none") from error
        if done.returncode != 0:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())
            raise BackendFailed(f"tesseract: expected exit status 0, got {done.returncode}: {said}")
        table: Mapping[str, Any] = pytesseract.pytesseract.file_to_dict(
            done.stdout.decode("utf-8", "replace"), "\t", -1
        )
        return table


def without_spaces_in_chinese(text: str) -> str:
    """Drop spaces between Chinese characters and at Chinese punctuation; those between Latin words stay."""
    return _SPACE_BESIDE_SIGN.sub("", _SPACE_IN_CHINESE.sub("", text)).strip()


def _words(table: Mapping[str, Any]) -> Iterable[Word]:
    columns = ("block_num", "par_num", "line_num", "left", "top", "width", "height", "conf", "text")
    for block, paragraph, line, left, top, width, height, confidence, text in zip(
        *(table.get(column, ()) for column in columns), strict=True
    ):
        if float(confidence) >= 0 and str(text).strip():
            rectangle = (left, top, left + width, top + height)
            yield Word((block, paragraph, line), str(text), float(confidence) / 100, rectangle)


def _lines(words: Iterable[Word], scale: tuple[float, float]) -> Iterable[OcrLine]:
    grouped: dict[tuple[int, int, int], list[Word]] = {}
    for word in words:
        grouped.setdefault(word.line, []).append(word)
    for group in grouped.values():
        text = without_spaces_in_chinese(" ".join(word.text for word in group))
        weight = sum(len(word.text) for word in group)
        confidence = sum(word.confidence * len(word.text) for word in group) / weight
        yield OcrLine(text, confidence, _box([word.rectangle for word in group], scale))


def _box(rectangles: list[tuple[int, int, int, int]], scale: tuple[float, float]) -> Quad:
    left, right = (pick(r[at] for r in rectangles) * scale[0] for pick, at in ((min, 0), (max, 2)))
    top, bottom = (pick(r[at] for r in rectangles) * scale[1] for pick, at in ((min, 1), (max, 3)))
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def _reduced(image: Pixels, max_side: int) -> Pixels:
    import cv2

    factor = max_side / max(image.shape[:2])
    if factor >= 1:
        return image
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _png(image: Pixels) -> bytes:
    import cv2

    # Level 1: the child unpacks it at once, smaller is only slower.
    _, encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded.tobytes()


def _package(language: str) -> str:
    return f"tesseract-ocr-{language.replace('_', '-')}"


def _missing(what: str, packages: list[str]) -> Unavailable:
    command = f"sudo apt-get install {' '.join(packages)}"
    return Unavailable(
        f"fallback reader: expected {what}, found none", remedy=(f"请运行 `{command}`", f"Run `{command}`")
    )
