"""The module that imports TensorRT, its logger, and what an engine is tied to."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import fake_trt
import pytest
from drills import LIBRARIES
from fake_cuda import Gpu

from appliance.errors import BackendFailed, EngineBuildFailed
from appliance.inference.tensorrt import compat
from appliance.inference.tensorrt.facts import LEAST_WORKSPACE, MOST_WORKSPACE, facts, workspace
from appliance.inference.tensorrt.log import Journal, logger


def test_a_library_that_does_not_import_is_a_typed_error() -> None:
    with pytest.raises(BackendFailed, match=r"no_such_tensorrt: ModuleNotFoundError") as failed:
        compat.load(("no_such_tensorrt", "nor_this"))
    assert "JetPack" in failed.value.remedy
    assert compat.load(("no_such_tensorrt", "json")).__name__ == "json"


def test_the_flag_follows_the_version_and_may_be_absent() -> None:
    assert compat.network_flags(fake_trt.make(Gpu(), "10.3.0")) == 4
    assert compat.network_flags(fake_trt.make(Gpu(), "11.4.0")) == 2
    assert compat.network_flags(fake_trt.make(Gpu(), "10.3.0"), weak=True) == 0
    assert compat.network_flags(SimpleNamespace(NetworkDefinitionCreationFlag=SimpleNamespace())) == 0
    assert compat.can_be_weak(fake_trt.make(Gpu(), "10.3.0"))
    assert not compat.can_be_weak(fake_trt.make(Gpu(), "11.4.0"))


def test_capabilities_that_the_library_does_not_know() -> None:
    class Config:
        num_compute_capabilities = 0

        def set_compute_capability(self, capability: int, number: int) -> bool:
            return capability == 86

    trt = SimpleNamespace(__version__="1.7", ComputeCapability=SimpleNamespace(SM86=86, SM11=11))
    config = Config()
    compat.aim(trt, config, ("SM86",))
    assert config.num_compute_capabilities == 1
    for name in ("SM87", "SM11"):
        with pytest.raises(EngineBuildFailed, match=f"got {name}"):
            compat.aim(trt, config, (name,))


def test_scratch_memory_per_profile_or_of_the_largest() -> None:
    assert compat.scratch_bytes(SimpleNamespace(get_device_memory_size_for_profile_v2=lambda n: 10 + n), 2) == 12
    assert compat.scratch_bytes(SimpleNamespace(device_memory_size_v2=99), 2) == 99


def test_one_logger_a_library_and_what_it_heard(caplog) -> None:
    trt = fake_trt.make(Gpu())
    made, journal = logger(trt)
    assert logger(trt) == (made, journal)
    start = journal.position
    assert journal.since(start) == "it gave no reason"
    with caplog.at_level(logging.DEBUG, "appliance.tensorrt"):
        made.log(SimpleNamespace(name="INFO"), "all is well")
        made.log(SimpleNamespace(name="WARNING"), "Thread context has not been set! Using global log stream.")
        assert journal.since(start) == "it gave no reason"
        made.log(SimpleNamespace(name="WARNING"), "slow")
        assert journal.since(start) == "slow"
        made.log(SimpleNamespace(name="ERROR"), "no\n  memory")
        made.log(SimpleNamespace(name="ERROR"), "no\n  memory")
    assert journal.since(start) == "no memory"
    assert journal.since(journal.position) == "it gave no reason"
    assert [record.levelname for record in caplog.records] == ["DEBUG", "DEBUG", "WARNING", "ERROR", "ERROR"]


def test_a_talkative_library_is_cut_short() -> None:
    journal = Journal()
    for number in range(1000):
        journal.take("ERROR", f"error {number} " + "x" * 50)
    assert len(journal.since(0)) <= 1200


def test_the_facts_of_a_device(tmp_path) -> None:
    found = facts(
        fake_trt.make(Gpu(), "10.7.0"), LIBRARIES["cuda-bindings"](Gpu(name="Thor", capability=(11, 0))), tmp_path
    )
    assert (found.tensorrt, found.gpu, found.capability, found.platform) == ("10.7.0", "Thor", "11.0", "none")


def test_a_build_takes_half_of_the_free_memory_within_bounds() -> None:
    assert workspace(1 << 30) == 1 << 29
    assert workspace(64 << 30) == MOST_WORKSPACE
    assert workspace(1 << 20) == LEAST_WORKSPACE
