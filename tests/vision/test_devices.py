"""Cameras by number, name and link, on a tree of files as Linux has them."""

from __future__ import annotations

import errno
import struct
from pathlib import Path

import pytest

from appliance.vision.devices import (
    CAPTURE,
    ENUM_FMT,
    ENUM_FRAMESIZES,
    PER_NODE,
    QUERYCAP,
    Format,
    find,
    formats,
    nodes,
)
from appliance.vision.faults import Absent


def plug(root: Path, number: int, name: str, link: str = "", index: int = 0) -> None:
    place = root / f"sys/class/video4linux/video{number}"
    place.mkdir(parents=True)
    (place / "name").write_text(f"{name}\n")
    (place / "index").write_text(f"{index}\n")
    (root / "dev").mkdir(exist_ok=True)
    (root / f"dev/video{number}").write_bytes(b"")
    if link:
        links = root / "dev/v4l/by-id"
        links.mkdir(parents=True, exist_ok=True)
        (links / link).symlink_to(f"../../video{number}")


def no_device(_handle: int, _code: int, _said: bytearray) -> None:
    """What files, which are no devices, answer."""
    raise OSError(errno.ENOTTY, "not a device")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    plug(tmp_path, 0, "HD Webcam: HD Webcam", "usb-Make_HD_Webcam_0815-video-index0")
    plug(tmp_path, 1, "HD Webcam: HD Webcam", "usb-Make_HD_Webcam_0815-video-index1", index=1)
    plug(tmp_path, 2, "Document Camera", "usb-Other_Document_Camera_4711-video-index0")
    plug(tmp_path, 10, "Loopback")
    return tmp_path


def test_nodes_with_pictures_are_listed_by_number_with_their_links(root: Path) -> None:
    found = nodes(root, no_device)
    assert [node.path for node in found] == ["/dev/video0", "/dev/video2", "/dev/video10"]
    assert found[1].name == "Document Camera"
    assert found[1].links == ("/dev/v4l/by-id/usb-Other_Document_Camera_4711-video-index0",)


def test_the_driver_says_whether_a_node_has_pictures(root: Path) -> None:
    asked = []

    def ioctl(_handle: int, code: int, said: bytearray) -> None:
        assert code == QUERYCAP
        assert len(said) == 104
        asked.append(said)
        # The whole device captures; of its nodes only the third does.
        struct.pack_into("III", said, 80, 0, CAPTURE | PER_NODE, CAPTURE if len(asked) == 3 else 0)

    assert [node.path for node in nodes(root, ioctl)] == ["/dev/video2"]


def test_no_machine_has_cameras_for_ever(tmp_path: Path) -> None:
    assert nodes(tmp_path) == ()


@pytest.mark.parametrize(
    "device",
    [
        "2",
        "/dev/video2",
        "/dev/v4l/by-id/usb-Other_Document_Camera_4711-video-index0",
        "document camera",
        "camera_4711",
        " Document ",
    ],
)
def test_a_camera_is_found_by_what_it_is_called(root: Path, device: str) -> None:
    assert find(nodes(root, no_device), device).path == "/dev/video2"


@pytest.mark.parametrize("device", ["7", "/dev/video7", "microscope", "camera of nobody", ""])
def test_what_is_not_there_is_said_beside_what_is(root: Path, device: str) -> None:
    with pytest.raises(Absent, match=r"'Document Camera' \(/dev/video2\)"):
        find(nodes(root, no_device), device)


def test_a_name_that_several_have_names_none(root: Path) -> None:
    plug(root, 4, "Document Camera")
    with pytest.raises(Absent, match="got 2 of them"):
        find(nodes(root, no_device), "Document")


def test_a_camera_that_comes_back_under_another_number_is_the_same(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    plug(before, 0, "Document Camera", "usb-Other_4711-video-index0")
    plug(after, 0, "HD Webcam", "usb-Make_0815-video-index0")
    plug(after, 3, "Document Camera", "usb-Other_4711-video-index0")
    known = find(nodes(before, no_device), "/dev/video0")
    assert find(nodes(after, no_device), "/dev/video0", known).path == "/dev/video3"
    assert find(nodes(after, no_device), "/dev/video0").path == "/dev/video0"


def test_of_two_of_one_make_the_serial_number_tells(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    plug(before, 0, "Cam", "usb-Cam_0001-video-index0")
    plug(after, 0, "Cam", "usb-Cam_0002-video-index0")
    plug(after, 2, "Cam", "usb-Cam_0001-video-index0")
    known = nodes(before, no_device)[0]
    assert find(nodes(after, no_device), "0", known).path == "/dev/video2"


def test_a_camera_that_was_replaced_is_taken_where_the_old_one_stood(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    plug(before, 0, "Old", "usb-Old_1-video-index0")
    plug(after, 0, "New", "usb-New_1-video-index0")
    assert find(nodes(after, no_device), "0", nodes(before, no_device)[0]).name == "New"


def test_formats_and_sizes_are_asked_of_the_driver(root: Path) -> None:
    codes = [int.from_bytes(code, "little") for code in (b"MJPG", b"YUYV")]
    sizes = {codes[0]: [(640, 480), (1920, 1080)]}

    def ioctl(_handle: int, code: int, said: bytearray) -> None:
        index, second = struct.unpack_from("II", said)
        if code == ENUM_FMT and index < 2:
            assert (len(said), second) == (64, 1)
            struct.pack_into("I", said, 44, codes[index])
        elif code == ENUM_FRAMESIZES and second in sizes and index < 2:
            assert len(said) == 44
            struct.pack_into("III", said, 8, 1, *sizes[second][index])
        elif code == ENUM_FRAMESIZES and second == codes[1] and index == 0:
            struct.pack_into("IIIIIII", said, 8, 3, 32, 2560, 2, 32, 1440, 2)  # any size in steps of two
        else:
            raise OSError(errno.EINVAL, "that was the last")

    assert formats(root / "dev/video0", ioctl) == (
        Format("MJPG", ((1920, 1080), (640, 480))),
        Format("YUYV", ((2560, 1440),)),
    )
    assert formats(root / "dev/video77", ioctl) == ()
