"""Typed errors. Each says what was expected, what was found and what to do, Chinese first and English beside it.

A class fixes the code, the HTTP status and the Chinese words; an instance adds the particulars. `ERRORS` is the
complete table, and a test compares it with docs/errors.md.
"""

from __future__ import annotations

import math

Both = tuple[str, str]
"""The same thing said in Chinese and in English."""

IN_VAIN = math.inf
"""Seconds to wait before a retry that no waiting helps."""


class ApplianceError(Exception):
    """Anything the appliance refuses or fails to do, with its remedy."""

    code = "internal"
    """Stable machine-readable name."""
    status = 500
    """HTTP status that carries it."""
    title = "内部错误"
    """Chinese sentence for what happened."""
    fix = "请重试；如仍出现，请联系维护人员并提供日志"
    """Chinese sentence for what to do."""
    default_remedy = "Try again; if it persists, send the log to the maintainer"
    """English sentence for what to do, unless the instance gives a better one."""

    def __init__(self, detail: str, *, remedy: Both | None = None, retry_after: float | None = None) -> None:
        """Keep `detail` (expected and found, English), a `remedy` if there is a better one, seconds before a retry."""
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        self._remedy = remedy or (self.fix, self.default_remedy)

    @property
    def message(self) -> str:
        """What happened: Chinese, then English."""
        return f"{self.title} / {self.detail}"

    @property
    def remedy(self) -> str:
        """What to do about it: Chinese, then English."""
        return " / ".join(self._remedy)

    @property
    def wait_s(self) -> int | None:
        """Whole seconds after which a retry may succeed; None where waiting is not what helps."""
        if self.status not in (429, 503) or self.retry_after == IN_VAIN:
            return None
        return max(1, math.ceil(self.retry_after or 1))

    @property
    def both(self) -> Both:
        """What to do about it, in Chinese and in English apart: for an error that is raised in place of this one."""
        return self._remedy

    @property
    def account(self) -> str:
        """What happened and what to do about it: all of it in Chinese, then all of it in English."""
        chinese, english = self._remedy
        return f"{self.title} → {chinese} / {self.detail} → {english}"


class BadRequest(ApplianceError):
    """The body could not be parsed at all."""

    code, status, title = "bad_request", 400, "请求格式错误"
    fix, default_remedy = "请按 /docs 中的格式发送请求", "Send the request in the form shown at /docs"


class Unauthorized(ApplianceError):
    """A token is required and was missing or wrong."""

    code, status, title = "unauthorized", 401, "需要有效令牌"
    fix, default_remedy = "请在 Authorization: Bearer 中提供令牌", "Send the token as Authorization: Bearer TOKEN"


class ForeignHost(ApplianceError):
    """The Host header names a host that this appliance does not serve (DNS rebinding)."""

    code, status, title = "foreign_host", 403, "主机名不被允许"
    fix = "请使用设置 http_allowed_hosts 中的主机名访问"
    default_remedy = "Use an address listed in the setting http_allowed_hosts"


class ForeignOrigin(ApplianceError):
    """The Origin header names another site (cross-site request)."""

    code, status, title = "foreign_origin", 403, "不允许跨站请求"
    fix, default_remedy = "请从本机页面发送请求", "Send the request from the appliance's own page or without an Origin"


class PinWrong(ApplianceError):
    """The PIN that was typed is not the technician's."""

    code, status, title = "pin_wrong", 403, "PIN 不正确"
    fix, default_remedy = "请重新输入；多次输错后需等待", "Type it again; after several wrong ones there is a wait"


class VisitOver(ApplianceError):
    """The technician's visit to the service page is over, or there was none."""

    code, status, title = "visit_over", 403, "维修页已关闭"
    fix, default_remedy = "请重新输入 PIN", "Open the service page again with the PIN"


class NotFound(ApplianceError):
    """No such route or resource."""

    code, status, title = "not_found", 404, "没有这个地址"
    fix, default_remedy = "可用的地址见 /docs", "See /docs for the routes that exist"


class MethodNotAllowed(ApplianceError):
    """The route exists but not for this method."""

    code, status, title = "method_not_allowed", 405, "不支持的请求方法"
    fix, default_remedy = "请使用 Allow 头中的方法", "Use a method named in the Allow header"


class RequestTimeout(ApplianceError):
    """The client sent its body too slowly."""

    code, status, title = "request_timeout", 408, "上传超时"
    fix, default_remedy = "请检查网络后重新上传", "Check the connection and send the request again"


class TooLarge(ApplianceError):
    """Body, image or audio over its limit."""

    code, status, title = "too_large", 413, "内容过大"
    fix, default_remedy = "请缩小图片或缩短录音后重试", "Send a smaller image or a shorter recording"


class UnsupportedMedia(ApplianceError):
    """A content type or file format that is not read."""

    code, status, title = "unsupported_media", 415, "不支持的格式"
    fix = "请发送 JSON 文字、JPEG/PNG/WebP/BMP 图片或 WAV 录音"
    default_remedy = "Send JSON text, a JPEG, PNG, WebP or BMP image, or a WAV recording"


