"""docs/install-jetson.md says what the scripts do: their options, their steps, their words."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.conftest import REPOSITORY

TEXT = (REPOSITORY / "docs/install-jetson.md").read_text("utf-8")
SCRIPTS = {
    path.name: path.read_text("utf-8")
    for path in sorted([*(REPOSITORY / "jetson").glob("*.sh"), *(REPOSITORY / "jetson/lib").glob("*.sh")])
}


def table(heading: str) -> list[list[str]]:
    """Cells of the rows of the table under a heading."""
    part = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ") for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in rows[1:]]


def usage(script: str) -> set[str]:
    done = subprocess.run(
        [str(REPOSITORY / "jetson" / script), "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    return set(re.findall(r"--[a-z-]+", done.stdout))


def test_options_are_those_of_the_installer() -> None:
    named = {option for first, *_ in table("Options") for option in re.findall(r"--[a-z-]+", first)}
    assert named == usage("install.sh")
    understood = set(re.findall(r"^    (--[a-z-]+)", SCRIPTS["install.sh"], re.MULTILINE))
    assert understood - {"--help"} == named


@pytest.mark.parametrize("script", ["install.sh", "offline-folder.sh"])
def test_commands_use_options_that_there_are(script: str) -> None:
    known = usage(script) | {"--help"}
    for command in re.findall(rf"{script}((?: [^\s`#]+)*)", TEXT.replace("\n", " \n")):
        assert set(re.findall(r"(?<= )--[a-z-]+", command)) <= known, command


def test_every_option_that_takes_a_value_looks_for_it() -> None:
    for script in ("install.sh", "offline-folder.sh"):
        taking = set(re.findall(r"^  (--[a-z-]+) (?:[A-Z]+\b|6\|7)", SCRIPTS[script], re.MULTILINE))
        taking |= {"--jetpack"} if script == "offline-folder.sh" else set()
        taking.discard("--seal")  # FOLDER is the folder's own place
        checked = set(re.findall(r'^    (--[a-z-]+)\) needs "\$@"', SCRIPTS[script], re.MULTILINE))
        assert taking == checked
        assert taking


def test_every_step_is_told() -> None:
    steps = re.findall(r'^step (\w+) \S+ "[^"]*" "([^"]+)"', SCRIPTS["install.sh"], re.MULTILINE)
    assert len(steps) == int(re.search(r"^steps=(\d+)$", SCRIPTS["install.sh"], re.MULTILINE)[1])  # type: ignore[index]
    told = " ".join(first.strip("*") for first, *_ in table("What it does, and what happens when it fails"))
    names = {"switch": "change", "kiosk": "screen", "sound": "echo cancellation", "power": "power mode"}
    for name, _ in steps:
        assert names.get(name, name) in told, name


def test_symptoms_are_what_the_scripts_say() -> None:
    said = "\n".join(SCRIPTS.values())
    quoted = [first for row in table("When something is wrong") for first in re.findall(r"`([^`]+)`", row[0])]
    assert len(quoted) > 15
    for text in quoted:
        # What a variable holds stands between the parts.
        for part in re.split(r"\.\.\.|aarch64|R36\.4|3\.10|10\.3|/dev/nvmap|--uninstall", text):
            if part.strip(" ,"):
                assert part.strip(" ,") in said, text
