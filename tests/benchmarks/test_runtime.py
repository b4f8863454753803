"""Variants of ONNX Runtime's options: applied to the session that is made, and compared with the shipped ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest

from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.specs import ModelSpec
from benchmarks.runtime import SHIPPED, VARIANTS, Options, Variant, summary

SPEC = ModelSpec("none", (), ())


def session_options(backend: OnnxRuntimeBackend) -> onnxruntime.SessionOptions:
    backend._library = onnxruntime
    return backend._options()


def seen(options: onnxruntime.SessionOptions) -> tuple[object, ...]:
    return (
        options.intra_op_num_threads,
        options.get_session_config_entry("session.intra_op.allow_spinning"),
        options.enable_cpu_mem_arena,
        options.enable_mem_pattern,
        options.graph_optimization_level,
    )


def variant(options: Options) -> tuple[object, ...]:
    chosen = type("Chosen", (Variant,), {"chosen": options})
    return seen(session_options(chosen(SPEC, Path("none.onnx"))))


def test_the_defaults_are_those_of_the_backend() -> None:
    assert variant(SHIPPED) == seen(session_options(OnnxRuntimeBackend(SPEC, Path("none.onnx"), threads=1)))


def test_each_variant_differs_from_the_shipped_options_where_it_says() -> None:
    levels = onnxruntime.GraphOptimizationLevel
    assert variant(VARIANTS["2 threads, spinning"])[:2] == (2, "1")
    assert variant(VARIANTS["no arena"])[2] is False
    assert variant(VARIANTS["memory pattern"])[3] is True
    assert variant(VARIANTS["basic optimisation"])[4] == levels.ORT_ENABLE_BASIC
    assert len(set(VARIANTS.values())) == len(VARIANTS)


def test_shares_are_of_the_first_variant_and_other_text_shows() -> None:
    figure = {"cpu_s": 2.0, "wall_s": 4.0, "peak_mb": 300.0, "texts": ["a"]}
    other = {"cpu_s": 1.0, "wall_s": 8.0, "peak_mb": 330.0, "texts": ["b"]}
    names = list(VARIANTS)[:2]
    first, second = summary({names[0]: [figure] * 3, names[1]: [figure, other, other]})
    assert (first["cpu_s_share"], first["wall_s_share"], first["same_text"]) == (1, 1, True)
    assert second["cpu_s_share"] == pytest.approx(0.5)
    assert second["wall_s_share"] == pytest.approx(2)
    assert second["peak_mb_share"] == pytest.approx(1.1)
    assert second["same_text"] is False
    assert second["threads"] == replace(SHIPPED, threads=2).threads