class InvalidInput(ApplianceError):
    """Well-formed but not acceptable: wrong fields, too long, not decodable."""

    code, status, title = "invalid_input", 422, "输入无效"
    fix, default_remedy = "请按提示修改后重试", "Correct the named field and send it again"


class TooManyRequests(ApplianceError):
    """One session asks more at once than its share."""

    code, status, title = "too_many_requests", 429, "请求过于频繁"
    fix, default_remedy = "请等上一个请求完成后再试", "Wait for the previous request of this session to finish"


class Overloaded(ApplianceError):
    """The appliance sheds load before it grows slow."""

    code, status, title = "overloaded", 503, "系统繁忙"
    fix, default_remedy = "请稍候重试", "Try again after the time in Retry-After"


class Unavailable(ApplianceError):
    """A feature is off because its model or program is not installed or was refused."""

    code, status, title = "unavailable", 503, "该功能当前不可用"
    fix, default_remedy = "请运行 appliance check 查看原因", "Run `appliance check` to see what is missing and why"


class DeadlineExceeded(ApplianceError):
    """The work was not finished in the time allowed."""

    code, status, title = "deadline_exceeded", 503, "处理超时"
    fix, default_remedy = "请稍候重试", "Try again; the appliance was too busy to finish in time"


class SettingInvalid(ApplianceError):
    """A setting has an unknown name or an unacceptable value."""

    code, title = "setting_invalid", "设置无效"
    fix, default_remedy = "请对照 docs/settings.md 修改设置", "Compare the setting with docs/settings.md"


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


class StorageFailed(ApplianceError):
    """A disk is full, read-only or not permitted."""

    code, title = "storage_failed", "存储失败"
    fix, default_remedy = "请检查磁盘空间和权限", "Check free space and permissions of the data directory"


class SensorUnreadable(ApplianceError):
    """A sensor of the board (power, temperature, clock) could not be read."""

    code, title = "sensor_unreadable", "传感器无法读取"
    fix = "请确认当前用户可以读取所指文件，且该部件已通电"
    default_remedy = "Check that this user may read the file named, and that the unit behind it is on"


class TooHot(Unavailable):
    """The chip is above its critical temperature: only words and touch are served until it has cooled."""

    code, title = "too_hot", "设备过热，正在降温"
    fix = "文字提问和触摸照常可用；请稍后再用照片和语音"
    default_remedy = "Type or touch, which are served as ever; come back with photos and speech after Retry-After"


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


class PowerModeRefused(ApplianceError):
    """The board did not take the power mode that was asked for."""

    code, title = "power_mode_refused", "功率模式未生效"
    fix = "请在终端运行所示命令并确认重启；板卡在此之前保持原有模式"
    default_remedy = "Run the command shown in a terminal and confirm the reboot; the board keeps its mode until then"


class PackInvalid(ApplianceError):
    """A pack's YAML or CSV breaks its schema."""

    code, title = "pack_invalid", "知识包无效"
    fix, default_remedy = "请修正所指文件的所指行", "Correct the file and line named"


class BundleRefused(ApplianceError):
    """A bundle is damaged, hostile or not what its manifest says."""

    code, status, title = "bundle_refused", 422, "更新包无效"
    fix = "请从制作者处重新获取更新包；原有内容继续服务"
    default_remedy = "Get the bundle from its maker again; what served before goes on serving"


class BundleUntrusted(BundleRefused):
    """A bundle without a signature that counts here: unknown, revoked or expired key, or a wrong signature."""

    code, status, title = "bundle_untrusted", 403, "更新包的签名不受信任"
    fix = "请用本机信任的密钥签名；受信任的密钥见 appliance bundle key list"
    default_remedy = "Sign it with a key that is trusted here; `appliance bundle key list` shows them"


class BundleUnsuitable(BundleRefused):
    """A whole and signed bundle that is not for this appliance as it is now: older, another board, known to be bad."""

    code, status, title = "bundle_unsuitable", 409, "更新包不适用于本机"
    fix, default_remedy = "请制作适用于本机的更新包", "Make a bundle for this appliance"


class BundleFailed(BundleRefused):
    """A bundle that was unpacked whole but did not pass its self-test."""

    code, status, title = "bundle_failed", 500, "更新包未通过自检"
    fix = "原有内容继续服务；请按提示修正后用更高版本号重新制作"
    default_remedy = "What served before goes on serving; correct the bundle and make it with a higher version"


def _all(cls: type[ApplianceError]) -> list[type[ApplianceError]]:
    return [cls] + [deeper for sub in cls.__subclasses__() for deeper in _all(sub)]


ERRORS: dict[str, type[ApplianceError]] = {cls.code: cls for cls in _all(ApplianceError)}
"""Every error of the appliance by code."""
