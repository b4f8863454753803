"""Building engines with the fake TensorRT: profiles, typing, refusals with nodes and reasons, progress."""

from __future__ import annotations

from dataclasses import replace

import fake_trt
import onnx
import pytest
from drills import OPTIONS, bench
from onnx import TensorProto, helper
from tiny_networks import AFFINE, HALVE, PAIR, PICK, Clock, Heard, file

from appliance.errors import EngineBuildFailed, ModelMissing, OutOfDeviceMemory
from appliance.inference.tensorrt.build import build
from appliance.inference.tensorrt.progress import Progress
from appliance.specs import ModelSpec, ShapeProfile

VERSIONS = ("10.3.0", "10.16.1", "11.4.0")


def head(plan: bytes) -> dict:
    parts = fake_trt.unpack(plan)
    assert parts is not None
    return parts[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_profile_of_the_spec_is_built_strongly_typed(tmp_path, version) -> None:
    on = bench(tmp_path, version=version)
    second = ShapeProfile({"batch": 1, "width": 64}, {"batch": 1, "width": 80}, {"batch": 4, "width": 128})
    spec = replace(HALVE, profiles=(*HALVE.profiles, second))
    made = build(on.trt, spec, file(HALVE), OPTIONS)
    assert head(made.plan)["profiles"] == [
        {"x": [[1, 1, 2], [1, 1, 8], [4, 1, 64]]},
        {"x": [[1, 1, 64], [1, 1, 80], [4, 1, 128]]},
    ]
    assert head(made.plan)["weak"] is False
    assert made.seconds > 0


def test_timings_of_earlier_builds_are_used_and_given_back(tmp_path) -> None:
    on = bench(tmp_path)
    first = build(on.trt, AFFINE, file(AFFINE), OPTIONS)
    second = build(on.trt, AFFINE, file(AFFINE), replace(OPTIONS, timing_cache=first.timing_cache))
    assert (first.timing_cache, second.timing_cache) == (b"+", b"++")


def test_weak_typing_exists_on_ten_and_is_refused_on_eleven(tmp_path) -> None:
    weak = replace(OPTIONS, weak=True)
    ten, eleven = bench(tmp_path), bench(tmp_path, version="11.4.0")
    assert head(build(ten.trt, AFFINE, file(AFFINE), weak).plan)["weak"] is True
    with pytest.raises(EngineBuildFailed, match="expected a version that chooses precisions") as refused:
        build(eleven.trt, AFFINE, file(AFFINE), weak)
    assert "engines_weak" in refused.value.remedy


def test_targets_are_for_another_library(tmp_path) -> None:
    on = bench(tmp_path)
    with pytest.raises(EngineBuildFailed, match="for this device alone, got the targets SM86"):
        build(on.trt, AFFINE, file(AFFINE), replace(OPTIONS, targets=("SM86",)))


def test_an_operator_that_cannot_be_parsed_is_named_with_its_node(tmp_path) -> None:
    on = bench(tmp_path)
    nodes = [
        helper.make_node("FooBar", ["x"], ["s"], name="first"),
        helper.make_node("FooBar", ["s"], ["y"], name="second"),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in "xy"]
    path = tmp_path / "odd.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "odd", ports[:1], ports[1:])), str(path))
    with pytest.raises(EngineBuildFailed, match=r"node first \(FooBar\): Plugin not found.*node second") as refused:
        build(on.trt, AFFINE, path, OPTIONS)
    assert "without FooBar" in refused.value.remedy


def test_a_file_that_is_no_network_or_is_not_there(tmp_path) -> None:
    on = bench(tmp_path)
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"\x08\x08garbage")
    with pytest.raises(EngineBuildFailed, match="Failed to parse ONNX model"):
        build(on.trt, AFFINE, path, OPTIONS)
    path.unlink()
    with pytest.raises(ModelMissing, match=r"broken\.onnx, found none"):
        build(on.trt, AFFINE, path, OPTIONS)


def test_a_file_with_other_inputs_than_its_spec_is_refused_before_the_build(tmp_path) -> None:
    on = bench(tmp_path)
    with pytest.raises(EngineBuildFailed, match=r"expected inputs x\['batch', 3\], the file has index\[-1\]"):
        build(on.trt, AFFINE, file(PICK), OPTIONS)
    with pytest.raises(EngineBuildFailed, match="expected outputs sum"):
        build(on.trt, replace(PAIR, outputs=PAIR.outputs[:1]), file(PAIR), OPTIONS)


@pytest.mark.parametrize(
    "fault, kind, says",
    [
        ("network", EngineBuildFailed, "a network was refused"),
        ("config", EngineBuildFailed, "a configuration was refused"),
        ("profile", EngineBuildFailed, "expected profile 0 to be valid"),
        ("plan", EngineBuildFailed, "Could not find any implementation for node Conv_0"),
        ("memory", OutOfDeviceMemory, "out of memory"),
    ],
)
def test_what_the_library_refuses_is_said(tmp_path, fault, kind, says) -> None:
    on = bench(tmp_path)
    on.trt.faults.append(fault)
    with pytest.raises(kind, match=says):
        build(on.trt, AFFINE, file(AFFINE), OPTIONS)
    assert build(on.trt, AFFINE, file(AFFINE), OPTIONS).plan


def test_a_network_without_profiles_says_what_is_missing(tmp_path) -> None:
    on = bench(tmp_path)
    with pytest.raises(EngineBuildFailed, match="no optimization profile has been defined"):
        build(on.trt, replace(AFFINE, profiles=()), file(AFFINE), OPTIONS)


def test_progress_rises_to_the_end_and_tells_the_time_that_is_left(tmp_path) -> None:
    on, heard = bench(tmp_path), Heard()
    build(on.trt, AFFINE, file(AFFINE), OPTIONS, heard)
    shares = [event["share"] for event in heard.all("engines.progress")]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert len(set(shares)) > 6
    last = heard.all("engines.progress")[-1]
    assert last["network"] == "affine"
    assert last["remaining_s"] == 0
    assert heard.all("engines.progress")[0]["remaining_s"] is None


def test_the_time_that_is_left_follows_from_the_share() -> None:
    clock, heard = Clock(), Heard()
    progress = Progress("net", heard, clock)
    progress.start("whole", None, 4)
    clock.now += 30
    progress.step("whole", 0)
    assert heard.events[-1][1]["remaining_s"] == pytest.approx(90)
    progress.start("part", "whole", 2)
    progress.step("part", 0)
    assert heard.events[-1][1]["share"] == pytest.approx(0.375)


def test_a_build_can_be_given_up(tmp_path) -> None:
    on = bench(tmp_path)
    steps: list[str] = []

    def listener(event: str, /, **fields: object) -> None:
        steps.append(event)

    with pytest.raises(EngineBuildFailed, match="got asked to stop"):
        build(on.trt, AFFINE, file(AFFINE), OPTIONS, listener, stopped=lambda: len(steps) > 4)


def test_a_spec_may_have_no_open_axis(tmp_path) -> None:
    on = bench(tmp_path)
    spec = ModelSpec("log", *_fixed())
    assert head(build(on.trt, spec, file(spec), OPTIONS).plan)["profiles"] == []


def _fixed():
    from tiny_networks import LOG

    return LOG.inputs, LOG.outputs
