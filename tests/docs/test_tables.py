"""docs/ says all that the code has: settings, errors, metrics, routes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import REPOSITORY


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generator", REPOSITORY / ".ci" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["settings.md", "errors.md", "metrics.md", "routes.md"])
def test_the_table_is_what_the_code_says(page: str) -> None:
    written = (REPOSITORY / "docs" / page).read_text("utf-8")
    assert written == generator().PAGES[page](), f"docs/{page} is out of date: run `make docs`"


def test_every_served_route_is_in_the_openapi_document() -> None:
    from prometheus_client import CollectorRegistry

    from appliance.channels.http.api import create_app
    from appliance.channels.http.openapi import document
    from appliance.metrics import Metrics
    from appliance.settings import Settings
    from tests.channels.fake_door import FakeDoor

    app = create_app(FakeDoor(), Settings(), Metrics(CollectorRegistry()))
    documented = {
        (method.upper(), path) for path, methods in document(Settings())["paths"].items() for method in methods
    }
    pages = {"/", "/docs", "/docs/", "/favicon.ico"}  # for eyes, not for programs
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<", "{").replace(">", "}").replace("path:", "")
        if path in pages or path.startswith(("/static", "/docs/", "/assets", "/page")) or rule.endpoint == "static":
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert (method, path) in documented, f"{method} {path} is served but not in /openapi.json"


def test_every_exit_code_is_in_the_help() -> None:
    from typer.testing import CliRunner

    from appliance.cli import app
    from appliance.cli.exits import Exit

    shown = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    for code in Exit:
        assert f"{code.value} " in shown, f"exit code {code} is not in `appliance --help`"


def test_every_model_has_a_card_with_source_and_licence() -> None:
    for manifest in sorted(Path(REPOSITORY / "models").glob("*/manifest.yaml")):
        card = manifest.with_name("card.md").read_text("utf-8")
        assert "icence" in card, manifest.parent.name
        assert "http" in card, manifest.parent.name
