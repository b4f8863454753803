"""Lets the tests of this room share tiny_networks."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # tests are no packages: this is how they share tiny_networks
