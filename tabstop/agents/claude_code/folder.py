"""The folder of transcripts (`~/.claude/projects`): the sessions of one job, subagents included, and what they cost.

Which rows count: an answer counts when it was given after the gate, in a session whose first working directory lies in
this workspace. That is decided per answer, not per file, so a session begun before the gate and resumed after it counts
with what came after, and a fork's copies of older rows do not count again (copies of rows of this job are the same
responses, told by their ids). What does not count is counted as skipped, with its reason.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from tabstop.agents.claude_code.client_count import ClientCount, Counts, counted, since
from tabstop.agents.claude_code.responses import each_once
from tabstop.agents.claude_code.rows import lines_of
from tabstop.agents.claude_code.transcript import TranscriptPart, read_transcript
from tabstop.evidence import CommitMade, PullRequestLink
from tabstop.usage import ToolCall, Usage

_CLOCK_STEP = timedelta(seconds=2)  # the coarsest file time there is


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A transcript of which nothing counts; path below the projects folder."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class FoundSession:
    """One of the client's sessions, as far as it belongs to this job.

    usages: each response once, main thread and subagents. counts: what the client says it used, by model, since the gate
    (or since the fork); None when the client wrote no total after the gate (killed).
    unread: tools called whose results no response read.
    """

    session: str
    usages: tuple[Usage, ...]
    counts: Counts | None = None
    unread: tuple[ToolCall, ...] = ()
    pull_requests: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()
    cwd: str = ""
    branch: str = ""
    version: str = ""
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class SessionsFound:
    """Everything of this job, and what was left out: whole files, and single rows by reason."""

    sessions: tuple[FoundSession, ...] = ()
    skipped_files: tuple[SkippedFile, ...] = ()
    skipped_rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def usages(self) -> tuple[Usage, ...]:
        """Each response once over all sessions, oldest first."""
        return each_once(usage for session in self.sessions for usage in session.usages)

    @property
    def skipped(self) -> dict[str, int]:
        """Every reason for leaving something out, counted."""
        counted = Counter(self.skipped_rows)
        counted.update(f"file: {one.reason}" for one in self.skipped_files)
        return dict(counted)


def read_folder(projects: Path, *, begun_after: datetime, workspace: Path, hmac_key: bytes = b"") -> SessionsFound:
    """Read what belongs to this job. A folder that is missing or cannot be read gives an empty answer with reasons.

    begun_after: when the gate let the job start. workspace: the job's checkout.
    Files that were not written to since the gate are not opened: a machine may hold thousands.
    """
    reading = _Reading(begun_after, Path(os.path.realpath(workspace)), hmac_key)
    for folder in filter(_is_folder, _entries(projects)):
        for main, subagents in _session_files(folder):
            reading.session(projects, main, subagents)
    return SessionsFound(tuple(reading.found), tuple(reading.skipped), dict(reading.rows))


class _Reading:
    def __init__(self, begun_after: datetime, workspace: Path, hmac_key: bytes) -> None:
        self.found: list[FoundSession] = []
        self.skipped: list[SkippedFile] = []
        self.rows: Counter[str] = Counter()
        self._gate = begun_after
        self._workspace = workspace
        self._key = hmac_key

    def session(self, projects: Path, main: Path, subagents: list[Path]) -> None:
        """Read one session: its own file and its subagents'."""
        parts: dict[Path, TranscriptPart] = {}
        for path in [main, *subagents]:
            outcome = self._read(path, since=self._gate - _CLOCK_STEP)
            if isinstance(outcome, TranscriptPart):
                parts[path] = outcome
            elif outcome:
                self.skipped.append(SkippedFile(str(path.relative_to(projects)), outcome))
        own = parts.get(main)
        found = self._belonging(main, own, parts)
        if found is not None:
            self.found.append(found)
        for path, part in parts.items():
            if found is None:
                reason = self._why_not(own or part)
                self.skipped.append(SkippedFile(str(path.relative_to(projects)), reason))
            else:
                self.rows.update(part.skip_reasons)

    def _read(self, path: Path, since: datetime | None = None) -> TranscriptPart | str:
        """The file's content, the reason why not, or nothing for a file that is not there.

        since: leave it closed when nothing was written to it after that.
        """
        try:
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode):
                return "not a plain file"
            if since is not None and about.st_mtime < since.timestamp():
                return "not written to since the gate"
            with path.open("rb") as stream:
                return read_transcript(lines_of(stream), hmac_key=self._key)
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"cannot be read ({type(error).__name__})"

    def _belonging(
        self, main: Path, own: TranscriptPart | None, parts: Mapping[Path, TranscriptPart]
    ) -> FoundSession | None:
        lead = own or next(iter(parts.values()), None)
        if lead is None or not self._here(lead.cwd):
            return None
        usages = each_once(u for part in parts.values() for u in part.usages if u.occurred_at >= self._gate)
        counts = self._counts(main, own) if own else None
        if not usages and not counts:
            return None
        return FoundSession(
            session=lead.session or main.stem,
            usages=usages,
            counts=counts,
            unread=tuple(call for part in parts.values() for call in part.unread),
            pull_requests=lead.pull_requests,
            commits=lead.commits,
            cwd=lead.cwd,
            branch=lead.branch,
            version=lead.version,
            ended=max((part.ended for part in parts.values() if part.ended), default=None),
        )

    def _counts(self, main: Path, own: TranscriptPart) -> dict[str, ClientCount] | None:
        """What the client counted since the gate: its last total, less what it had begun this job with.

        Answers written after its last total (the next run was killed) are added: a client tells no total for them, and
        without them they would hide what the total before has and no row has. Costs stay as the client told them.
        """
        after = [one for one in own.checkpoints if one.after is not None and one.after >= self._gate]
        if not after:
            return None
        before = [one for one in own.checkpoints if one.after is None or one.after < self._gate]
        begun_with = before[-1].counts if before else self._counts_at_fork(main, own)
        late = (u for u in own.usages if u.occurred_at >= self._gate and not own.since_checkpoint.isdisjoint(u.keys))
        return counted(late, since(after[-1].counts, begun_with))

    def _counts_at_fork(self, main: Path, own: TranscriptPart) -> Counts:
        """A fork goes on counting from its parent's total; where the parent is gone, from the rows it copied."""
        forked = min((u.occurred_at for u in own.usages if u.thread == own.session), default=own.ended)
        files = [self._read(main.with_name(f"{name}.jsonl")) for name in sorted(own.copied_from)]
        parents = [one for one in files if isinstance(one, TranscriptPart)]
        totals = [one for parent in parents for one in parent.checkpoints if _not_after(one.after, forked)]
        if totals:
            return max(totals, key=lambda one: sum(count.tokens.total for count in one.counts.values())).counts
        if parents:
            return {}  # a parent that was killed before its first total: the fork began from zero
        return counted(usage for usage in own.usages if usage.thread in own.copied_from)

    def _here(self, cwd: str) -> bool:
        return bool(cwd) and Path(os.path.realpath(cwd)).is_relative_to(self._workspace)

    def _why_not(self, part: TranscriptPart) -> str:
        if not part.cwd:
            return "names no working directory"
        return "nothing in it since the gate" if self._here(part.cwd) else "another workspace"


def _not_after(one: datetime | None, other: datetime | None) -> bool:
    return one is None or other is None or one <= other


def _session_files(folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Each session's own file (there or not) with the files of its subagents."""
    entries = _entries(folder)
    subagents = {path.name: _below(path / "subagents") for path in entries if _is_folder(path)}
    sessions = {path.stem for path in entries if path.suffix == ".jsonl" and not _is_folder(path)}
    for session in sorted(sessions | {name for name, files in subagents.items() if files}):
        yield folder / f"{session}.jsonl", subagents.get(session, [])


def _below(folder: Path) -> list[Path]:
    walked = os.walk(folder)  # does not follow links
    return sorted(Path(where, name) for where, _, names in walked for name in names if name.endswith(".jsonl"))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _is_folder(path: Path) -> bool:
    """Whether it is a folder itself: a link to one could lead out of the projects folder."""
    return path.is_dir() and not path.is_symlink()
