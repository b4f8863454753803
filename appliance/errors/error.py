"""What every error has: a code, a status, what happened and what to do, Chinese first and English beside it."""

from __future__ import annotations

import math

Both = tuple[str, str]
"""The same thing said in Chinese and in English."""

IN_VAIN = math.inf
"""Seconds to wait before a retry that no waiting helps."""


class ApplianceError(Exception):
    """Anything the appliance refuses or fails to do, with its remedy."""

    code = "internal"
    """Stable machine-readable name."""
    status = 500
    """HTTP status that carries it."""
    title = "内部错误"
    """Chinese sentence for what happened."""
    fix = "请重试；如仍出现，请联系维护人员并提供日志"
    """Chinese sentence for what to do."""
    default_remedy = "Try again; if it persists, send the log to the maintainer"
    """English sentence for what to do, unless the instance gives a better one."""

    def __init__(self, detail: str, *, remedy: Both | None = None, retry_after: float | None = None) -> None:
        """Keep `detail` (expected and found, English), a `remedy` if there is a better one, seconds before a retry."""
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        self._remedy = remedy or (self.fix, self.default_remedy)

    @property
    def message(self) -> str:
        """What happened: Chinese, then English."""
        return f"{self.title} / {self.detail}"

    @property
    def remedy(self) -> str:
        """What to do about it: Chinese, then English."""
        return " / ".join(self._remedy)

    @property
    def wait_s(self) -> int | None:
        """Whole seconds after which a retry may succeed; None where waiting is not what helps."""
        if self.status not in (429, 503) or self.retry_after == IN_VAIN:
            return None
        return max(1, math.ceil(self.retry_after or 1))

    @property
    def both(self) -> Both:
        """What to do about it, in Chinese and in English apart: for an error that is raised in place of this one."""
        return self._remedy

    @property
    def account(self) -> str:
        """What happened and what to do about it: all of it in Chinese, then all of it in English."""
        chinese, english = self._remedy
        return f"{self.title} → {chinese} / {self.detail} → {english}"
