"""Gemini CLI's chats as log files: `tmp/<project>/chats/session-*.jsonl`, `…/chats/<session>/<subagent>.jsonl`, and older `.json`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from tabstop.agents.claude_code.responses import Responses
from tabstop.agents.claude_code.rows import Row, RowError, Skips, ident, lines_of, mapping, parse_row, rows_of
from tabstop.agents.gemini.chat_rows import ChatRows, project_folder
from tabstop.agents.gemini.hooks import AGENT
from tabstop.agents.homes import Homes
from tabstop.agents.log_files import LogFile, LogReading, entries_of, files_below
from tabstop.agents.long_list import parts_of

LONGEST_CHAT = 64 * 1024 * 1024
"""Bytes of a chat in the older form, one JSON object."""

_LONGEST_LIST = 1024 * 1024
_CHATS = "chats"


def discover(homes: Homes) -> Iterator[LogFile]:
    """Every chat."""
    for home in homes.gemini:
        projects = entries_of(home / "tmp")
        if projects is None:
            yield LogFile(AGENT, home / "tmp")  # whoever tries to read it tells why that cannot be
        for project in projects or ():
            if not os.path.islink(project):  # noqa: PTH114 - a folder can be one that may be listed and not entered
                yield from files_below(AGENT, project / _CHATS, lambda name: name.endswith((".jsonl", ".json")))


def read(file: LogFile) -> tuple[LogReading]:
    """One chat. Raises `OSError`."""
    rows, skips, responses = ChatRows(folder_of(file.path)), Skips(), Responses()
    with file.path.open("rb") as stream:
        found = rows_of(lines_of(stream), skips) if file.path.suffix == ".jsonl" else _whole(stream, skips)
        for number, row in found:
            for message in rows.messages(row):
                try:
                    usage = rows.usage(message)
                except (RowError, RecursionError) as error:
                    skips.add(number, str(error))
                    continue
                if usage is not None:
                    responses.add(usage)
    session = _worked_for(file.path) or rows.session
    reading = LogReading(
        session=session,
        # A subagent's too: nobody else tells of its session.
        usages=tuple(replace(usage, thread=session) for usage in responses.usages()),
        pull_requests=rows.git.pull_requests,
        commits=rows.git.commits,
        skipped=tuple(skips.first),
        skip_reasons=dict(skips.reasons),
    )
    return (reading,)


def folder_of(chat: Path) -> str:
    """The working directory of a chat; empty where it cannot be told.

    Its project's folder holds it in `.project_root`. Older versions named that folder by the directory's SHA-256, which
    `projects.json` beside `tmp` may still know the directory of; newer ones by a name that stands there too.
    """
    above = [folder for folder in chat.parents if folder.name == _CHATS]
    if not above:
        return ""
    project = above[0].parent
    if folder := project_folder(_short(project / ".project_root")):
        return folder
    try:
        known = mapping(parse_row(_short(project.parent.parent / "projects.json") or "{}").get("projects"))
    except RowError:
        return ""
    for folder, name in known.items():
        if project.name in (name, hashlib.sha256(os.fsencode(folder)).hexdigest()):
            return project_folder(folder)
    return ""


def _worked_for(chat: Path) -> str:
    """The session of a subagent's chat, which names the folder it lies in."""
    return ident(chat.parent.name) if chat.parent.parent.name == _CHATS else ""


def _whole(stream: BinaryIO, skips: Skips) -> Iterator[tuple[int, Row]]:
    content = stream.read(LONGEST_CHAT + 1)
    if len(content) > LONGEST_CHAT:
        skips.add(1, "longer than 64 MiB")
        return
    try:
        for row in parts_of(content, "messages"):
            yield 1, row
    except RowError as error:
        skips.add(1, str(error))


def _short(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_LONGEST_LIST).decode("utf-8", "replace")
    except OSError:
        return ""
