"""Claude Code's transcripts as log files: `projects/<cwd>/<session>.jsonl` and `<session>/subagents/**/agent-<id>.jsonl`."""

from __future__ import annotations

from collections.abc import Iterator

from tabstop.agents.homes import Homes
from tabstop.agents.log_files import LogFile, LogReading, files_below

_AGENT = "claude-code"


def discover(homes: Homes) -> Iterator[LogFile]:
    """Every transcript below `projects`, subagents' too."""
    for home in homes.claude_code:
        yield from files_below(_AGENT, home / "projects", lambda name: name.endswith(".jsonl"))


def read(file: LogFile) -> tuple[LogReading]:
    """One transcript, with the standard library's parser. Raises `OSError`."""
    from tabstop.agents.claude_code.rows import lines_of  # noqa: PLC0415 - `discover` must not wait for them
    from tabstop.agents.claude_code.transcript import read_transcript  # noqa: PLC0415

    with file.path.open("rb") as stream:
        part = read_transcript(lines_of(stream))
    reading = LogReading(
        session=part.session,
        usages=part.usages,
        pull_requests=part.pull_requests,
        commits=part.commits,
        copied_from=part.copied_from,
        checkpoints=part.checkpoints,
        skipped=part.skipped,
        skip_reasons=part.skip_reasons,
    )
    return (reading,)
