"""Strict reading of nested YAML mappings: every key is known, typed and checked, or ManifestInvalid names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from appliance.errors import ManifestInvalid

HEX64 = re.compile(r"[0-9a-f]{64}")


class Section:
    """One mapping of a YAML file; `done` refuses the keys that nobody asked for."""

    def __init__(self, value: object, file: Path, where: str = "") -> None:
        """Wrap `value`, which must be a mapping with text keys; `where` is the dotted key it was found under."""
        self._file, self._where, self._used = file, where, set[str]()
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self.invalid("", f"expected a mapping of names, got {_short(value)}")
        self._value: Mapping[str, Any] = value

    def invalid(self, key: str, detail: str) -> ManifestInvalid:
        """An error that names the file and the key."""
        place = ".".join(part for part in (self._where, key) if part) or "document"
        return ManifestInvalid(
            f"{self._file}: {place}: {detail}",
            remedy=(f"请修正 {self._file} 中的 `{place}`", f"Correct `{place}` in {self._file}"),
        )

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def names(self) -> tuple[str, ...]:
        """Names as written, for mappings whose keys are data."""
        return tuple(self._value)

    def get(self, key: str) -> object:
        """The raw value of a required key."""
        self._used.add(key)
        if key not in self._value:
            raise self.invalid(key, "expected this key, found none")
        return self._value[key]

    def text(self, key: str, choices: tuple[str, ...] = ()) -> str:
        """A non-empty string, one of `choices` where given."""
        value = self.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.invalid(key, f"expected text, got {_short(value)}")
        if choices and value not in choices:
            raise self.invalid(key, f"expected one of {', '.join(choices)}, got {value!r}")
        return value

    def whole(self, key: str, minimum: int = 1) -> int:
        """A whole number not below `minimum`."""
        value = self.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise self.invalid(key, f"expected a whole number from {minimum}, got {_short(value)}")
        return value

    def number(self, key: str) -> float:
        """A finite number from 0 to 1."""
        value = self.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise self.invalid(key, f"expected a number from 0 to 1, got {_short(value)}")
        return float(value)

    def sha256(self, key: str) -> str:
        """64 lower-case hexadecimal digits."""
        value = self.get(key)
        if not isinstance(value, str) or not HEX64.fullmatch(value):
            raise self.invalid(key, f"expected 64 lower-case hexadecimal digits, got {_short(value)}")
        return value

    def path(self, key: str) -> str:
        """A relative path that stays inside its folder."""
        value = self.text(key)
        if not is_safe(value):
            raise self.invalid(key, f"expected a relative path without `..`, got {value!r}")
        return value

    def items(self, key: str) -> list[object]:
        """A list with at least one item."""
        value = self.get(key)
        if not isinstance(value, list) or not value:
            raise self.invalid(key, f"expected a list with at least one item, got {_short(value)}")
        return value

    def section(self, key: str) -> Section:
        """A nested mapping."""
        return Section(self.get(key), self._file, self._under(key))

    def sections(self, key: str) -> list[Section]:
        """A list of nested mappings."""
        return [Section(item, self._file, self._under(f"{key}[{n}]")) for n, item in enumerate(self.items(key))]

    def done(self) -> None:
        """Refuse keys that were not read: a misspelt key must not pass in silence."""
        unknown = sorted(set(self._value) - self._used)
        if unknown:
            raise self.invalid(unknown[0], f"unknown key; known here are {', '.join(sorted(self._used))}")

    def _under(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key


def is_safe(path: str) -> bool:
    """True for a relative POSIX path without `..`, drive, backslash, empty part, hidden part or control character."""
    parts = path.split("/")
    return (
        not PurePosixPath(path).is_absolute()
        and all(part and not part.startswith(".") for part in parts)
        and not any(character in path for character in "\\:")
        and path.isprintable()
        and len(path) < 256
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
