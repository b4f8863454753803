"""The command that trains a tagger on anybody's data, from its arguments to its files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

ROOT = Path(__file__).parent.parent.parent.parent
GOODS = ("牛奶", "面包", "酱油", "毛巾", "铅笔", "苹果")


def test_entities_are_trained_exported_and_measured(tmp_path: Path) -> None:
    rows = [
        {
            "text": f"{before}{good}{behind}",
            "spans": [{"start": len(before), "end": len(before) + 2, "type": "product"}],
        }
        for good in GOODS
        for before, behind in (("我要", "两瓶"), ("哪里有", "卖"))
    ]
    for part in ("train", "test"):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp_path / f"{part}.jsonl").write_text(lines, "utf-8")
    command = ["-m", "export.train.entities", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--epochs", "1"]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"tagger.onnx", "tagger.json", "metrics.json", "learning.png"} <= written
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))
    assert {"dev", "test", "export", "seconds", "train"} == set(metrics)
    assert done.stdout.splitlines()[-1] == str({part: metrics[part]["f1"] for part in ("dev", "test")})
