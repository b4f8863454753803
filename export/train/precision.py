"""The arithmetic that a device trains fastest in: float16 on a GPU, bfloat16 where the CPU has instructions for it."""

from __future__ import annotations

import contextlib
from typing import Any

import torch


def bfloat16_on_cpu() -> bool:
    """Whether this CPU multiplies bfloat16 itself (AVX512_BF16 or AMX); where it does not, float32 is faster."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def dtype(device: torch.device) -> torch.dtype:
    """What `device` multiplies fastest in training."""
    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if device.type == "cpu" and bfloat16_on_cpu() else torch.float32


def name(device: torch.device) -> str:
    """The same in words, for a training's history: `bfloat16`."""
    return str(dtype(device)).removeprefix("torch.")


def fastest(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Autocast to what `device` is fastest with: nothing changes where that is float32.

    Weights, their gradients and the optimiser stay float32 (mixed precision, Micikevicius et al. 2018,
    arXiv 1710.03740); bfloat16 has the exponent of float32 and needs no scaling of the loss (Kalamkar et al. 2019,
    arXiv 1905.12322).
    """
    found = dtype(device)
    return contextlib.nullcontext() if found == torch.float32 else torch.autocast(device.type, found)
