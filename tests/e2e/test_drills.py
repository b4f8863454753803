"""Twelve faults of engines and devices: every turn is answered, and status and metrics say by what and why.

The whole appliance on the real networks; only TensorRT and the GPU are fakes (tests/inference/tensorrt), whose engines
compute what ONNX Runtime does.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from appliance.app.appliance import Appliance
from appliance.app.build import build
from appliance.app.engines import Engines
from appliance.artifacts.engines import EngineStore
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.channels.http.api import create_app
from appliance.errors import BackendFailed
from appliance.inference.pauses import PAUSE_S
from appliance.inference.tensorrt.cuda_bindings import CudaBindingsDevice
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.values import Turn
from tests.e2e.conftest import installed_store

sys.path.append(str(Path(__file__).parent.parent / "inference" / "tensorrt"))  # tests are no packages

import fake_trt  # noqa: E402
from fake_cuda import Cudart, Gpu, Status  # noqa: E402

pytestmark = pytest.mark.drill

MODELS = ("understand-zh", "entities-zh")
NETWORK = "understand-zh/model"
SAID = {"厕所在哪里": "facility_location", "我要退货": "return_exchange", "有没有牛奶": "check_stock"}


class Clock:
    """Time that stands still until it is told to move."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Board:
    """A fake board with the real appliance on it."""

    data: Path
    gpu: Gpu = field(default_factory=lambda: Gpu(total=1 << 30))
    version: str = "10.3.0"
    library: Callable[[], Any] | None = None
    clock: Clock = field(default_factory=Clock)
    closing: ExitStack = field(default_factory=ExitStack)
    trt: Any = None
    appliance: Appliance | None = None
    client: Any = None

    def engines(self, store: EngineStore, models: ModelStore, settings: Settings) -> Engines:
        self.trt = self.trt or fake_trt.make(self.gpu, self.version)
        library = self.library or (lambda: self.trt)
        return Engines(store, models, settings, library=library, device=lambda: CudaBindingsDevice(Cudart(self.gpu)))

    def settings(self) -> Settings:
        return Settings(data_dir=str(self.data), backends=("tensorrt", "onnxruntime-cpu"), onnxruntime_threads=1)

    def own(self) -> Engines:
        models = ModelStore(self.data / "models", load_manifests(shipped_root()))
        return self.engines(EngineStore(self.data / "engines"), models, self.settings())

    def start(self) -> None:
        metrics = Metrics(CollectorRegistry())
        made = build(self.settings(), listener=metrics.listener, senses=(), engines=self.engines, clock=self.clock)
        self.appliance = self.closing.enter_context(made)
        self.client = create_app(made, self.settings(), metrics).test_client()

    def ask(self, path: str) -> Any:
        answer = self.client.get(path, headers={"Host": "127.0.0.1"})
        assert answer.status_code == 200
        return answer

    def answers(self) -> None:
        """Every sentence is understood by the network, whatever runs it."""
        assert self.appliance is not None
        for text, intent in SAID.items():
            parse = self.appliance.turn(Turn(text)).parse
            assert parse.intent.name == intent
            assert parse.models

    @property
    def networks(self) -> list[dict[str, Any]]:
        """What /v1/status says of the networks."""
        networks: list[dict[str, Any]] = self.ask("/v1/status").json["networks"]
        return networks

    @property
    def encoder(self) -> dict[str, Any]:
        """What it says of the encoder, whose engine is the one at fault."""
        return next(network for network in self.networks if network["network"] == NETWORK)

    @property
    def language(self) -> dict[str, Any]:
        features = self.ask("/v1/status").json["features"]
        return next(feature for feature in features if feature["name"] == "language")

    def counted(self, start: str) -> float:
        """Sum of the metrics whose line begins with `start`."""
        lines = self.ask("/metrics").get_data(as_text=True).splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(start))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the language models and their engines, built and gated once."""
    folder = tmp_path_factory.mktemp("board")
    store = installed_store()
    for name in MODELS:
        home = store.home(name)
        shutil.copytree(home, folder / "models" / name / home.name)
    board = Board(folder)
    engines = board.own()
    engines.prepare(engines.wanted(MODELS))
    outcomes = [engines.build(one) for one in engines.wanted(MODELS)]
    assert [one.result for one in outcomes] == ["built"] * len(outcomes), [one.error for one in outcomes]
    assert not board.gpu.held
    return folder


@pytest.fixture
def board(built: Path, tmp_path: Path) -> Iterator[Board]:
    """A board of its own with those engines."""
    (tmp_path / "models").symlink_to(built / "models")
    shutil.copytree(built / "engines", tmp_path / "engines", copy_function=os.link)
    with ExitStack() as closing:
        yield Board(tmp_path, closing=closing)


def plans(board: Board) -> list[Path]:
    """The plans of the encoder."""
    return sorted((board.data / "engines" / "understand-zh").rglob("engine.plan"))


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change a file without changing the one that it is a link to."""
    content = change(path.read_bytes())
    path.unlink()
    path.write_bytes(content)


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


# At the start: TensorRT does not serve, ONNX Runtime does, and the reason is told.


def engine_missing(board: Board) -> None:
    shutil.rmtree(board.data / "engines")


