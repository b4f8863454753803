"""`appliance ...` run in this process, on a data folder of its own with the real models."""

from __future__ import annotations

import copy
import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from appliance.app import load
from appliance.cli import main
from appliance.language.lexicon import Lexicon
from appliance.language.parse import Parser
from appliance.packs.compile import load_pack
from appliance.packs.schema import Pack
from appliance.settings import Settings
from tests.e2e.conftest import copy_models


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)


Command = Callable[..., Ended]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the installed network models; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("cli-data")
    copy_models(folder)
    return folder


@pytest.fixture(scope="session")
def compiled() -> Callable[[str], tuple[Pack, Parser]]:
    """The pack of a name and its parser, which nothing changes: two seconds of compiling, once and not per command."""

    @cache
    def compile_once(name: str) -> tuple[Pack, Parser]:
        pack = load_pack(name)
        return pack, Parser(pack.lexicon)

    return compile_once


@pytest.fixture
def command(
    data: Path,
    compiled: Callable[[str], tuple[Pack, Parser]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Command:
    """Runs `appliance ARGUMENTS` through its `main`, with `stdin` as its input; no setting of the caller reaches it."""
    for name in [name for name in os.environ if name.startswith("APPLIANCE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(data))
    lexicons: dict[int, Parser] = {}

    def pack_of(name: str) -> Pack:
        if name != Settings().pack:  # a test's own folder may change under the same name
            return load_pack(name)
        pack, parser = compiled(name)
        lexicons[id(pack.lexicon)] = parser
        return pack

    def parser_of(lexicon: Lexicon, *_: object) -> Parser:
        parser = lexicons.get(id(lexicon))
        # The compiled templates are the dear part; who else thinks along is this appliance's own matter.
        return Parser(lexicon) if parser is None else copy.copy(parser)

    monkeypatch.setattr(load, "load_pack", pack_of)
    monkeypatch.setattr(load, "Parser", parser_of)

    def run(*arguments: str, stdin: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["appliance", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capfd.readouterr()
        return Ended(code, said.out, said.err)

    return run
