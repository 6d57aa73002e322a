"""slack_message: a notice as a Slack message, in Block Kit within its limits and as plain text for notifications."""

from __future__ import annotations

import re
from typing import Any

from app.render.notices import Notice
from app.slack_api.protocol import ChatMessage
from tabstop.markdown import flat, plain
from tabstop.policy.problem import quoted

MOST_BLOCKS = 50
HEADER_LIMIT = 150
SECTION_LIMIT = 3_000
"""Block Kit's limits (docs.slack.dev/reference/block-kit/blocks): 50 blocks a message, 150 in a header, 3,000 in a section."""

REPEAT = "This may be a repeat: an earlier attempt may have arrived."

_NAME = re.compile(r"`([^`\n]+)`")
_FORMATS = re.compile(r"(?<!\w)[*_~]|[*_~](?!\w)")


def slack_message(channel: str, notice: Notice) -> ChatMessage:
    """What happened as a header, its arithmetic below, then when, where to read on, and whether it may be a repeat."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(flat(notice.title), HEADER_LIMIT)}}
    ]
    most = MOST_BLOCKS - 2
    lines = notice.lines
    if len(lines) > most:
        lines = (*lines[: most - 1], f"And {len(lines) - most + 1} more reasons.")
    blocks += [{"type": "section", "text": _markup(line)} for line in lines]
    blocks.append({"type": "context", "elements": [_raw(_context(notice))]})
    place, figures = f"{notice.where}: " if notice.where else "", f": {notice.figures}" if notice.figures else ""
    repeat = f" {REPEAT}" if notice.may_be_repeat else ""
    return ChatMessage(channel, escape(_cut(plain(f"{place}{notice.title}{figures}."), 500)) + repeat, blocks)


def mrkdwn(text: str) -> str:
    """Our convention in Slack's markup: what stands in backquotes stays code, nothing else is markup, mention or link."""
    parts = _NAME.split(flat(text))
    return "".join(f"`{escape(part)}`" if at % 2 else _harmless(part) for at, part in enumerate(parts))


def escape(text: str) -> str:
    """Slack's three control characters; without them no mention and no link can be made."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _harmless(text: str) -> str:
    # mrkdwn knows no backslash; a zero-width space beside the sign keeps it from opening or closing a format.
    return _FORMATS.sub(lambda m: f"\u200b{m[0]}\u200b", escape(text.replace("`", "'")))


def _markup(text: str) -> dict[str, Any]:
    made = mrkdwn(text)
    if len(made) > SECTION_LIMIT:
        made = mrkdwn(plain(text)[: SECTION_LIMIT // 6]) + "…"
    return _raw(made)


def _raw(made: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": made, "verbatim": True}


def _context(notice: Notice) -> str:
    links = [f"<{link.url}|{escape(flat(link.text)).replace('|', '/')}>" for link in notice.links]
    when = f"{notice.at.day} {notice.at:%B %Y %H:%M} UTC"
    where = [mrkdwn(quoted(notice.where))] if notice.where and not notice.links else []
    return " · ".join([when, *where, *links, *([REPEAT] if notice.may_be_repeat else [])])


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
