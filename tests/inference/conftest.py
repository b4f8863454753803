"""Schedulers for the tests of this room, which share tiny_networks and laid_queues."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.inference.scheduler import Scheduler

sys.path.insert(0, str(Path(__file__).parent))  # tests are no packages: this is how they share tiny_networks

from tiny_networks import Clock, Heard  # noqa: E402 - only to be found after the line above


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(heard: Heard, clock: Clock) -> Iterator[Scheduler]:
    """A scheduler whose time stands still."""
    with Scheduler(1, heard, clock) as scheduler:
        yield scheduler


@pytest.fixture
def scheduler(heard: Heard) -> Iterator[Scheduler]:
    with Scheduler(1, heard) as scheduler:
        yield scheduler
