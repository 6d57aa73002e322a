"""SlackChat: `Chat` over slack-sdk. Slack's error codes become sentences that say what to do."""

from __future__ import annotations

import re
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from app.settings import Settings
from app.slack_api.protocol import ChatError, ChatMessage
from tabstop.policy.forms import MEMBER_ID

TIMEOUT_SECONDS = 15
RATE_LIMITED_SECONDS = 30
"""What we wait where Slack says 429 without a readable Retry-After; it usually says between 1 and 60 seconds."""

LATER = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
"""Codes of Slack's that pass by themselves (docs.slack.dev/reference/methods/chat.postMessage, Errors)."""

POSTING, LOOKING_UP = "chat:write", "users:read.email"
"""The scopes we use: a message to a member's id needs no more than one to a channel (docs.slack.dev/reference/methods)."""

_TOKEN = "TABSTOP_SLACK_TOKEN"  # noqa: S105 - a setting's name
_ADDRESS = "correct it under `slack.people` in the organization's policy."
REMEDIES = {
    "channel_not_found": "There is no channel {channel}, or the bot cannot see it: check `slack.channel` in the policy, "
    "and for a private channel invite the bot to it.",
    "not_in_channel": "The bot is not in {channel}: invite it there (`/invite @…` in the channel).",
    "is_archived": "The channel {channel} is archived: name another one under `slack.channel` in the policy.",
    "restricted_action": "A workspace setting keeps the bot from posting in {channel}: ask a workspace owner.",
    "invalid_auth": f"Slack does not accept the token: check {_TOKEN} (it starts with `xoxb-`).",
    "not_authed": f"Slack got no token: set {_TOKEN}.",
    "account_inactive": f"The token's bot or workspace was removed: install the Slack app again and set {_TOKEN}.",
    "token_revoked": f"The token was revoked: install the Slack app again and set {_TOKEN}.",
    "token_expired": f"The token has expired: set {_TOKEN} to one without rotation.",
    "missing_scope": "The token lacks the scope `{needed}`: add it to the Slack app and install it again.",
    "invalid_blocks": "Slack refused the message's layout; please report this as a bug.",
    "msg_too_long": "Slack found the message too long; please report this as a bug.",
    "users_not_found": f"Nobody in the workspace has that e-mail address: {_ADDRESS}",
}
_LISTED = "correct the id under `slack.people` in the organization's policy."
REMEDIES_FOR_MEMBERS = {
    "channel_not_found": f"The workspace has no member {{channel}}, or the bot cannot write to them: {_LISTED}",
    "user_not_found": f"The workspace has no member {{channel}}: {_LISTED}",
    "user_disabled": f"The member {{channel}} has left: {_LISTED}",
    "cannot_dm_bot": f"{{channel}} is a bot: {_LISTED}",
    "restricted_action": "A workspace setting keeps the bot from writing to {channel}: ask a workspace owner.",
    "messages_tab_disabled": "The Slack app takes no direct messages: switch its Messages Tab on (App Home).",
}
"""What differs where the channel is a member."""


class SlackChat:
    """Slack as the bot of one token sees it. Safe to use from several threads: the client keeps no connection."""

    def __init__(self, token: str, api_url: str = "https://slack.com/api/") -> None:
        """`api_url` ends with `/api/`. Nothing is sent yet."""
        # No retries in the client: after a broken connection nobody knows whether the message is there, and who calls
        # decides whether a repeat is worth it.
        self._client = WebClient(
            token=token, base_url=f"{api_url.rstrip('/')}/", timeout=TIMEOUT_SECONDS, retry_handlers=[]
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> SlackChat:
        """With the token and the address of the settings."""
        return cls(settings.slack_token, settings.slack_api_url)

    def post(self, message: ChatMessage) -> str:
        """See `Chat`."""
        body = {
            "channel": message.channel.removeprefix("#"),  # "an encoded ID or channel name"; people write the sign too
            "text": message.text,
            "blocks": list(message.blocks),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        return str(self._call("chat.postMessage", body, message.channel)["ts"])

    def member_of(self, address: str) -> str:
        """See `Chat`."""
        # As a form, which every method takes; in the address of a GET it would stand in proxies' logs.
        user = self._call("users.lookupByEmail", form={"email": address})["user"]
        if user.get("deleted") or user.get("is_bot"):
            whose = "a bot" if user.get("is_bot") else "a member who has left"
            raise ChatError(f"That e-mail address belongs to {whose}: {_ADDRESS}")
        return str(user["id"])

    def scopes(self) -> frozenset[str] | None:
        """See `Chat`. Slack says it in a header of every answer."""
        headers = {name.lower(): value for name, value in dict(self._call("auth.test", {}).headers).items()}
        said = headers.get("x-oauth-scopes")
        if said is None:
            return None
        return frozenset(one.strip() for one in _first(said).split(",")) - {""}

    def who(self) -> str:
        """See `Chat`."""
        answer = self._call("auth.test", {})
        return f"{answer.get('team', '?')} / {answer.get('user', '?')}"

    def _call(
        self, method: str, body: dict[str, Any] | None = None, channel: str = "", form: dict[str, str] | None = None
    ) -> Any:
        try:
            return self._client.api_call(method, json=body, params=form)
        except SlackApiError as error:
            raise _translated(error, channel) from error
        except (SlackClientError, HTTPException, OSError) as error:
            # URLError and time-outs are OSErrors; the others are answers nobody could read.
            raise ChatError(f"Slack could not be reached or did not answer: {error}", retry_after=0) from error


def _translated(error: SlackApiError, channel: str) -> ChatError:
    response: Any = error.response
    status, code = int(response.status_code), str(response.get("error") or "")
    if status == 429 or code == "ratelimited":
        seconds = _retry_after(response.headers)
        return ChatError(f"Slack asks to send less; again in {seconds} s.", retry_after=seconds)
    # slack-sdk puts a page it cannot read (a proxy's, a gateway's) where the code would be.
    if status >= 500 or code in LATER or not re.fullmatch(r"[a-z_]+", code):
        return ChatError(f"Slack is not well, or something stands in between (HTTP {status}).", retry_after=0)
    known = REMEDIES | REMEDIES_FOR_MEMBERS if re.fullmatch(MEMBER_ID, channel) else REMEDIES
    needed = str(response.get("needed") or POSTING)
    remedy = known.get(code, "The code is explained at docs.slack.dev.").format(channel=f"`{channel}`", needed=needed)
    return ChatError(f"Slack said `{code}`. {remedy}")


def _retry_after(headers: Any) -> int:
    found = next((value for name, value in dict(headers).items() if name.lower() == "retry-after"), "")
    text = _first(found)
    return max(1, int(text)) if text.isdigit() else RATE_LIMITED_SECONDS


def _first(header: Any) -> str:
    # slack-sdk hands some headers on as lists.
    return str(header[0] if isinstance(header, list) and header else header)
