"""Addresses of hubs and their mirrors."""

from __future__ import annotations

import pytest

from appliance.artifacts.sources import Https, Hub, Shipped, Wheel, is_trustworthy

FACE = Hub("huggingface", "owner/name", "abc123", "zh/a b.zip")
SCOPE = Hub("modelscope", "owner/name", "v1/2", "x.onnx")


@pytest.mark.parametrize(
    "hub, environ, address",
    [
        (FACE, {}, "https://huggingface.co/owner/name/resolve/abc123/zh/a%20b.zip"),
        (FACE, {"HF_ENDPOINT": ""}, "https://huggingface.co/owner/name/resolve/abc123/zh/a%20b.zip"),
        (
            FACE,
            {"HF_ENDPOINT": "https://hf-mirror.com/"},
            "https://hf-mirror.com/owner/name/resolve/abc123/zh/a%20b.zip",
        ),
        (SCOPE, {}, "https://www.modelscope.cn/models/owner/name/resolve/v1%2F2/x.onnx"),
        (
            SCOPE,
            {"MODELSCOPE_DOMAIN": "www.modelscope.ai"},
            "https://www.modelscope.ai/models/owner/name/resolve/v1%2F2/x.onnx",
        ),
        (
            SCOPE,
            {"MODELSCOPE_ENDPOINT": "http://10.0.0.5:8000", "MODELSCOPE_DOMAIN": "other"},
            "http://10.0.0.5:8000/models/owner/name/resolve/v1%2F2/x.onnx",
        ),
    ],
)
def test_hub_address(hub: Hub, environ: dict[str, str], address: str) -> None:
    assert hub.address(environ) == address


@pytest.mark.parametrize(
    "url, good",
    [
        ("https://a.example/x", True),
        ("http://127.0.0.1:9/x", True),
        ("http://localhost/x", True),
        ("http://a.example/x", False),
        ("file:///x", False),
        ("https:///x", False),
    ],
)
def test_only_https_or_loopback(url: str, good: bool) -> None:
    assert is_trustworthy(url) is good


def test_descriptions_name_the_place() -> None:
    assert "a==1" in Wheel("a==1", "m").describe()
    assert "https://x" in Https("https://x").describe()
    assert "owner/name@abc123" in FACE.describe()
    assert "f.txt" in Shipped("f.txt").describe()
