"""Errors of models, their files and engines, and of what runs them."""

from __future__ import annotations

from appliance.errors.error import ApplianceError


class ManifestInvalid(ApplianceError):
    """A model's manifest.yaml breaks its schema."""

    code, title = "manifest_invalid", "模型清单无效"
    fix, default_remedy = "请修正 manifest.yaml", "Correct the manifest.yaml named"


class ModelMissing(ApplianceError):
    """A model's file is not installed."""

    code, title = "model_missing", "模型未安装"
    fix, default_remedy = "请运行 appliance models pull", "Run `appliance models pull`"


class ModelCorrupt(ApplianceError):
    """A model's file does not have the hash that its manifest names."""

    code, title = "model_corrupt", "模型文件损坏或被替换"
    fix, default_remedy = "请运行 appliance models pull 重新安装", "Run `appliance models pull` to install it again"


class ModelMismatch(ApplianceError):
    """A model's inputs, outputs or data disagree with its spec."""

    code, title = "model_mismatch", "模型与规格不符"
    fix, default_remedy = "请安装与本版本匹配的模型", "Install the model that this version's manifest names"


class GateRefused(ApplianceError):
    """A file made of a model's own scores too low on the model's cases."""

    code, title = "gate_refused", "派生模型未达标"
    fix = "原模型继续服务；请把两者的版本和本机型号告知维护者"
    default_remedy = "The model's own file serves; tell the maintainers this machine and the versions of onnxruntime"


class DownloadFailed(ApplianceError):
    """No source of a file could be reached or none gave the right bytes."""

    code, title = "download_failed", "下载失败"
    fix = "请检查网络，或用 appliance models import 从本地导入"
    default_remedy = "Check the network, or bring the file with `appliance models import PATH`"


class BackendFailed(ApplianceError):
    """A backend could not load or run a model."""

    code, title = "backend_failed", "推理后端失败"
    fix, default_remedy = "请运行 appliance check 查看原因", "Run `appliance check`; the next backend is used meanwhile"


class DeviceFailed(BackendFailed):
    """The accelerator refused or broke off the work: a launch failed, the device was lost, the driver is gone."""

    code, title = "device_failed", "加速器故障"
    fix = "由下一个后端继续服务；如反复出现，请查看 dmesg 并重启设备"
    default_remedy = "The next backend serves; if it happens again, look into dmesg and restart the board"


class OutOfDeviceMemory(DeviceFailed):
    """The accelerator has too little free memory for a network or a request."""

    code, title = "out_of_device_memory", "加速器内存不足"
    fix = "由下一个后端继续服务；请关闭其他占用显存的程序，或换用 fp16/int8 引擎"
    default_remedy = "The next backend serves; end other programs on the accelerator or use fp16 or int8 engines"


class EngineMissing(ModelMissing):
    """No engine of this network was built for this device, library and precision."""

    code, title = "engine_missing", "尚未编译引擎"
    fix, default_remedy = "请运行 appliance engines build", "Run `appliance engines build`"


class EngineCorrupt(ModelCorrupt):
    """An engine file is damaged, unfinished, or was not built by this installation."""

    code, title = "engine_corrupt", "引擎文件损坏或来历不明"
    fix, default_remedy = "请运行 appliance engines build 重新编译", "Run `appliance engines build` to build it again"


class EngineBuildFailed(ApplianceError):
    """TensorRT could not parse a network or build its engine."""

    code, title = "engine_build_failed", "引擎编译失败"
    fix = "由 ONNX Runtime 继续服务；请按提示处理后重新运行 appliance engines build"
    default_remedy = "ONNX Runtime serves; follow the text and run `appliance engines build` again"
