"""The Claude Agent SDK's hooks: `ClaudeAgentOptions(hooks=hooks_for(g))` governs every turn, tool and subagent of a client.

They do what Tabstop's installed hooks do (`tabstop.agents.claude_code.hooks`), inside this process: usage is read from the
transcripts that the client writes, so a limit is passed by one model call at most.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from tabstop.agents.claude_code.hooks import ClaudeCodeHooks
from tabstop.agents.claude_code.rows import ident
from tabstop.agents.dialect import HOOK_SECONDS, Spoken
from tabstop.beside.hooked_session import HookedSession
from tabstop.governor.orders import PROCEED, Order
from tabstop.library.extras import needed
from tabstop.library.governor import Governor

with needed("claude-agent-sdk"):
    import anyio.to_thread
    from claude_agent_sdk import HookMatcher

if TYPE_CHECKING:
    from claude_agent_sdk import HookContext
    from claude_agent_sdk.types import HookEvent, HookInput, HookJSONOutput

EVENTS = (
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
    "SubagentStart",
    "SubagentStop",
    "Stop",
)
"""PostToolBatch is not among the SDK's own names yet; its client knows it, and it is where a limit is noticed first."""


def hooks_for(governor: Governor) -> dict[HookEvent, list[HookMatcher]]:
    """What to pass as `hooks`. Several clients may share one governor: then its limits hold for all of them together.

    A run that a hook stopped ends like one that went well, with an empty result: call `g.check()` after it.
    """
    desk = _Desk(governor)
    governor.before_check(desk.catch_up)
    matcher = HookMatcher(hooks=[desk.hook], timeout=HOOK_SECONDS, on_failure="block")
    return cast("dict[HookEvent, list[HookMatcher]]", {event: [matcher] for event in EVENTS})


class _Desk:
    """Answers the hooks of every client session."""

    def __init__(self, governor: Governor) -> None:
        self._governor = governor
        self._since = governor.now()
        self._sessions: dict[str, HookedSession] = {}
        self._latest: dict[str, Mapping[str, Any]] = {}

    async def hook(self, payload: HookInput, _tool: str | None, _context: HookContext) -> HookJSONOutput:
        """One payload, one reply; waits first where the session goes too fast."""
        ours, session = self._governor.client_sessions, ident(payload.get("session_id"))
        # Between two turns somebody else may resume it, and is then heard by installed hooks alone.
        (ours.discard if payload.get("hook_event_name") == "Stop" else ours.add)(session)
        spoken, order = await anyio.to_thread.run_sync(self._hear, payload)
        self._governor.announce(order)
        if spoken.wait > 0:
            await self._governor.async_sleep(spoken.wait)
        said = {("continue_" if name == "continue" else name): value for name, value in (spoken.body or {}).items()}
        return cast("HookJSONOutput", said)

    def catch_up(self) -> None:
        """Read what was written down since the last hook: a session's last answer comes after all of them."""
        for payload in list(self._latest.values()):
            self._hear({**payload, "hook_event_name": "none, only time passes"})

    def _hear(self, payload: Mapping[str, Any]) -> tuple[Spoken, Order]:
        governor, session = self._governor, ident(payload.get("session_id"))
        with governor.governed.lock:
            self._latest[session] = {"session_id": session, "transcript_path": payload.get("transcript_path")}
            hooked = self._sessions.get(session)
            if hooked is None:
                hooked = self._sessions[session] = HookedSession(
                    governor.governed,
                    ClaudeCodeHooks(),
                    governor.key,
                    self._since,
                    lambda event: governor.on_event(event, PROCEED),
                    time.sleep,
                )
            return hooked.hear(str(payload.get("hook_event_name")), payload, governor.now())
