"""Lets the tests of CTC recognisers share tone_networks."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # tests are no packages: this is how they share modules


@pytest.fixture(scope="session")
def references() -> dict[str, np.ndarray]:
    """What FunASR and torchaudio make of a sound: see export/asr_references.py."""
    with np.load(HERE / "references" / "features.npz") as held:
        return {name: held[name] for name in held.files}
