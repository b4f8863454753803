"""The rights of another user for a while: what root does in his folder, a link of his leads nowhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def rights_of(user: int, group: int) -> Iterator[None]:
    """With the rights of `user` and of no group but `group`, where this is root. Raises OSError."""
    if os.geteuid() != 0 or user == 0:
        yield
        return
    before, groups = os.getegid(), os.getgroups()
    try:
        os.setgroups([])
        os.setegid(group)
        os.seteuid(user)
        yield
    finally:
        os.seteuid(0)
        os.setegid(before)
        os.setgroups(groups)
