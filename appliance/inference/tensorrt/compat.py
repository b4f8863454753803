"""The sole importer of TensorRT, and what differs between 10.3 (JetPack 6), 11.x and TensorRT-RTX.

Everywhere else the module is an argument named `trt`. What exists in some versions only is asked for by name here.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from appliance.errors import BackendFailed, EngineBuildFailed

NAMES = ("tensorrt",)
"""What is imported on a device. Conformance checks on a machine without a GPU ask for `tensorrt_rtx`."""


def load(names: Sequence[str] = NAMES) -> Any:
    """The first of the modules that imports. Raises BackendFailed saying why each did not.

    A broken installation raises ImportError or OSError (libnvdla_compiler.so missing in a container, for one): neither
    may end the process.
    """
    refused = []
    for name in names:
        try:
            module = importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever a broken installation raises, the next backend serves
            refused.append(f"{name}: {type(error).__name__}: {error}")
            continue
        if getattr(module, "__version__", None):
            return module
        refused.append(f"{name}: a module without a version")  # a folder of this name, for one
    raise BackendFailed(
        f"tensorrt: expected to import {' or '.join(names)}, got {'; '.join(refused)}",
        remedy=(
            "在 Jetson 上请安装 JetPack 自带的 python3-libnvinfer；其他机器由 ONNX Runtime 计算",
            "On a Jetson install JetPack's python3-libnvinfer; on other machines ONNX Runtime serves",
        ),
    )


def version(trt: Any) -> str:
    """Exact version, part of every engine's key."""
    return str(trt.__version__)


def network_flags(trt: Any, *, weak: bool = False) -> int:
    """Flags of a network whose precision stands in its file; with `weak` the builder may choose (10.x only).

    The bit moved between 10.3 and 11, so it comes from the enum. 11 and RTX ignore it: they are always strongly typed.
    """
    if weak:
        return 0
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def can_be_weak(trt: Any) -> bool:
    """True where the builder can still be allowed to choose halves: gone in TensorRT 11."""
    return getattr(trt.BuilderFlag, "FP16", None) is not None


def allow_halves(trt: Any, config: Any) -> None:
    """Let the builder use float16 where it likes; for networks created `weak`. Raises EngineBuildFailed on 11."""
    flag = getattr(trt.BuilderFlag, "FP16", None)
    if flag is None:
        raise EngineBuildFailed(
            f"tensorrt {version(trt)}: expected a version that chooses precisions (10.x), got one that reads them from "
            f"the file",
            remedy=(
                "请关闭设置 engines_weak：精度已写在 fp16 与 int8 文件中",
                "Switch the setting engines_weak off: the fp16 and int8 files carry their precision",
            ),
        )
    config.set_flag(flag)


def aim(trt: Any, config: Any, targets: Sequence[str]) -> None:
    """Build for other devices than this one, by compute capability (`SM86`): TensorRT-RTX only.

    Raises EngineBuildFailed for a capability that the library does not know, and where there is no such choice.
    """
    if not targets:
        return
    if not hasattr(config, "num_compute_capabilities"):
        raise EngineBuildFailed(
            f"tensorrt {version(trt)}: expected to build for this device alone, got the targets {', '.join(targets)}"
        )
    config.num_compute_capabilities = len(targets)
    for number, name in enumerate(targets):
        capability = getattr(trt.ComputeCapability, name, None)
        if capability is None or not config.set_compute_capability(capability, number):
            raise EngineBuildFailed(f"tensorrt {version(trt)}: expected a compute capability that it knows, got {name}")


def scratch_bytes(engine: Any, profile: int) -> int:
    """Bytes of device memory that a context of `profile` computes in.

    Per profile from 10.x on; where a version has only the largest of all profiles, that.
    """
    ask = getattr(engine, "get_device_memory_size_for_profile_v2", None)
    return int(ask(profile)) if ask is not None else int(engine.device_memory_size_v2)
