"""Trainings that are killed, on the real networks: `python -m benchmarks.language.resumed [--rows N] [--check]`.

`export.train.intent` (teacher, student) and `export.train.entities` run on N of the project's training sentences, each
once in peace and once ended by SIGKILL at every moment of KILLS and started again. Metrics and exported networks have
to be the same. `--work` is the folder of `make models`, whose encoder both begin with.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from export.train import corpus, sentences

KILLS = {
    "intent": (("teacher", 0), ("teacher", 1), ("student", 0), ("student", 2)),
    "entities": ((".", 0), (".", 1), (".", 2)),
}
"""Folder of the network that learns, and after how many of its epochs the kill comes."""
ARGUMENTS = {"intent": ("--epochs", "3", "--student-epochs", "4"), "entities": ("--epochs", "4")}
NETWORK = {"intent": "model.onnx", "entities": "tagger.onnx"}
INTO_S = 1.5
"""Seconds from the end of that epoch, or from the beginning of the first, to the kill."""


class Late(Exception):
    """The training came to its end before it could be killed."""


def data_in(folder: Path, rows: int) -> Path:
    """N sentences to learn from and a third of that to be judged by, in the documented JSONL."""
    for part, count in (("train", rows), ("test", rows // 3)):
        found = [s for s in sentences.load(corpus.DATA, part) if s.label]
        kept = found[:: max(1, len(found) // count)][:count]
        lines = [
            json.dumps(
                {"text": s.text, "label": s.label, "spans": [asdict(span) for span in s.spans]}, ensure_ascii=False
            )
            for s in kept
        ]
        (folder / f"{part}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def started(task: str, data: Path, out: Path, work: Path, log: Path) -> subprocess.Popen[bytes]:
    """The command, as a user would start it."""
    command = [sys.executable, "-m", f"export.train.{task}", "--data", str(data), "--out", str(out)]
    command += ["--encoder", str(work / "encoder"), *ARGUMENTS[task]]
    with log.open("ab") as told:
        return subprocess.Popen(command, stdout=told, stderr=told)


def finished(process: subprocess.Popen[bytes], log: Path) -> None:
    if process.wait() != 0:
        raise SystemExit(
            f"training: expected it to come to its end, got {process.returncode}\n{log.read_text()[-2000:]}"
        )


def killed(process: subprocess.Popen[bytes], learning: Path, after: int) -> None:
    """End it by SIGKILL within an epoch, once `after` of them are behind it."""
    while not learning.is_dir() or epochs(learning) < after:
        if process.poll() is not None:
            raise Late(f"{learning.name}: expected a training to kill, got its end ({process.returncode})")
        time.sleep(0.05)
    time.sleep(INTO_S)
    process.kill()
    if process.wait() != -signal.SIGKILL or (learning / "history.json").exists():
        raise Late(f"{learning.name}: expected to be killed within its training, got its end; ask for more --rows")


def epochs(learning: Path) -> int:
    """Epochs whose checkpoint was written to its end."""
    states = [
        json.loads(path.read_text("utf-8")) for path in learning.glob("checkpoints/checkpoint-*/trainer_state.json")
    ]
    return max((round(state["epoch"]) for state in states), default=0)


def outcome(task: str, out: Path) -> dict[str, Any]:
    """Metrics without the time that they took, and the digest of the exported network."""
    metrics = json.loads((out / "metrics.json").read_text("utf-8"))
    metrics.pop("seconds")
    return {"metrics": metrics, "sha256": hashlib.sha256((out / NETWORK[task]).read_bytes()).hexdigest()}


def compare(task: str, data: Path, folder: Path, work: Path) -> dict[str, Any]:
    """Train in peace and with kills."""
    log, peace, cut = folder / f"{task}.log", folder / f"{task}-peace", folder / f"{task}-cut"
    finished(started(task, data, peace, work, log), log)
    for name, after in KILLS[task]:
        killed(started(task, data, cut, work, log), cut / name, after)
        print(f"{task}: killed in {name} after {after} epochs", flush=True)
    finished(started(task, data, cut, work, log), log)
    calm, torn = outcome(task, peace), outcome(task, cut)
    return {
        "kills": len(KILLS[task]),
        "same_metrics": calm["metrics"] == torn["metrics"],
        "same_network": calm["sha256"] == torn["sha256"],
        "metrics": calm["metrics"],
        "metrics_with_kills": torn["metrics"],
    }


def main() -> int:
    """Train, kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=900)
    parser.add_argument("--work", type=Path, default=Path("var/train"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    result: dict[str, Any] = {"rows": asked.rows}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        data = data_in(folder / "data", asked.rows)
        for task in KILLS:
            result[task] = compare(task, data, folder, asked.work)
            print(f"{task}: {result[task]['same_metrics']=}, {result[task]['same_network']=}", flush=True)
    result["machine"] = describe()
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    bad = [task for task in KILLS if not result[task]["same_metrics"]]
    for task in bad:
        print(f"missed: {task}: expected the same metrics after {result[task]['kills']} kills", file=sys.stderr)
    return 1 if asked.check and bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
