from __future__ import annotations

import os
import subprocess
import sys

import pytest

from appliance.inference.stderr import captured


def test_marked_lines_are_kept_and_others_pass(capfd: pytest.CaptureFixture[str]) -> None:
    with captured("mine") as noise:
        os.write(2, b"mine: one\nsomeone else\n\x1b[m\nmine: two")
        assert noise.text == ""
    assert noise.text == "mine: one\nmine: two"
    assert capfd.readouterr().err == "someone else\n"


def test_stderr_is_restored_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    def start() -> None:
        with captured("mine"):
            os.write(2, b"mine\n")
            raise ValueError

    with pytest.raises(ValueError):
        start()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_a_process_without_stderr_goes_on() -> None:
    program = (
        "import os; os.close(2); from appliance.inference.stderr import captured\n"
        "with captured('x') as noise: pass\n"
        "print(repr(noise.text))"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "''\n"
