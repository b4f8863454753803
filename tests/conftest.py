"""Shared fixtures: what a machine may lack is named here, once."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from appliance.request import begin

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REPOSITORY = Path(__file__).parent.parent

# ONNX Runtime reports to its maker unless told not to; tests that import it by themselves have nothing to report. What
# the appliance does about it is its own business, and tests of that take this away again.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_BUILT = (
    ".git",
    ".venv",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    ".import_linter_cache",
    ".schemathesis",
    "__pycache__",
    "build",
)


def tracked(*patterns: str) -> list[str]:
    """Files of the project that match one of `patterns` (all without), relative to its root.

    Git says which, whoever owns the checkout; in an unpacked archive or without git it is every file that no tool made.
    """
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", *patterns]
    if shutil.which("git") and (REPOSITORY / ".git").exists():
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        return [name for name in done.stdout.split("\0") if name and (REPOSITORY / name).is_file()]
    found = []
    for folder, folders, names in os.walk(REPOSITORY):
        folders[:] = [name for name in folders if not name.startswith(_BUILT) and not name.endswith(".egg-info")]
        found += [(Path(folder) / name).relative_to(REPOSITORY).as_posix() for name in names]
    return sorted(name for name in found if not patterns or any(fnmatch(name, pattern) for pattern in patterns))


@pytest.fixture(autouse=True)
def _for_no_request() -> None:
    """A test works for no request, whatever a test client in this thread has left open before it."""
    begin("")


def lacking(what: str, package: str) -> None:
    """Skip, naming the package; fail instead where CI=true promises a complete machine."""
    sentence = f"{what} is not installed: apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def tesseract() -> str:
    """Path of the tesseract program."""
    program = shutil.which("tesseract")
    if program is None:
        lacking("tesseract", "tesseract-ocr tesseract-ocr-chi-sim")
    assert program is not None
    return program


@pytest.fixture(scope="session")
def espeak() -> str:
    """Path of the espeak-ng program."""
    program = shutil.which("espeak-ng")
    if program is None:
        lacking("espeak-ng", "espeak-ng")
    assert program is not None
    return program


@pytest.fixture(scope="session")
def vosk_model() -> Path:
    """Folder of a real Vosk model of any language; the tests that ask for it are marked `vosk`."""
    folder = os.environ.get("VOSK_TEST_MODEL")
    if not folder:
        pytest.skip("no Vosk model to hear with: run `make hear-test`, or set VOSK_TEST_MODEL to a model's folder")
    return Path(folder)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium that Playwright can drive."""
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        program = shutil.which(name)
        if program:
            return program
    lacking("Chromium", "chromium")
    raise AssertionError


@pytest.fixture(scope="session")
def launch(chromium: str) -> Iterator[Callable[..., Browser]]:
    """Start headless Chromiums that call nobody by themselves, with a fake camera and microphone: `launch(FLAG...)`."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
    flags += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright, ExitStack() as stack:

        def start(*more: str) -> Browser:
            launched = playwright.chromium.launch(executable_path=chromium, args=[*flags, *more])
            stack.callback(launched.close)
            return launched

        yield start


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Browser]) -> Browser:
    """The Chromium that most tests share."""
    return launch()


@pytest.fixture(scope="session")
def chinese_font() -> Path:
    """A TrueType font that has Chinese characters."""
    for path in (
        Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"),
        Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"),
    ):
        if path.exists():
            return path
    lacking("a Chinese font", "fonts-wqy-microhei")
    raise AssertionError


@pytest.fixture
def root_logger() -> Iterator[None]:
    """The root logger is as it was, afterwards."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield
    logging.captureWarnings(False)
    logger.handlers[:] = handlers
    logger.setLevel(level)
