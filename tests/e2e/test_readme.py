"""The README's curl lines, run as they stand: the JSON shown below each is part of what really comes back."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from tests.conftest import REPOSITORY, lacking
from tests.e2e.conftest import Running

README = (REPOSITORY / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"```sh\n(curl [^\n]+)\n```\n```json\n(.*?)```", README, re.DOTALL)


def within(shown: object, real: object) -> bool:
    """True when everything shown is in `real`: objects by key, each element of a list somewhere in order."""
    if isinstance(shown, dict):
        return isinstance(real, dict) and all(key in real and within(value, real[key]) for key, value in shown.items())
    if isinstance(shown, list):
        rest = iter(real if isinstance(real, list) else ())
        return all(any(within(item, candidate) for candidate in rest) for item in shown)
    return shown == real


def test_there_are_six() -> None:
    assert len(EXAMPLES) == 6


@pytest.mark.parametrize("command, shown", EXAMPLES, ids=[command[:60] for command, _ in EXAMPLES])
def test_the_line_gives_what_is_shown(running: Running, command: str, shown: str) -> None:
    if shutil.which("curl") is None:
        lacking("curl", "curl")
    line = command.replace("localhost:8080", running.url.removeprefix("http://"))
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=REPOSITORY, check=True, timeout=60)
    real = json.loads(done.stdout)
    assert within(json.loads(shown), real), done.stdout
