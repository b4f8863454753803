"""A stand-in for a receipt printer: the other end of a pseudo-terminal, which answers DLE EOT as ESC/POS says.

Not a printer: it has no kernel driver of one (usblp), no paper and no speed.
"""

from __future__ import annotations

import os
import pty
import threading
import tty

OKAY = {1: 0x12, 2: 0x12, 3: 0x12, 4: 0x12}


class FakePrinter:
    """`path` is its device; `printed` what came but questions; `status` its bytes by kind, None: answers nothing."""

    def __init__(self, status: dict[int, int] | None, reads: bool = True) -> None:
        self.status, self.printed = status, b""
        self._end, device = pty.openpty()
        tty.setraw(device)
        self.path = os.ttyname(device)
        self._held = device  # kept open: the end of a pseudo-terminal that nobody holds is gone
        self._thread = threading.Thread(target=self._run, daemon=True)
        if reads:
            self._thread.start()

    def _run(self) -> None:
        came = b""
        while True:
            try:
                more = os.read(self._end, 4096)
            except OSError:
                return
            came += more
            while (at := came.find(b"\x10\x04")) >= 0 and len(came) > at + 2:
                if self.status is not None:
                    os.write(self._end, bytes((self.status[came[at + 2]],)))
                came = came[:at] + came[at + 3 :]
            self.printed = came

    def close(self) -> None:
        os.close(self._held)
        if self._thread.is_alive():
            self._thread.join(5)
        os.close(self._end)
