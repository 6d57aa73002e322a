"""The terminal the user sits at: given to the agent while it runs, taken back to ask something and at the end."""

from __future__ import annotations

import os
import signal
import termios
from contextlib import suppress


class Terminal:
    """Standard input's terminal, where our process group is its foreground."""

    def __init__(self, descriptor: int) -> None:
        """Note its modes, to put them back."""
        self.descriptor = descriptor
        self._ours = os.getpgrp()
        self._modes = termios.tcgetattr(descriptor)
        self._agents = self._modes
        # Without this, taking the terminal back from the background would stop us (tcsetpgrp(3)).
        self._before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)

    def take(self) -> None:
        """Be in the foreground, with the modes as they were before the agent."""
        with suppress(OSError, termios.error):
            self._agents = termios.tcgetattr(self.descriptor)
            os.tcsetpgrp(self.descriptor, self._ours)
            termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self._modes)

    def give(self, group: int) -> None:
        """Let the agent's process group be in the foreground, with the modes it had."""
        with suppress(OSError, termios.error):
            termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self._agents)
            os.tcsetpgrp(self.descriptor, group)
            os.killpg(group, signal.SIGWINCH)  # a full-screen program draws itself anew

    def leave(self) -> None:
        """Take it for good."""
        self.take()
        signal.signal(signal.SIGTTOU, self._before)


def terminal_of(descriptor: int = 0) -> Terminal | None:
    """The terminal behind this descriptor; None where there is none, or somebody else is in its foreground."""
    try:
        if os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp():
            return Terminal(descriptor)
    except OSError:
        pass
    return None