def engine_stale(board: Board) -> None:
    board.version = "10.7.0"  # an upgrade of the board's software


def engine_truncated(board: Board) -> None:
    for plan in plans(board):
        rewrite(plan, lambda content: content[: len(content) // 2])


def engine_bit_flipped(board: Board) -> None:
    for plan in plans(board):
        rewrite(plan, flipped)


def engine_foreign(board: Board) -> None:
    """Brought from another installation, its record and all."""
    (board.data / "engines" / ".seal").unlink()
    (board.data / "engines" / ".seal").write_bytes(os.urandom(32))
    (board.data / "engines" / ".seal").chmod(0o600)


def engine_refused_by_its_gate(board: Board) -> None:
    """Built anew where halves overflow: the metric falls, the record says so, and it never serves."""
    engines = board.own()
    for one in engines.wanted(("understand-zh",)):
        engines._score = lambda *_: 0.5  # type: ignore[method-assign]
        assert engines.build(one, again=True).result == "refused"
        assert engines.build(one).result == "refused"  # nobody builds it again in hope


def engine_refused_by_the_library(board: Board) -> None:
    board.engines(EngineStore(board.data / "engines"), ModelStore(board.data / "models", {}), board.settings())
    board.trt.faults += ["engine"] * len(plans(board))


def library_missing(board: Board) -> None:
    def gone() -> Any:
        raise BackendFailed("tensorrt: expected to import tensorrt, got ImportError: libnvdla_compiler.so")

    board.library = gone


def memory_short_at_the_start(board: Board) -> None:
    board.gpu.total = 1 << 10


START = {
    engine_missing: "expected an engine for TensorRT 10.3.0 on Orin 8.7 none, found none",
    engine_stale: "expected an engine for TensorRT 10.7.0 on Orin 8.7 none, found none",
    engine_truncated: "bytes, got",
    engine_bit_flipped: "expected sha256",
    engine_foreign: "foreign or changed",
    engine_refused_by_its_gate: "got intent_accuracy 0.5",
    engine_refused_by_the_library: "magic tag does not match",
    library_missing: "libnvdla_compiler.so",
    memory_short_at_the_start: "out of memory",
}


@pytest.mark.parametrize("fault", START, ids=lambda fault: fault.__name__)
def test_at_the_start(board: Board, fault: Callable[[Board], None]) -> None:
    fault(board)
    board.start()
    board.answers()
    encoder = board.encoder
    assert encoder["name"] == "onnxruntime-cpu"
    assert START[fault] in encoder["fallback"]
    assert START[fault] in board.language["reason"]
    assert "onnxruntime-cpu" in board.language["backend"]
    assert board.counted('appliance_model_loads_total{backend="tensorrt') > 0
    refused = [f'appliance_model_loads_total{{backend="{name}",model="{NETWORK}",result="failed"}}' for name in
               ("tensorrt", "tensorrt int8", "tensorrt fp16", "tensorrt fp32")]  # fmt: skip
    assert sum(board.counted(line) for line in refused) > 0


# In motion: the turn under way is answered, the better backend comes back.


def device_lost(board: Board) -> None:
    board.gpu.fail("cudaStreamSynchronize", Status.cudaErrorLaunchFailure)


def memory_short(board: Board) -> None:
    board.gpu.fail("cudaMemcpyAsync", Status.cudaErrorMemoryAllocation)


def execution_refused(board: Board) -> None:
    board.trt.faults += ["execute", "execute"]  # the run, and the one that asks whether it was the request's fault


def outputs_not_finite(board: Board) -> None:
    board.trt.faults.append("nan")


MOTION = {
    device_lost: "LaunchFailure",
    memory_short: "MemoryAllocation",
    execution_refused: "unspecified launch failure",
    outputs_not_finite: "expected finite outputs",
}


@pytest.mark.parametrize("fault", MOTION, ids=lambda fault: fault.__name__)
def test_in_motion(board: Board, fault: Callable[[Board], None]) -> None:
    board.start()
    board.answers()
    assert [(row["name"], row["fallback"]) for row in board.networks] == [("tensorrt", "")] * 2
    assert board.language["state"] == "ready"
    fault(board)
    board.answers()
    hit = [row for row in board.networks if row["switches"]]  # whichever ran first; a lost device hits both
    assert hit
    assert all(MOTION[fault] in row["fallback"] for row in hit)
    assert MOTION[fault] in board.language["reason"]
    assert board.language["state"] == "fallback"
    assert board.counted("appliance_backend_switches_total") >= 1
    board.gpu.lost = False
    board.clock.now += PAUSE_S
    assert eventually(lambda: not any(row["fallback"] for row in board.networks))
    board.answers()
    assert [row["name"] for row in board.networks] == ["tensorrt"] * 2
    assert board.language["state"] == "ready"
    assert board.counted("appliance_backend_switches_total") >= 2
    assert board.ask("/readyz").json["ready"]


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    import time

    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_without_faults_engines_serve_all_and_give_all_back(board: Board) -> None:
    board.start()
    board.answers()
    assert [row["name"] for row in board.networks] == ["tensorrt"] * 2
    assert board.gpu.held
    board.closing.close()
    assert not board.gpu.held
