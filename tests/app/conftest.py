"""Rooms without networks, built once a module, and a door of its own before them for every test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from appliance.app.appliance import Appliance
from appliance.app.build import build
from appliance.app.rooms import Rooms
from appliance.settings import Settings
from tests.app.doors import Heard


@pytest.fixture(scope="module")
def ear() -> Heard:
    """Hears everything of this module's rooms."""
    return Heard()


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory, ear: Heard) -> Iterator[Rooms]:
    """Real rooms without networks, built once."""
    settings = Settings(
        data_dir=str(tmp_path_factory.mktemp("data")), admitted=4, image_jobs=2, session_jobs=1, sessions=1000
    )
    with build(settings, senses=(), listener=ear) as built:
        yield built._rooms


@pytest.fixture
def heard(ear: Heard) -> Heard:
    """What is heard from here on."""
    ear.events.clear()
    return ear


@pytest.fixture
def appliance(rooms: Rooms, heard: Heard) -> Iterator[Appliance]:
    """A door of its own, with its own gates, before the shared rooms."""
    with Appliance(rooms, ExitStack()) as door:
        yield door
