"""Both device libraries behave the same, and say what the driver said."""

from __future__ import annotations

import numpy as np
import pytest
from drills import LIBRARIES
from fake_cuda import Gpu, Status

from appliance.errors import BackendFailed, DeviceFailed, OutOfDeviceMemory
from appliance.inference.tensorrt.memory import open_device

both = pytest.mark.parametrize("library", sorted(LIBRARIES))


@both
def test_bytes_go_there_and_back(library) -> None:
    gpu = Gpu()
    device = LIBRARIES[library](gpu)
    assert (device.name, device.capability, device.library) == ("Orin", "8.7", library)
    with device.current():
        stream = device.stream()
        address, to, back = device.allocate(64), device.pin(64), device.pin(64)
        assert device.free_bytes() == gpu.total - 64
        to[:] = np.arange(64)
        back[:] = 0
        device.upload(address, to[:32], stream)
        device.download(back[:32], address, stream)
        assert not back.any()  # nothing has happened yet
        device.wait(stream)
        np.testing.assert_array_equal(back, [*range(32), *[0] * 32])
        for memory in (to, back):
            device.unpin(memory)
        device.release(address)
        device.drop(stream)
    device.close()
    assert not gpu.held


@both
def test_what_the_driver_refuses_is_typed(library) -> None:
    gpu = Gpu(total=1000)
    device = LIBRARIES[library](gpu)
    with device.current():
        with pytest.raises(OutOfDeviceMemory, match="2000 bytes"):
            device.allocate(2000)
        gpu.fail("cudaMallocHost" if library == "cuda-bindings" else "pagelocked_empty", Status.cudaErrorInvalidValue)
        with pytest.raises(DeviceFailed) as failed:
            device.pin(10)
        assert not isinstance(failed.value, OutOfDeviceMemory)


def test_a_capture_that_fails_leaves_the_stream_usable() -> None:
    gpu = Gpu()
    device = LIBRARIES["cuda-bindings"](gpu)
    stream = device.stream()

    def broken() -> None:
        raise DeviceFailed("no")

    with pytest.raises(DeviceFailed, match="no"):
        device.capture(stream, broken)
    device.wait(stream)
    device.drop(stream)
    assert not gpu.held


def test_the_first_library_that_finds_a_device_is_used() -> None:
    def none() -> object:
        raise ImportError("no module of this name")

    def broken() -> object:
        raise DeviceFailed("cuda: no driver")

    found = LIBRARIES["pycuda"](Gpu())
    assert open_device((("first", none), ("second", broken), ("third", lambda: found))) is found  # type: ignore[arg-type]
    with pytest.raises(BackendFailed, match=r"first: ImportError: no module.*second: cuda: no driver"):
        open_device((("first", none), ("second", broken)))  # type: ignore[arg-type]


def test_without_any_library_the_real_openers_say_so() -> None:
    """Here there is no GPU, so whichever of the libraries is installed refuses, and the text names both."""
    with pytest.raises(BackendFailed, match="cuda-bindings.*pycuda"):
        open_device()
