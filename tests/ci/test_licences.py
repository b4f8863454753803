"""Which licences of runtime packages and test tools the check lets through."""

from __future__ import annotations

import importlib.util
from email.message import Message
from types import ModuleType, SimpleNamespace

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture
def licences(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / ".ci"))
    spec = importlib.util.spec_from_file_location("licences", REPOSITORY / ".ci" / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "licence, runtime, tool",
    [
        ("MIT", True, True),
        ("BSD-3-Clause AND ZLIB", True, True),
        ("LGPL-3.0 AND MIT", False, True),
        ("GNU Lesser General Public License v3 (LGPLv3)", False, True),
        ("GPL-2.0-only OR Apache-2.0", False, True),
        ("AGPL-3.0-or-later OR MIT", False, False),
        ("Proprietary", False, True),
        ("", False, True),
    ],
)
def test_what_passes(
    licences: ModuleType, monkeypatch: pytest.MonkeyPatch, licence: str, runtime: bool, tool: bool
) -> None:
    metadata = Message()
    metadata["Name"] = "Fake_Package"
    if licence:
        metadata["License-Expression"] = licence
    monkeypatch.setattr(licences, "REVIEWED", {})
    monkeypatch.setattr(licences, "distributions", lambda: [SimpleNamespace(metadata=metadata)])
    for packages, passes in (({"fake-package": 1}, runtime), ({}, tool)):
        monkeypatch.setattr(licences, "closure", lambda _name, packages=packages: packages)
        assert (licences.main() == 0) == passes


def test_a_reviewed_package_passes_until_it_is_gone(licences: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = Message()
    metadata["Name"] = "soxr"
    metadata["License"] = "LGPL-2.1-or-later"
    monkeypatch.setattr(licences, "REVIEWED", {"soxr": "reviewed"})
    monkeypatch.setattr(licences, "distributions", lambda: [SimpleNamespace(metadata=metadata)])
    monkeypatch.setattr(licences, "closure", lambda _name: {"soxr": 1})
    assert licences.main() == 0
    monkeypatch.setattr(licences, "closure", lambda _name: {})
    assert licences.main() == 1
