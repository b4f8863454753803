"""Whether a request comes from this machine's own screen: what customers say, show and hear goes to no other one."""

from __future__ import annotations

from flask import Request

from appliance.settings import is_loopback

PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")
"""Headers of a proxy: behind one on this machine everybody's requests come from the loopback."""


def own_screen(request: Request) -> bool:
    """True for a request from this machine without a header of `PASSED_ON`. A proxy that adds none goes unnoticed."""
    return is_loopback(request.remote_addr or "") and not any(name in request.headers for name in PASSED_ON)
