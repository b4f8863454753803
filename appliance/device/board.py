"""Which board this is: family, module and release of its software, out of the device tree and /etc/nv_tegra_release.

The device tree names module and SoC in `compatible`, most special first, each ended by a NUL; `model` is for people and
its wording changes between releases. Numbers of modules are NVIDIA's own (P3767 and so on, as in the kernel's
Documentation/devicetree/bindings/arm/tegra.yaml). Not yet measured on hardware: the trees in the tests are written
from published ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from appliance.device.sysfs import text, words
from appliance.errors import SensorUnreadable

ROOT = Path("/")

_WRITTEN = re.compile(r"R([0-9]{1,4}) \(release\), REVISION: ([\d.]+)")
_MODULE = re.compile(r"p\d{4}-\d{4}")

_SOCS = {"tegra210": "nano", "tegra186": "tx2", "tegra194": "xavier", "tegra234": "orin", "tegra264": "thor"}
_MODULES = {
    "p3767-0000": "orin-nx",  # 16 GB
    "p3767-0001": "orin-nx",  # 8 GB
    "p3767-0003": "orin-nano",  # 8 GB
    "p3767-0004": "orin-nano",  # 4 GB
    "p3767-0005": "orin-nano",  # 8 GB of the developer kit
    "p3701": "agx-orin",
    "p3668": "xavier-nx",
    "p2888": "agx-xavier",
    "p2972": "agx-xavier",  # its developer kit as a whole, which JetPack 4 and the kernel's own device tree name
    "p3834": "agx-thor",
}
_MAJORS = {32: "4", 35: "5", 36: "6", 38: "7", 39: "7"}
_MINORS = {"36.4.3": "6.2", "36.5.0": "6.2.2", "39.2": "7.2"}
"""JetPacks that are told from their L4T more exactly; of others only the major number is said."""


@dataclass(frozen=True, slots=True)
class Board:
    """The machine that the appliance runs on."""

    model: str
    """As the device tree says it to people; empty off a board."""
    family: str
    """`orin-nano`, `orin-nx`, `agx-orin`, `xavier-nx`, ...; the SoC's name where the module is unknown; `pc` else."""
    module: str
    """Number of the module, for example `p3767-0005`; empty where the device tree names none."""
    l4t: str
    """Release of NVIDIA's Linux such as `R36.4.3`; `none` off a Jetson, `unknown` where its file says other things."""
    jetpack: str
    """The JetPack of that release, for example `6.2` or, where only that is known, `6`; empty off a Jetson."""

    @property
    def jetson(self) -> bool:
        """Whether this is one of NVIDIA's boards."""
        return self.family != "pc"


def recognise(root: Path = ROOT) -> Board:
    """The board under `root`. Never fails: what cannot be read is empty, and a machine without a device tree a PC."""
    tree = root / "proc/device-tree"
    compatible = [name for name in words(tree / "compatible").split("\0") if name]
    l4t = release(root)
    # `carrier+module` where both are known, so that the last one named is the module.
    module = next((found[-1] for name in reversed(compatible) if (found := _MODULE.findall(name))), "")
    return Board(words(tree / "model"), _family(module, compatible), module, l4t, jetpack(l4t))


def release(root: Path = ROOT) -> str:
    """The L4T release, `R36.4.3`; `none` where there is no such file, `unknown` where it says something else."""
    try:
        found = _WRITTEN.search(text(root / "etc/nv_tegra_release"))
    except SensorUnreadable:
        return "none"
    return f"R{found[1]}.{found[2]}" if found else "unknown"


def jetpack(l4t: str) -> str:
    """The JetPack that brought `l4t`, as exactly as it is known; empty for what is no L4T release."""
    number = l4t.removeprefix("R")
    for known, name in _MINORS.items():
        if number == known or number.startswith(f"{known}."):
            return name
    major = number.split(".")[0]
    return _MAJORS.get(int(major), "") if major.isdigit() else ""


def _family(module: str, compatible: list[str]) -> str:
    for known in (module, module.split("-")[0]):
        if known in _MODULES:
            return _MODULES[known]
    socs = (_SOCS.get(name.removeprefix("nvidia,")) for name in compatible)
    return next((soc for soc in socs if soc), "pc")
