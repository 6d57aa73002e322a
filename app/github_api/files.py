"""Files: a file's text with the commit that last changed it, both of one moment."""

from __future__ import annotations

import base64
from urllib.parse import quote

from app.github_api.connection import Connection
from app.github_api.protocol import GitHubError, RemoteFile


def read(connection: Connection, full_name: str, path: str, ref: str) -> RemoteFile | None:
    """The file at a ref (empty: the default branch), or None when it is not there.

    First the commit, then the text at exactly that commit, so that a push in between cannot pair one with the other.
    Raises `GitHubError`, also for what is no file (a folder, a link): that is not the same as none.
    """
    commit = _last_commit(connection, full_name, path, ref)
    if not commit:
        return None
    found = connection.find(f"/repos/{full_name}/contents/{quote(path)}", ref=commit)
    if found is None:
        return None
    if not isinstance(found, dict) or found.get("type") != "file" or found.get("encoding") != "base64":
        raise GitHubError(f"{path} in {full_name} at {commit[:7]} is not a plain file of readable size.", status=422)
    return RemoteFile(base64.b64decode(found["content"]), commit)


def _last_commit(connection: Connection, full_name: str, path: str, ref: str) -> str:
    asked: dict[str, str | int] = {"path": path, "per_page": 1}
    if ref:
        asked["sha"] = ref
    try:
        commits = connection.find(f"/repos/{full_name}/commits", **asked)
    except GitHubError as error:
        if error.status == 409:  # "Git Repository is empty."
            return ""
        raise
    return str(commits[0]["sha"]) if commits else ""
