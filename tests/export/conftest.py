"""Lets the tests of the training code share tiny_models and run_fit, which need torch and are imported where it is."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # tests are no packages: this is how they share modules
