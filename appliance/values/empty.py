"""What a field holds of which nothing was said."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EMPTY: Mapping[str, str] = MappingProxyType({})
NO_TIMINGS: Mapping[str, float] = MappingProxyType({})
