"""What an agent is started through: makes ready what only the process itself can, then becomes the agent.

    python3 -I -S launch.py PARENT TERMINAL COMMAND ARGUMENT…

PARENT: the wrapper's process id; should it be killed, the agent ends too, since nothing would bound it any more (Linux).
TERMINAL: a descriptor whose foreground becomes the agent's process group; -1 for none.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2)."""


def main() -> None:  # pragma: no cover - it becomes another program, and nothing measured is left
    """Never returns."""
    parent, terminal, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if terminal >= 0:
        # Who is not in the foreground may not move it, unless this signal is ignored (tcsetpgrp(3)).
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(terminal, os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - elsewhere it has no use

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(143)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the user's own command
    except OSError as error:
        sys.stderr.write(f"tabstop: {command[0]} cannot be started: {error.strerror}\n")
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


if __name__ == "__main__":  # pragma: no cover - likewise
    main()
