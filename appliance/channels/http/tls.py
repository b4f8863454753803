"""TLS for the server, with the handshake in the worker thread that serves the connection.

cheroot's own adapter shakes hands in the thread that accepts: one client that connects and says nothing would keep
everybody else out until its time-out.
"""

from __future__ import annotations

import ssl
from typing import Any

from cheroot.makefile import StreamReader, StreamWriter
from cheroot.ssl import Adapter

from appliance.errors import SettingInvalid


class Tls(Adapter):
    """Server side of TLS 1.2 and 1.3 with one certificate."""

    def __init__(self, certificate: str, private_key: str) -> None:
        super().__init__(certificate, private_key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(certificate, private_key, password=_no_password)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise SettingInvalid(
                f"http_tls_certificate and http_tls_key: expected a PEM certificate with its key, got {reason}",
                remedy=(
                    "请确认两个文件都存在、互相匹配，且私钥没有密码",
                    "Check that both files exist, belong together and that the key has no password",
                ),
            ) from error
        self.context = context

    def bind(self, sock: Any) -> Any:
        """The listening socket stays as it is."""
        return sock

    def wrap(self, sock: Any) -> tuple[Any, dict[str, str]]:
        """Wrap an accepted socket; the handshake happens with the first read."""
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, self.get_environ()

    def get_environ(self) -> dict[str, str]:
        """What every request over TLS carries in its WSGI environment."""
        return {"wsgi.url_scheme": "https", "HTTPS": "on"}

    def makefile(self, sock: Any, mode: str = "r", bufsize: int = -1) -> Any:
        """A file over the socket."""
        return (StreamReader if "r" in mode else StreamWriter)(sock, mode, bufsize)


def _no_password() -> str:
    raise ValueError("a key with a password")
