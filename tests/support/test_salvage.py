"""Settings that are not valid: what was secret in them stays so, whatever their form."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.support.masked import Mask
from appliance.support.salvage import salvaged

SECRET = "sekret0sekret0sekret1"


@pytest.mark.parametrize(
    "text",
    [
        f"http_token: {SECRET} # of the till\nnope: 1\n",
        f"http_token: '{SECRET}' # of the till\nnope: 1\n",
        f"http_token: >\n  {SECRET}\nnope: 1\n",
        f"http_token:\n  - {SECRET}\n",
        f"http_token: [{SECRET}, {{\n",
        f"http_token: [{SECRET}]\n",
        f"http_token: {{a: {SECRET}}}\n",
        f"lan_peers: [{SECRET}]\n",
        f"http_allowed_hosts: {SECRET}\nnope: 1\n",
        f"{SECRET}: 1\n",
    ],
)
def test_it_is_neither_in_the_problem_nor_left_by_the_mask(tmp_path: Path, text: str) -> None:
    config = tmp_path / "appliance.yaml"
    config.write_text(text)
    found = salvaged(config)
    assert found.problem
    assert SECRET not in found.problem
    if not text.startswith(SECRET):
        assert SECRET not in Mask(found.secrets, name=lambda: "").text(f"refused {SECRET} of somebody")


def test_that_of_the_environment_is_known_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_HTTP_TOKEN", SECRET)
    config = tmp_path / "appliance.yaml"
    config.write_text("nope: 1\n")
    found = salvaged(config)
    assert SECRET in found.secrets
    assert "nope" in found.problem, "a misspelt name is what the maintainers look for"
