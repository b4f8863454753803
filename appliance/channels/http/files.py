"""Open files: what the settings need, what is in force, and what to do where it is too little."""

from __future__ import annotations

import logging
import resource
from dataclasses import dataclass

from appliance.settings import Settings

log = logging.getLogger(__name__)

KEPT = 256
"""Open files that are not for connections: models, records, libraries, refused clients, and what threads open."""
LEAST = 64
"""Connections that are served even where the limit is lower than what is kept."""


@dataclass(frozen=True, slots=True)
class FileLimit:
    """The limit of open files against what is needed."""

    in_force: int
    """Open files that this process may have."""
    needed: int
    """Open files that the settings can come to."""

    @property
    def ok(self) -> bool:
        """True when there are enough."""
        return self.in_force >= self.needed

    @property
    def connections(self) -> int:
        """Connections for which there are files."""
        return max(LEAST, min(self.needed, self.in_force) - KEPT)

    @property
    def remedy(self) -> str:
        """What to do when it is too low: Chinese, then English. Empty when it is not."""
        if self.ok:
            return ""
        return (
            f"ulimit -Hn {self.needed}，systemd 中设 LimitNOFILE={self.needed}，或减小 http_connections / "
            f"raise the hard limit (LimitNOFILE={self.needed} in the unit), or lower http_connections"
        )


def needed(settings: Settings) -> int:
    """Open files that these settings can come to."""
    return settings.http_connections + KEPT


def limit_of(settings: Settings) -> FileLimit:
    """What would be in force once `raise_limit` had been called; changes nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed(settings)
    reachable = wanted if resource.RLIM_INFINITY in (soft, hard) else max(soft, min(wanted, hard))
    return FileLimit(reachable, wanted)


def raise_limit(settings: Settings) -> FileLimit:
    """Raise this process's soft limit to what the settings need, as far as the hard one lets it, and log what lacks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed(settings)
    target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < target:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
            soft = target
        except (OSError, ValueError) as error:
            log.warning("open files: could not raise the limit from %d to %d: %s", soft, target, error)
    limit = FileLimit(wanted if soft == resource.RLIM_INFINITY else soft, wanted)
    if not limit.ok:
        log.warning(
            "open files: expected at least %d, got %d: at most %d connections are served; %s",
            limit.needed,
            limit.in_force,
            limit.connections,
            limit.remedy,
        )
    return limit
