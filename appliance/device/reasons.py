"""Why the governor stands where it does, in words, Chinese and English."""

from __future__ import annotations

from appliance.errors import Both

BLIND_S = 60.0
"""Seconds without a sense that has spoken before, after which the deepest level is taken."""
LOST_S = 600.0
"""Seconds without a temperature after which what was refused for heat is taken again, at the deepest level."""


def hot(celsius: float, limit: float, chinese: str, english: str) -> Both:
    """The chip at `celsius`, with the limit that it meets and its name in both languages."""
    return (
        f"芯片 {celsius:.0f} °C，{chinese} {limit:g} °C",
        f"the chip is at {celsius:.0f} °C, its {english} is {limit:g} °C",
    )


def over(watts: float, budget: float) -> Both:
    """The mean power in watts above the budget."""
    return (
        f"10 秒平均功率 {watts:.1f} W，预算 {budget:g} W",
        f"{watts:.1f} W in the mean over 10 s, the budget is {budget:g} W",
    )


OFF: Both = (
    "本机没有可读的功率或温度传感器，调节器不工作",
    "this machine has no power or temperature sensor that can be read: the governor is off",
)
NOT_YET: Both = ("刚启动，尚未读数", "it has only begun and has not read its sensors yet")
NO_STEP: Both = ("自启动以来未调节", "nothing had to be changed since the start")
BLIND: Both = (
    f"传感器已 {BLIND_S:.0f} 秒没有读数",
    f"sensors that were read before have been silent for {BLIND_S:.0f} s",
)
LOST: Both = (
    f"温度传感器已 {LOST_S:.0f} 秒没有读数，恢复最低档服务",
    f"no temperature was read for {LOST_S:.0f} s: what was refused is served again at the deepest level",
)
