"""Which arithmetic training takes, and that it stays float32 where nothing is faster."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from export.train import precision  # noqa: E402

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")


def product(monkeypatch: pytest.MonkeyPatch, **capable: bool) -> object:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capable)
    weight = torch.randn(4, 4, requires_grad=True)
    with precision.fastest(CPU):
        found = torch.randn(2, 4) @ weight
    found.float().sum().backward()
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32
    return found.dtype


@pytest.mark.parametrize("instructions", ["avx512_bf16", "amx_bf16"])
def test_a_cpu_with_the_instructions_multiplies_bfloat16(monkeypatch: pytest.MonkeyPatch, instructions: str) -> None:
    assert product(monkeypatch, **{instructions: True}) == torch.bfloat16


def test_any_other_cpu_stays_with_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    assert product(monkeypatch, avx2=True, avx512_bf16=False) == torch.float32


def test_a_history_can_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert precision.name(CPU) == "bfloat16"
    assert precision.name(torch.device("cuda")) == "float16"
    monkeypatch.undo()
    assert precision.name(CPU) in ("bfloat16", "float32")
