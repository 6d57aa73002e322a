"""Comments: our own one on a pull request, found by hidden marker and author."""

from __future__ import annotations

from app.github_api.connection import Connection
from app.github_api.protocol import GitHubError


def find(connection: Connection, full_name: str, number: int, marker: str, bot_login: str) -> int | None:
    """The id of our first comment with this marker. Anybody can write the marker; only we are `SLUG[bot]`."""
    for data in connection.pages(f"/repos/{full_name}/issues/{number}/comments"):
        author = (data.get("user") or {}).get("login") or ""
        if author.lower() == bot_login.lower() and marker in (data.get("body") or ""):
            return int(data["id"])
    return None


def update(connection: Connection, full_name: str, comment_id: int, body: str) -> bool:
    """Replace a comment's text; False when somebody deleted it."""
    try:
        connection.send("PATCH", f"/repos/{full_name}/issues/comments/{comment_id}", {"body": body})
    except GitHubError as error:
        if error.status in {404, 410}:
            return False
        raise
    return True
