"""Open files: what is needed, what is in force, and what is said about it."""

from __future__ import annotations

import resource
from dataclasses import replace

import pytest

from appliance.channels.http import files
from appliance.channels.http.files import KEPT, FileLimit, limit_of, raise_limit
from appliance.settings import Settings


@pytest.fixture
def limits():
    """The hard limit; what a test does to the soft one is undone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def with_connections(connections: int) -> Settings:
    return replace(Settings(), http_connections=connections)


def test_soft_limit_is_raised_to_what_the_settings_need(limits):
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, limits))
    settings = with_connections(1000)
    assert limit_of(settings) == FileLimit(1256, 1256)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 512  # looking changes nothing
    limit = raise_limit(settings)
    assert (limit.in_force, limit.needed, limit.connections) == (1256, 1256, 1000)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1256, limits)
    assert (limit.ok, limit.remedy) == (True, "")


def test_a_higher_soft_limit_is_left_alone(limits):
    settings = with_connections(64)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    limit = raise_limit(settings)
    assert (limit.in_force, limit.ok) == (soft, True)
    assert limit.connections == 64  # no more than was asked for


def test_too_low_a_hard_limit_is_said_with_its_remedy(monkeypatch, caplog):
    monkeypatch.setattr(files.resource, "getrlimit", lambda _: (1024, 1024))
    monkeypatch.setattr(files.resource, "setrlimit", lambda *_: pytest.fail("nothing can be raised"))
    limit = raise_limit(with_connections(4096))
    assert (limit.in_force, limit.needed, limit.ok) == (1024, 4096 + KEPT, False)
    assert limit.connections == 1024 - KEPT
    assert "LimitNOFILE=4352" in limit.remedy
    assert "http_connections" in limit.remedy
    assert f"expected at least 4352, got 1024: at most {1024 - KEPT} connections are served" in caplog.text
    assert limit == limit_of(with_connections(4096))


def test_no_limit_at_all(monkeypatch):
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(files.resource, "getrlimit", lambda _: (unlimited, unlimited))
    assert raise_limit(with_connections(100)) == limit_of(with_connections(100)) == FileLimit(356, 356)


def test_a_limit_that_may_not_be_raised_is_used_as_it_is(monkeypatch, caplog):
    def refuse(*_: object) -> None:
        raise PermissionError("not permitted")

    monkeypatch.setattr(files.resource, "getrlimit", lambda _: (256, 100_000))
    monkeypatch.setattr(files.resource, "setrlimit", refuse)
    limit = raise_limit(with_connections(4096))
    assert (limit.in_force, limit.ok, limit.connections) == (256, False, files.LEAST)
    assert "could not raise the limit from 256 to 4352: not permitted" in caplog.text
