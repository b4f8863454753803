"""Trees of files as boards have them: device tree, sysfs and /etc, small enough to read.

Paths are those of the kernel's documentation and of public dumps of sysfs. Powers and temperatures are published ones
(lines of tegrastats); where only a power was published, volts and amperes are round numbers that give it, and those of
the Xavier NX stand in for any. None of them was read on hardware of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

OFF: Mapping[str, Any] = {}
"""Stands for a file that answers with an error: a folder in its place, which opens and cannot be read."""

SUPER = "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"
SHUNTS = {"in4_input": 9, "in5_input": 2, "in6_input": 1, "in7_label": "sum of shunt voltages", "in7_input": 12}
"""What the driver of an INA3221 shows beside the three channels."""


def write(root: Path, tree: Mapping[str, Any]) -> Path:
    """Write `tree` under `root`: mappings are folders, numbers and words are files that end with a line."""
    for name, value in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, Mapping):
            path.mkdir(exist_ok=True)
            write(path, value)
        else:
            path.write_text(f"{value}" if "\0" in str(value) else f"{value}\n", "utf-8")
    return root


def channel(number: int, label: str, millivolts: int, milliamperes: int, limit: int = 32760) -> dict[str, Any]:
    """The files of one channel of an INA3221."""
    return {
        f"in{number}_label": label,
        f"in{number}_input": millivolts,
        f"curr{number}_input": milliamperes,
        f"curr{number}_max": limit,
        f"curr{number}_crit": limit,
        f"curr{number}_max_alarm": 0,
        f"curr{number}_crit_alarm": 0,
    }


def chip(root: Path, address: str, hwmon: str, files: Mapping[str, Any]) -> None:
    """A power monitor at `address` of the I2C bus, with the links by which the kernel lets it be found."""
    real = root / f"sys/devices/platform/bus@0/c240000.i2c/i2c-{address.split('-')[0]}/{address}"
    write(real / "hwmon" / hwmon, files)
    write(real, {"name": files["name"]})
    link(root / "sys/bus/i2c/devices" / address, real)
    link(root / "sys/class/hwmon" / hwmon, real / "hwmon" / hwmon)


def link(path: Path, target: Path) -> None:
    """A symbolic link, its folder made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def zones(root: Path, *found: tuple[str, object], critical: int | None = None) -> None:
    """Thermal zones: type and millidegrees, or OFF."""
    trips = {} if critical is None else {"trip_point_0_type": "passive", "trip_point_0_temp": 99000}
    trips |= {} if critical is None else {"trip_point_1_type": "critical", "trip_point_1_temp": critical}
    for index, (kind, temperature) in enumerate(found):
        write(root / f"sys/class/thermal/thermal_zone{index}", {"type": kind, "temp": temperature, **trips})


def cooling(root: Path, *found: tuple[str, int]) -> None:
    """Cooling devices: type and state."""
    for index, (kind, state) in enumerate(found):
        write(root / f"sys/class/thermal/cooling_device{index}", {"type": kind, "cur_state": state})


def gpu(root: Path, name: str, node: str, files: Mapping[str, Any], load: object) -> None:
    """A GPU in devfreq, whose device has the load."""
    device = root / "sys/devices/platform/bus@0" / name
    write(device, {"of_node": {"name": f"{node}\0"}} | ({} if load is None else {"load": load}))
    write(device / "devfreq" / name, files)
    link(device / "devfreq" / name / "device", device)
    link(root / "sys/class/devfreq" / name, device / "devfreq" / name)


def clocks(root: Path, **policies: tuple[str, int]) -> None:
    """cpufreq: the cores of a policy and their clock in kHz."""
    for name, (cores, kilohertz) in policies.items():
        files = {"related_cpus": cores, "scaling_cur_freq": kilohertz}
        write(root / "sys/devices/system/cpu/cpufreq" / name, files)


def software(root: Path, model: str, compatible: tuple[str, ...], release: str) -> None:
    """Device tree and L4T release, the latter as `36.4.3`."""
    major, revision = release.split(".", 1)
    said = f"# R{major} (release), REVISION: {revision}, GCID: 1, BOARD: generic, EABI: aarch64"
    tree = {"model": f"{model}\0", "compatible": "".join(f"{name}\0" for name in compatible)}
    write(root, {"proc/device-tree": tree, "etc/nv_tegra_release": f"{said}\n# KERNEL_VARIANT: oot"})


