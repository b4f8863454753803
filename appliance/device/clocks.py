"""How busy the GPU is and how fast GPU and cores are clocked, out of devfreq and cpufreq.

The GPU's folder has another name on every board and JetPack: `17000000.gv11b` (Xavier), `17000000.ga10b` (Orin,
JetPack 5), `17000000.gpu` (Orin, JetPack 6 and 7), `gpu-gpc-0` (Thor), so that it is found by what it is. Its load lies
in the device's own folder as thousandths, 0 to 1000, and for Thor nowhere in sysfs. Not yet measured on hardware.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from appliance.device.sysfs import known, matching, words

ROOT = Path("/")

_GPU = re.compile(r"(?:[0-9a-f]+\.)?(?:gpu|ga10b|gv11b|gp10b|gm20b)|gpu-gpc-0")
"""Names of the GPU, as a folder of devfreq and as a node of the device tree."""
_LOADS = ("sys/devices/platform/gpu.0/load", "sys/devices/gpu.0/load")
"""Links that NVIDIA's Linux makes to the GPU's folder."""
_POLICY = re.compile(r"policy(\d+)")


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPU at one moment."""

    load: float | None
    """Share of the time in which it worked, 0 to 1; None where the system does not say."""
    megahertz: float | None
    """Its clock now."""
    most_megahertz: float | None
    """The clock that the power mode allows it."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where GPU and cores say how busy and how fast they are."""

    gpu: Path | None
    """Folder of the GPU in devfreq."""
    load: Path | None
    """File with the GPU's load."""
    cores: dict[str, Path]
    """File with the clock, in kHz, by the cores that share it, for example `0-3`."""

    def look(self) -> Gpu | None:
        """The GPU now; None where there is none. What cannot be read is None."""
        if self.gpu is None and self.load is None:
            return None
        load = known(self.load) if self.load is not None else None
        now, most = (None, None) if self.gpu is None else (known(self.gpu / "cur_freq"), known(self.gpu / "max_freq"))
        return Gpu(
            None if load is None else load / 1000,
            None if now is None else now / 1e6,
            None if most is None else most / 1e6,
        )

    def megahertz(self) -> dict[str, float]:
        """Clock by cores now; those that are switched off are missing."""
        read = {cores: known(path) for cores, path in self.cores.items()}
        return {cores: kilohertz / 1e3 for cores, kilohertz in read.items() if kilohertz is not None}


def find_clocks(root: Path = ROOT) -> Clocks:
    """The clocks under `root`; a machine without a GPU that is NVIDIA's own, or without cpufreq, lacks those."""
    gpu = next((folder for folder in matching(root / "sys/class/devfreq", "*") if _is_gpu(folder)), None)
    files = [] if gpu is None else [gpu / "device/load"]
    files += [root / way for way in _LOADS]
    load = next((file for file in files if os.access(file, os.R_OK)), None)
    policies = sorted(matching(root / "sys/devices/system/cpu/cpufreq", "policy*"), key=_number)
    return Clocks(gpu, load, {_cores(policy): policy / "scaling_cur_freq" for policy in policies})


def _is_gpu(folder: Path) -> bool:
    names = (folder.name, words(folder / "device/of_node/name"))
    return any(_GPU.fullmatch(name) is not None for name in names)


def _cores(policy: Path) -> str:
    """The cores of one clock, `0-3` for `0 1 2 3`."""
    cores = words(policy / "related_cpus").split()
    if not cores:
        return str(_number(policy))
    return cores[0] if len(cores) == 1 else f"{cores[0]}-{cores[-1]}"


def _number(policy: Path) -> int:
    found = _POLICY.fullmatch(policy.name)
    return int(found[1]) if found else 0
