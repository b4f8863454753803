"""Errors of the machine and of how it is set up: settings, disk, sensors, heat and power."""

from __future__ import annotations

from appliance.errors.asked import Unavailable
from appliance.errors.error import ApplianceError


class SettingInvalid(ApplianceError):
    """A setting has an unknown name or an unacceptable value."""

    code, title = "setting_invalid", "设置无效"
    fix, default_remedy = "请对照 docs/settings.md 修改设置", "Compare the setting with docs/settings.md"


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


class PowerModeRefused(ApplianceError):
    """The board did not take the power mode that was asked for."""

    code, title = "power_mode_refused", "功率模式未生效"
    fix = "请在终端运行所示命令并确认重启；板卡在此之前保持原有模式"
    default_remedy = "Run the command shown in a terminal and confirm the reboot; the board keeps its mode until then"
