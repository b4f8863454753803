"""docs/operate.md speaks of what is really on the screen and of commands that really are."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from appliance.cli import app
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "appliance/channels/page"
TEXT = (REPOSITORY / "docs/operate.md").read_text("utf-8")
SHOWN = re.findall(r"\*\*([^*]+?) / ([^*]+?)\*\*", TEXT.partition("on the screen")[2].partition("what is noticed")[0])


def test_there_are_symptoms() -> None:
    assert len(SHOWN) > 12


@pytest.mark.parametrize(("chinese", "english"), SHOWN)
def test_what_stands_there_stands_on_the_screen(chinese: str, english: str) -> None:
    assert chinese in (PAGE / "chinese.js").read_text("utf-8")
    assert english in (PAGE / "english.js").read_text("utf-8")


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"`appliance ((?:models |engines |mic )?[a-z-]+)", TEXT)) - {"models", "engines"})
)
def test_its_commands_are_commands(command: str) -> None:
    assert CliRunner().invoke(app, [*command.split(), "--help"]).exit_code == 0