def modes(root: Path, names: tuple[str, ...], default: int, now: str) -> None:
    """nvpmodel's file and state; a real file also lists what each mode caps."""
    lines = ["# NAME is what people call a mode; < POWER_MODEL ID=9 NAME=COMMENTED_OUT >"]
    for number, name in enumerate(names):
        lines += [f"< POWER_MODEL ID={number} NAME={name} >", "CPU_ONLINE CORE_0 1", "GPU MAX_FREQ 918000000"]
    lines += ["< FAN_CONFIG DEFAULT=quiet >", f"< PM_CONFIG DEFAULT={default} >"]
    write(root, {"etc/nvpmodel.conf": "\n".join(lines), "var/lib/nvpmodel/status": now})


def orin_nano(root: Path) -> Path:
    """Orin Nano 8 GB, JetPack 6.2."""
    software(root, SUPER, ("nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234"), "36.4.3")
    files = {"name": "ina3221", **SHUNTS, "curr4_input": 2744}
    files |= channel(1, "VDD_IN", 5072, 1888, 4984) | channel(2, "VDD_CPU_GPU_CV", 5072, 456)
    chip(root, "1-0040", "hwmon1", files | channel(3, "VDD_SOC", 5064, 400))
    write(root / "sys/class/hwmon/hwmon0", {"name": "pwmfan", "pwm1": 76, "in1_label": "VDD_FAN", "in1_input": 5000})
    counters = {"oc1_event_cnt": 0, "oc2_event_cnt": 15, "oc3_event_cnt": 37, "oc1_throt_en": 1}
    write(root / "sys/class/hwmon/hwmon3", {"name": "soctherm_oc", **counters})
    known = (("cpu-thermal", 51312), ("gpu-thermal", 50468), ("cv0-thermal", OFF), ("cv1-thermal", OFF))
    zones(root, *known, ("soc0-thermal", 48437), ("tj-thermal", 51312), critical=104500)
    cooling(root, ("pwm-fan", 2), ("cpu-throttle-alert", 0), ("gpu-throttle-alert", 0), ("17000000.gpu", 0))
    gpu(root, "17000000.gpu", "gpu", {"cur_freq": 1020000000, "max_freq": 1020000000, "min_freq": 306000000}, 842)
    write(root / "sys/class/devfreq/15340000.vic", {"cur_freq": 115200000})
    clocks(root, policy4=("4 5", 729600), policy0=("0 1 2 3", 1728000))
    modes(root, ("15W", "25W", "MAXN_SUPER", "7W"), 1, "pmode:0002 fmode:quiet")
    return root


def agx_orin(root: Path) -> Path:
    """AGX Orin 64 GB, JetPack 5.1: four rails on two chips, zones that say -256 while they are off."""
    software(
        root, "NVIDIA Jetson AGX Orin Developer Kit", ("nvidia,p3737-0000+p3701-0005", "nvidia,tegra234"), "35.3.1"
    )
    files = {"name": "ina3221", **SHUNTS}
    files |= channel(1, "VDD_GPU_SOC", 19992, 120) | channel(2, "VDD_CPU_CV", 20000, 20)
    chip(root, "1-0040", "hwmon3", files | channel(3, "VIN_SYS_5V0", 5040, 800))
    second = {"name": "ina3221", "in1_label": "NC", "in1_input": 0, "curr1_input": 0, "in3_input": OFF}
    chip(root, "1-0041", "hwmon4", second | channel(2, "VDDQ_VDD2_1V8AO", 5017, 60))
    known = (("CPU-therm", 42593), ("GPU-therm", -256000), ("CV0-therm", -256000), ("SOC1-therm", 40468))
    zones(root, *known, ("tj-therm", 42593), ("Tboard_tegra", 32000), ("Tdiode_tegra", 33250))
    gpu(root, "17000000.ga10b", "ga10b", {"cur_freq": 407000000, "max_freq": 1300500000}, 0)
    modes(root, ("MAXN", "MODE_15W", "MODE_30W", "MODE_50W"), 2, "pmode:0000")
    return root


def xavier_nx(root: Path) -> Path:
    """Xavier NX, JetPack 5.1, whose PMIC-Die is a number that stands still."""
    compatible = ("nvidia,p3509-0000+p3668-0000", "nvidia,tegra194")
    software(root, "NVIDIA Jetson Xavier NX Developer Kit", compatible, "35.3.1")
    files = {"name": "ina3221", **SHUNTS}
    files |= channel(1, "VDD_IN", 5000, 983) | channel(2, "VDD_CPU_GPU_CV", 5000, 90)
    chip(root, "7-0040", "hwmon6", files | channel(3, "VDD_SOC", 5000, 286))
    known = (("CPU-therm", 30000), ("GPU-therm", 29500), ("PMIC-Die", 50000), ("AUX-therm", 29000))
    zones(root, *known, ("thermal-fan-est", 70000))
    gpu(root, "17000000.gv11b", "gv11b", {"cur_freq": 114750000, "max_freq": 1109250000}, 0)
    low = ("MODE_15W_2CORE", "MODE_15W_4CORE", "MODE_15W_6CORE", "MODE_10W_2CORE", "MODE_10W_4CORE")
    high = ("MODE_10W_DESKTOP", "MODE_20W_2CORE", "MODE_20W_4CORE", "MODE_20W_6CORE")
    modes(root, (*low, *high), 2, "pmode:0008")
    return root


