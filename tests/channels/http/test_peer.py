"""The client at the other end of a socket: whether it has gone."""

from __future__ import annotations

import socket

from appliance.channels.http.peer import Peer, peer_of


def test_peers():
    assert not peer_of({}).gone()
    peer_of({}).within(1.0)
    here, there = socket.socketpair()
    with here, there:
        peer = Peer(here)
        assert not peer.gone()
        there.sendall(b"unread bytes")
        assert not peer.gone()
        there.close()
        assert peer.gone()
    assert peer.gone()
