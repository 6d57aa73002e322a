"""Standing orders: the replies a hook gives while nobody can be asked, ready-made on disk, because a hook parses nothing.

    <state>/hooks/standing/<agent>-<session>/<Event>

Each file is an answer as `tabstop.beside.hook_socket.HookAnswer` encodes it. There are some only while a session is stopped.
Beside the hook lies a set for any session, `unheard/<agent>/<Event>`: what it says once nobody has bounded it for too long.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tabstop.agents.dialect import AGENTS, Payload, Spoken, dialect_of
from tabstop.beside.hook_socket import HookAnswer
from tabstop.beside.session_folder import write_privately
from tabstop.governor.orders import Act, Order
from tabstop.verdict import Finding, Outcome, Signal

UNHEARD = Order(
    Act.HALT,
    (
        Finding(
            Signal.SILENCE,
            Outcome.STOP,
            "governor",
            "The governor has not answered for 100 events, or they cannot be counted: nothing bounds this session, so it is stopped.",
            remedy=(
                "Likely cause: the Python it was installed with has moved. Run `tabstop install` again, or `tabstop uninstall` "
                "to go on without. Or Tabstop's state folder cannot be written to: see that it can be. "
                "Or another process watches this session and hangs: end that one. "
                "hook.log and governor.log in that folder say more."
            ),
        ),
    ),
)
"""What a hook says when `tabstop.beside.hook.MOST_UNHEARD` payloads wait, or events can be neither kept nor counted."""


def put_unheard(folder: Path) -> None:
    """Lay the replies of `UNHEARD` ready, for every agent. Raises `OSError`."""
    for agent in AGENTS:
        (folder / agent).mkdir(parents=True, exist_ok=True, mode=0o700)
        for event, body in dialect_of(agent).standing(UNHEARD).items():
            write_privately(folder / agent / event, HookAnswer(Spoken(body).text).encode())


class StandingOrders:
    """Those of all sessions. Written only when they change."""

    def __init__(self, hooks_root: Path) -> None:
        """hooks_root: `<state>/hooks`."""
        self._root = hooks_root / "standing"
        self._known: dict[str, Mapping[str, Payload]] = {}

    def put(self, agent: str, session: str, replies: Mapping[str, Payload]) -> None:
        """Replace a session's; none to have its hooks let it go on. Raises `OSError`."""
        name = f"{agent}-{session}"
        if self._known.get(name) == replies:
            return
        folder = self._root / name
        if replies:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for event, body in replies.items():
            write_privately(folder / event, HookAnswer(Spoken(body).text).encode())
        if not replies:
            shutil.rmtree(folder, ignore_errors=True)
        self._known[name] = replies
