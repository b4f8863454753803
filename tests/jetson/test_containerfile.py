"""The container file, which cannot be built where no Jetson is: what can be said of it by reading."""

from __future__ import annotations

import re
import shlex
import subprocess
from fnmatch import fnmatch

from tests.conftest import REPOSITORY, tracked

TEXT = (REPOSITORY / "jetson/Containerfile").read_text("utf-8")


def instructions() -> list[tuple[str, str]]:
    """Instruction and arguments, continued lines joined, comments left out."""
    lines = "\n".join(line for line in TEXT.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    return [(line.split(" ", 1)[0], " ".join(line.split()[1:])) for line in lines.splitlines() if line.strip()]


def named(instruction: str) -> list[str]:
    return [arguments for name, arguments in instructions() if name == instruction]


def test_every_instruction_is_one() -> None:
    known = {"ARG", "FROM", "ENV", "RUN", "COPY", "WORKDIR", "USER", "VOLUME", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions()} == known


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    ignored = (REPOSITORY / "jetson/Containerfile.dockerignore").read_text("utf-8").splitlines()
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    assert ignored[1] == "*"
    sources = [word for line in named("COPY") if not line.startswith("--from") for word in shlex.split(line)[:-1]]
    assert set(sources) == let_through
    for source in sources:
        assert (REPOSITORY / source).exists(), source
    private = [name for name in tracked() if name.endswith((".pem", ".key", ".env"))]
    assert not [name for name in private if any(fnmatch(name, f"{one}*") for one in let_through)]


def test_it_serves_as_nobody_in_particular() -> None:
    order = [name for name, _ in instructions()]
    assert named("USER") == ["appliance"]
    assert order.index("USER") > max(number for number, name in enumerate(order) if name == "RUN")
    assert "useradd --system" in TEXT
    assert "sudo" not in TEXT
    assert named("VOLUME") == ["/var/lib/appliance"]
    assert named("ENTRYPOINT") == ['["appliance"]']


def test_it_holds_no_secret_and_opens_nothing() -> None:
    assert not re.search(r"(?i)(token|password|secret|api_?key)\s*[=:]", TEXT)
    assert "EXPOSE" not in TEXT
    assert "0.0.0.0" not in TEXT
    variables = {word.split("=")[0] for line in named("ENV") for word in shlex.split(line)}
    assert {name for name in variables if name.startswith("APPLIANCE_")} == {"APPLIANCE_DATA_DIR"}


def test_it_installs_what_the_installer_does() -> None:
    shell = (REPOSITORY / "jetson/lib/release.sh").read_text("utf-8")
    features = re.search(r"^features='(.*)'$", shell, re.MULTILINE)
    first = shell[shell.index("    36)") : shell.index("    38 | 39)")]
    bindings, gpu = (re.search(rf"\b{name}='(.+?)'", first) for name in ("bindings", "gpu"))
    index = re.search(r"gpu_index=(\S+)", first)
    assert features
    assert bindings
    assert gpu
    assert index
    joined = " ".join(text for _, text in instructions())
    for wanted in (features[1], f"'{bindings[1]}'", f"'{gpu[1]}'", index[1], "--system-site-packages"):
        assert wanted in joined
    assert all("--no-install-recommends" in line for line in named("RUN") if "apt-get install" in line)


def test_its_commands_are_shell() -> None:
    for command in named("RUN"):
        done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not re.search(r"&& *(&&|$)", command)


def test_what_a_later_stage_takes_an_earlier_one_made() -> None:
    stages = re.findall(r"^FROM \S+ AS (\w+)$", TEXT, re.MULTILINE)
    for line in named("COPY"):
        if line.startswith("--from="):
            stage, source, _ = line.removeprefix("--from=").split()
            assert stage in stages
            assert f"{source}/" in TEXT.split("\nFROM ")[1 + stages.index(stage)]


def test_it_says_that_nobody_ran_it() -> None:
    assert "not yet built, not yet run" in TEXT.splitlines()[0]
