"""Fixtures of the channels: a fake door, an application around it, and a real server on a free port."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # tests are no packages: this is how they share fake_door
