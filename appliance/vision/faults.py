"""Why a camera gives no pictures, as typed errors."""

from __future__ import annotations

from appliance.errors import Both, Unavailable


class CameraFault(Unavailable):
    """A camera cannot be used now; a retry may succeed."""

    title = "摄像头不可用"
    state = "lost"
    """What a camera is while this lasts: `absent`, `busy`, `refused` or `lost`."""


class Absent(CameraFault):
    """There is no such camera."""

    title, state = "没有找到摄像头", "absent"
    fix = "请接好摄像头，用 appliance camera list 查看名称；接好后会自动恢复"
    default_remedy = "Plug it in and compare its name with `appliance camera list`; it is used as soon as it is there"


class Busy(CameraFault):
    """The camera is there and does not stream, most likely because another program holds it."""

    title, state = "摄像头被其他程序占用", "busy"
    fix = "请关闭占用它的程序（浏览器也算）；释放后会自动恢复"
    default_remedy = "End the program that holds it (a browser, too); it is used as soon as it is free"


class Refused(CameraFault):
    """This user may not open the camera, or the file is no video."""

    title, state = "摄像头拒绝打开", "refused"


class Lost(CameraFault):
    """The camera was there, and gives no pictures any more."""

    title, state = "摄像头已断开", "lost"
    fix = "请检查插头和 USB 线；恢复后会自动继续"
    default_remedy = "Look at the plug and the USB cable; it goes on by itself then"


PERMISSION: Both = (
    "请运行 `sudo usermod -aG video USER`（USER 为运行本程序的用户），然后重新登录",
    "Run `sudo usermod -aG video USER` with the user that runs the appliance, then log in again",
)
