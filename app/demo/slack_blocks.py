"""Slack's Block Kit and its mrkdwn as HTML, as far as our messages use them; what is unknown is shown as its plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any

from markupsafe import Markup, escape

_EMOJI = {
    "large_green_circle": "🟢",
    "large_yellow_circle": "🟡",
    "large_orange_circle": "🟠",
    "red_circle": "🔴",
    "warning": "⚠️",
    "no_entry": "⛔",
    "octagonal_sign": "🛑",
    "white_check_mark": "✅",
    "moneybag": "💰",
    "hourglass": "⌛",
}

_PARTS = re.compile(
    r"```(?P<pre>.+?)```|`(?P<code>[^`\n]+)`|<(?P<link>[^<>|\n]+)(?:\|(?P<label>[^<>\n]*))?>"
    r"|(?<![\w*])\*(?P<bold>[^*\n]+)\*(?![\w*])|(?<![\w_])_(?P<italic>[^_\n]+)_(?![\w_])"
    r"|(?<![\w~])~(?P<struck>[^~\n]+)~(?![\w~])|:(?P<emoji>[a-z0-9_+-]+):|(?P<line>\n)",
    re.DOTALL,
)


def to_html(blocks: Sequence[Mapping[str, Any]], text: str) -> Markup:
    """A message: its blocks, or its text where it has none."""
    if not blocks:
        return Markup('<p class="slack-section">{}</p>').format(mrkdwn(text))
    return Markup("\n").join(_block(block) for block in blocks)


def mrkdwn(text: str) -> Markup:
    """Slack's own markup (api.slack.com, formatting text): only <, > and & are escaped in it."""
    done, at = Markup(), 0
    for found in _PARTS.finditer(text):
        done += escape(unescape(text[at : found.start()])) + _part(found)
        at = found.end()
    return done + escape(unescape(text[at:]))


def _part(found: re.Match[str]) -> Markup:
    kind = found.lastgroup
    if kind in {"link", "label"}:
        return _link(found["link"], found["label"] or found["link"])
    if kind == "emoji":
        return escape(_EMOJI.get(found["emoji"], found[0]))
    if kind == "line":
        return Markup("<br>")
    if kind in {"pre", "code"}:
        return Markup("<{0}>{1}</{0}>").format(kind, unescape(found[kind].strip("\n")))
    tag = {"bold": "strong", "italic": "em", "struck": "s"}[str(kind)]
    return Markup("<{0}>{1}</{0}>").format(tag, mrkdwn(found[str(kind)]))


def _link(target: str, label: str) -> Markup:
    if target.startswith(("http://", "https://")):
        return Markup('<a href="{}">{}</a>').format(unescape(target), unescape(label))
    return Markup('<span class="mention">{}</span>').format(unescape(label))


def _block(block: Mapping[str, Any]) -> Markup:
    match block.get("type"):
        case "header":
            return Markup('<p class="slack-header">{}</p>').format(_text(block["text"]))
        case "section":
            return _section(block)
        case "context":
            parts = [_text(one) for one in block.get("elements", ())]
            return Markup('<p class="slack-context">{}</p>').format(Markup(" ").join(parts))
        case "divider":
            return Markup('<hr class="slack-divider">')
        case "actions":
            buttons = [_button(one) for one in block.get("elements", ())]
            return Markup('<p class="slack-actions">{}</p>').format(Markup(" ").join(buttons))
    return Markup()


def _section(block: Mapping[str, Any]) -> Markup:
    body = Markup('<p class="slack-section">{}</p>').format(_text(block["text"])) if block.get("text") else Markup()
    fields = [Markup("<li>{}</li>").format(_text(one)) for one in block.get("fields", ())]
    if fields:
        body += Markup('<ul class="slack-fields">{}</ul>').format(Markup().join(fields))
    if (block.get("accessory") or {}).get("type") == "button":
        body += Markup('<p class="slack-actions">{}</p>').format(_button(block["accessory"]))
    return body


def _button(element: Mapping[str, Any]) -> Markup:
    label, url = element["text"]["text"], element.get("url", "")
    if url.startswith(("http://", "https://")):
        return Markup('<a class="slack-button" href="{}">{}</a>').format(url, label)
    return Markup('<span class="slack-button">{}</span>').format(label)


def _text(element: Mapping[str, Any]) -> Markup:
    if element.get("type") == "mrkdwn":
        return mrkdwn(element.get("text", ""))
    return escape(element.get("text", ""))
