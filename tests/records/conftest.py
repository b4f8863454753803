"""Where an event log lies, and what the tests of it share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no packages: this is how they share logs_on_disk


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records" / "events.sqlite"
