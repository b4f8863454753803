"""What a feature says of itself."""

from __future__ import annotations

from appliance.values import Feature, statements


def test_a_reason_is_told_statement_by_statement_in_one_language() -> None:
    reason = statements(
        [
            "zh: 模型未安装 → 请运行 `pull a/b` / expected a / b → Run `pull a/b`",
            "detector.onnx: onnxruntime-cuda: 失败 / failed:\n  no board",
            "版本 1 / version 1",
            "ZeroDivisionError: no such board",
            "",
            "版本 1 / version 1",
        ]
    )
    feature = Feature("asr", "off", "none", reason)
    assert feature.said("zh") == (
        "zh: 模型未安装 → 请运行 `pull a/b`",
        "detector.onnx: onnxruntime-cuda: 失败",
        "版本 1",
        "ZeroDivisionError: no such board",
    )
    assert feature.said("en") == (
        "zh: expected a / b → Run `pull a/b`",
        "detector.onnx: onnxruntime-cuda: failed: no board",
        "version 1",
        "ZeroDivisionError: no such board",
    )
