"""What the agent prints into a pipe, passed on byte by byte while we read along. A terminal is never put behind a pipe."""

from __future__ import annotations

import os
import stat
import threading
import time
from contextlib import suppress

_PART = 1 << 16


class Tee:
    """Reads `source`, writes `target`. What the reader does not take the writer does not make: the pipe behind us fills up as without us."""

    def __init__(self, target: int) -> None:
        """target: where it goes. `entrance` is where the agent writes."""
        self._source, self.entrance = os.pipe()
        self._target = target
        self.moved_at = time.monotonic()
        self.mid_line = False
        self._thread = threading.Thread(target=self._pass_on, name="tee", daemon=True)

    def begin(self) -> None:
        """Pass on from now. The agent has its end of the pipe; ours is closed, so that its end is heard."""
        os.close(self.entrance)
        self._thread.start()

    def finish(self, seconds: float = 5.0) -> None:
        """Wait until everything is passed on, or a process the agent left behind holds its end open for too long."""
        self._thread.join(seconds)

    def _pass_on(self) -> None:
        try:
            while part := os.read(self._source, _PART):
                self.moved_at = time.monotonic()
                self.mid_line = not part.endswith(b"\n")
                while part:
                    part = part[os.write(self._target, part) :]
                    self.moved_at = time.monotonic()
        except OSError:
            pass  # whoever read it has gone: closing our end tells the agent, as it would without us
        finally:
            os.close(self._source)


def can_be_teed(descriptor: int) -> bool:
    """Whether this is a pipe or a socket: a terminal has to stay one, and of a file its size tells enough."""
    with suppress(OSError):
        mode = os.fstat(descriptor).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    return False


class Growth:
    """A file the agent prints into, by its size."""

    def __init__(self, descriptor: int) -> None:
        """descriptor: ours, on the same file."""
        self._descriptor = descriptor
        self._size = -1
        self.visible = False
        with suppress(OSError):
            self.visible = stat.S_ISREG(os.fstat(descriptor).st_mode)

    def moved(self) -> bool:
        """Whether it has grown since the last time."""
        if not self.visible:
            return False
        size = os.fstat(self._descriptor).st_size
        moved, self._size = size != self._size, size
        return moved
