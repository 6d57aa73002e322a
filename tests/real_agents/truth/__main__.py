"""Plays scenes by name, all that begin so: `python -m tests.real_agents.truth claude-switch`. KEEP=1 keeps their folders."""

from __future__ import annotations

import sys

from tests.real_agents.truth.playing import SCENES, play_all


def main() -> int:
    """0: the ledger is the invoice. 1: it is not. 2: no such scene."""
    wanted = sys.argv[1:]
    scenes = [one for one in SCENES if not wanted or any(one.name.startswith(name) for name in wanted)]
    if not scenes:
        print(f"there is no such scene; there are {', '.join(one.name for one in SCENES)}", file=sys.stderr)
        return 2
    return 1 if any(one.wrong for one in play_all(scenes)) else 0


if __name__ == "__main__":
    sys.exit(main())