def thor(root: Path) -> Path:
    """AGX Thor's developer kit, JetPack 7.0: a sensor at the carrier's input, a GPU that is off while idle."""
    compatible = ("nvidia,p4071-0000+p3834-0008", "nvidia,p3834-0008", "nvidia,tegra264")
    software(root, "NVIDIA Jetson AGX Thor Developer Kit", compatible, "38.2.0")
    files = {"name": "ina3221", **SHUNTS}
    files |= channel(1, "VDD_GPU", 20000, 0) | channel(2, "VDD_CPU_SOC_MSS", 20000, 277)
    chip(root, "2-0040", "hwmon4", files | channel(3, "VIN_SYS_5V0", 5040, 1000))
    own = {"in0_input": 2, "in1_input": 20000, "curr1_input": 840, "power1_input": 16802000, "temp1_input": 31000}
    chip(root, "2-0044", "hwmon5", {"name": "ina238", "label": "VIN", **own})
    known = (("cpu-thermal", 30468), ("gpu-thermal", OFF), ("soc012-thermal", 30218), ("soc345-thermal", 31218))
    zones(root, *known, ("tj-thermal", 31218), critical=114500)
    gpu(root, "gpu-gpc-0", "", {"cur_freq": 314000000, "max_freq": 1575000000}, None)
    gpu(root, "gpu-nvd-0", "", {"cur_freq": 315000000, "max_freq": 1692000000}, None)
    modes(root, ("MAXN", "120W", "90W", "70W"), 1, "pmode:0001")
    return root


def nano(root: Path) -> Path:
    """Nano, JetPack 4.6: NVIDIA's own driver under iio."""
    software(
        root, "NVIDIA Jetson Nano Developer Kit", ("nvidia,p3449-0000-b00+p3448-0000-b00", "nvidia,tegra210"), "32.7.1"
    )
    real = root / "sys/devices/7000c400.i2c/i2c-6/6-0040"
    files: dict[str, Any] = {"name": "ina3221x"}
    for number, (label, power) in enumerate((("POM_5V_IN", 2532), ("POM_5V_GPU", 0), ("POM_5V_CPU", 401))):
        files |= {f"rail_name_{number}": label, f"in_voltage{number}_input": 5000, f"in_power{number}_input": power}
        files |= {f"in_current{number}_input": round(power / 5), f"warn_current_limit_{number}": "32760 ma"}
    write(real, {"name": "ina3221x", "iio:device0": files})
    link(root / "sys/bus/i2c/devices/6-0040", real)
    zones(root, ("AO-therm", 41500), ("CPU-therm", 34000), ("PMIC-Die", 100000))
    return root


def pc(root: Path, packages: int = 1) -> Path:
    """A PC whose processor counts its energy."""
    top = root / "sys/class/powercap"
    for number in range(packages):
        package = {"name": f"package-{number}", "energy_uj": 1_000_000, "max_energy_range_uj": 262143328850}
        write(top / f"intel-rapl:{number}", package)
        write(top / f"intel-rapl:{number}:0", package | {"name": "core", "energy_uj": 700_000})
        write(top / f"intel-rapl:{number}:1", package | {"name": "dram", "max_energy_range_uj": 65712999613})
    write(top / f"intel-rapl:{packages}", {"name": "psys", "energy_uj": 9_000_000, "max_energy_range_uj": 262143328850})
    write(top / "intel-rapl-mmio:0", {"name": "package-0", "energy_uj": 5, "max_energy_range_uj": 262143328850})
    zones(root, ("x86_pkg_temp", 47000), ("acpitz", 27800), ("acpitz", 29800))
    clocks(root, policy0=("0", 2400000), policy1=("1", 2500000))
    return root


BOARDS = {
    "orin-nano": orin_nano,
    "agx-orin": agx_orin,
    "xavier-nx": xavier_nx,
    "agx-thor": thor,
    "nano": nano,
    "pc": pc,
}
"""Each of them by its family."""
