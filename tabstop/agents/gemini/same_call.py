"""Which call is which: neither Gemini's chats nor its telemetry tell the response's id, so its counts and its time stand for it."""

from __future__ import annotations

from dataclasses import replace

from tabstop.usage import Usage

_SPAN = 1_000
"""Milliseconds. Both are written within some hundredths of a second; a conversation's prompt grows with every call."""


def recognizable(usage: Usage, session: str) -> Usage:
    """The usage with two more keys: reports of one call less than half a second apart share at least one of them.

    Reports over a second apart share none. Time is cut into spans twice, the second time half a span later.
    session: the client's own, which a subagent's chat does not have for its thread.
    """
    tokens, ms = usage.tokens, int(usage.occurred_at.timestamp() * 1000)
    # Of the prompt as a whole: hooks do not tell what of it was cached.
    said = f"google:call:{session}/{tokens.prompt}.{tokens.output}"
    spans = (f"{said}@a{ms // _SPAN}", f"{said}@b{(ms + _SPAN // 2) // _SPAN}")
    return replace(usage, keys=(*usage.keys, *spans))
