"""A service with the appliance's own scheduler, notifier and watchdog, whose first run of a network takes its time.

`python working.py COUNT SECONDS LONGEST`: the file COUNT grows by a line with every start; at the first of them the run
takes SECONDS, at later ones none. A run of more than LONGEST seconds counts as hung.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import numpy as np

from appliance.device.notify import Notifier
from appliance.device.watchdog import Pulse, Watchdog
from appliance.inference.fake import FakeBackend
from appliance.inference.scheduler import Scheduler
from appliance.inference.signature import Arrays
from appliance.specs import ModelSpec, TensorSpec

SPEC = ModelSpec("tiny", (TensorSpec("x", "float32", (1,)),), (TensorSpec("y", "float32", (1,)),))


def main(count: Path, seconds: float, longest: float) -> None:
    with count.open("a") as file:
        file.write("started\n")
    first = len(count.read_text().splitlines()) == 1

    def compute(inputs: Arrays) -> dict[str, np.ndarray]:
        time.sleep(seconds if first else 0)
        return {"y": np.zeros(1, np.float32)}

    network, notifier = FakeBackend(SPEC, compute=compute), Notifier.of()
    network.load()
    with Scheduler() as scheduler:
        watchdog = Watchdog(notifier, [Pulse("inference", lambda: time.monotonic() - scheduler.heartbeat.at, longest)])
        notifier.ready("serving")
        watchdog.start()
        scheduler.run(network, SPEC.zeros())
        notifier.status("answered")
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
