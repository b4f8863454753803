"""The README holds: its commands exist, its links lead somewhere, its words name no machine."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPOSITORY, tracked

README = (REPOSITORY / "README.md").read_text("utf-8")


@pytest.mark.parametrize("document", list(tracked("*.md")))
def test_relative_links_lead_somewhere(document: str) -> None:
    text = (REPOSITORY / document).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) + re.findall(r'<img [^>]*src="([^"]+)"', text):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert ((REPOSITORY / document).parent / target).exists(), f"{document} links to {target}"


def test_make_targets_that_the_readme_names_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", makefile, re.MULTILINE))
    named = set(re.findall(r"`make ([a-z0-9-]+)", README)) | set(
        re.findall(r"^make ([a-z0-9-]+)", README, re.MULTILINE)
    )
    assert {"run", "test"} <= named
    assert named <= targets


def test_appliance_commands_that_the_readme_names_exist() -> None:
    from typer.testing import CliRunner

    from appliance.cli import app

    named = set(re.findall(r"appliance (serve|check|ask|ocr|hear|bench|models [a-z]+)", README))
    assert {"serve", "check", "ask", "ocr"} <= named
    for command in sorted(named):
        done = CliRunner().invoke(app, [*command.split(), "--help"])
        assert done.exit_code == 0, f"`appliance {command}` does not exist"


def test_settings_that_the_documents_name_exist() -> None:
    from appliance.settings import SETTINGS

    known = {setting.variable for setting in SETTINGS.values()} | {"APPLIANCE_CONFIG"}
    for document in tracked("*.md", "Makefile", "*.service", "*.yaml"):
        text = (REPOSITORY / document).read_text("utf-8")
        for variable in re.findall(r"\bAPPLIANCE_[A-Z_0-9]*[A-Z0-9]\b", text):
            assert variable in known, f"{document} names {variable}, which is no setting"


def test_no_tracked_text_names_a_path_of_the_machine_that_built_it() -> None:
    banned = re.compile("/" + r"work/(main|shared|\.library)|/" + r"root/|/opt/" + "pypi")
    for name in tracked("*.py", "*.md", "*.yaml", "*.toml", "*.txt", "*.json", "*.js", "*.html", "Makefile", ".ci/*"):
        found = banned.search((REPOSITORY / name).read_text("utf-8", errors="replace"))
        assert not found, f"{name} names {found and found[0]}"


def test_the_measured_table_was_written_by_its_command() -> None:
    table = README.partition("<!-- measured: begin -->")[2].partition("<!-- measured: end -->")[0]
    assert "`make measured` wrote this table" in table
    assert len(re.findall(r"^\| .* \| `python -m benchmarks\.\w+ --check` \|$", table, re.MULTILINE)) >= 6
