"""Prints the task metric of every shipped network on its recorded cases, as the cards quote them and gates demand.

    python -m export.measure [--data-dir DIR]

ONNX Runtime on one core; the metrics are those of `appliance.app.gates`, the same that let a derived file or an engine
through. Exits 1 when a network is below the threshold in its manifest.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from appliance.app.derive import score
from appliance.artifacts.derived import network_path
from appliance.artifacts.manifest import Manifest, load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.settings import data_dir, load_settings


def measure(store: ModelStore, manifest: Manifest) -> dict[str, float]:
    """Value of each gate's metric: file path to a number from 0 to 1."""
    return {
        file: score(spec, manifest, store.folder(manifest.name), network_path(store, manifest.name, file))
        for file, spec in manifest.networks.items()
        if spec.gate is not None
    }


def main() -> None:
    """Print a table of network, metric, value, threshold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    root = (options.data_dir or data_dir(load_settings())) / "models"
    store = ModelStore(root, load_manifests(shipped_root()))
    failed = False
    for manifest in store.manifests.values():
        for file, value in measure(store, manifest).items():
            limit = manifest.network(file).gate
            if limit is not None:
                failed |= value < limit.threshold
                print(f"{manifest.name}/{file}: {limit.metric} {value:.4f} (threshold {limit.threshold})")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
