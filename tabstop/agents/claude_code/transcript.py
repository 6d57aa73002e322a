"""Transcripts: `~/.claude/projects/<cwd>/<session>.jsonl` and `<session>/subagents/agent-<id>.jsonl`, read row by row.

Shapes as written by Claude Code 2.1; what each field means, and which are traps, was captured from real runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from tabstop.agents.claude_code.client_count import Counts, read_counts
from tabstop.agents.claude_code.responses import Responses
from tabstop.agents.claude_code.rows import (
    Row,
    RowError,
    SkippedRow,
    Skips,
    count,
    ident,
    mapping,
    moment,
    rows_of,
    text,
)
from tabstop.agents.claude_code.tools import ToolLog
from tabstop.evidence import CommitMade, Evidence, PullRequestLink, branch_named, commit_named, repository_named
from tabstop.model_id import with_variant
from tabstop.usage import Tokens, ToolCall, Usage

AGENT = "claude-code"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A cost-state row: what the client had counted for the whole session when a run ended.

    after: the latest time seen before it in the file (the row has none of its own).
    """

    counts: Counts
    after: datetime | None


@dataclass(frozen=True, slots=True)
class TranscriptPart:
    """What one file tells. Memory grows with the responses and runs in it, not with its size.

    session: the client's session id (a subagent's file names its parent's). usages: each response once.
    unread: tools called whose results no response has read yet. checkpoints: in file order.
    since_checkpoint: keys of the responses first written after the last of them.
    copied_from: sessions whose rows a fork copied. commits: those the client saw being made.
    cwd, branch: the first working directory, the last branch.
    ended: the latest time in it.
    """

    session: str = ""
    usages: tuple[Usage, ...] = ()
    unread: tuple[ToolCall, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    since_checkpoint: frozenset[str] = frozenset()
    copied_from: frozenset[str] = frozenset()
    pull_requests: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()
    cwd: str = ""
    branch: str = ""
    version: str = ""
    ended: datetime | None = None
    skipped: tuple[SkippedRow, ...] = ()
    skip_reasons: Mapping[str, int] = field(default_factory=dict)


def read_transcript(lines: Iterable[bytes | None], *, hmac_key: bytes = b"") -> TranscriptPart:
    """Read a transcript's lines (None for one too long to read, as `rows.lines_of` gives them). Never raises.

    hmac_key: per session, kept on this machine; without it tool arguments leave no trace at all.
    """
    reader = TranscriptReader(hmac_key)
    for number, row in rows_of(lines, reader.skips):
        reader.take(number, row)
    return reader.part()


class TranscriptReader:
    """Takes rows one by one, so that a file that grows can be followed."""

    def __init__(self, hmac_key: bytes = b"") -> None:
        """Start before the first row."""
        self.skips = Skips()
        self._responses = Responses()
        self._tools = ToolLog(hmac_key)
        self._checkpoints: list[Checkpoint] = []
        self._since_checkpoint: set[str] = set()
        self._copied_from: set[str] = set()
        self._work = WorkSeen()
        self._session = self._cwd = self._branch = self._version = ""
        self._latest: datetime | None = None

    def take(self, number: int, row: Row) -> bool:
        """Take in one row; one that cannot be used is counted as skipped. Whether it could be."""
        try:
            self._note(row)
            match row.get("type"):
                case "assistant":
                    self._assistant(row)
                case "user":
                    self._tools.results(_thread(row), mapping(row.get("message")).get("content"))
                    self._work.commit(row, self._branch, self._latest)
                case "cost-state":
                    self._checkpoints.append(Checkpoint(read_counts(row.get("modelUsage")), self._latest))
                    self._since_checkpoint.clear()
                case "pr-link":
                    self._work.pull_request(row, self._branch, self._latest)
        except (RowError, RecursionError) as error:
            self.skips.add(number, str(error))
            return False
        return True

    def part(self) -> TranscriptPart:
        """What was read so far."""
        return TranscriptPart(
            session=self._session,
            usages=self._responses.usages(),
            unread=self._tools.unread(),
            checkpoints=tuple(self._checkpoints),
            since_checkpoint=frozenset(self._since_checkpoint),
            copied_from=frozenset(self._copied_from - {self._session}),
            pull_requests=self._work.pull_requests,
            commits=self._work.commits,
            cwd=self._cwd,
            branch=self._branch,
            version=self._version,
            ended=self._latest,
            skipped=tuple(self.skips.first),
            skip_reasons=dict(self.skips.reasons),
        )

    def _note(self, row: Row) -> None:
        """Where and when: fields that most rows carry."""
        self._session = self._session or ident(row.get("sessionId"))
        self._cwd = self._cwd or text(row.get("cwd"))
        self._branch = branch_named(text(row.get("gitBranch"), 255)) or self._branch
        self._version = ident(row.get("version")) or self._version
        at = moment(row.get("timestamp"))
        if at is not None:
            self._latest = at if self._latest is None else max(self._latest, at)

    def _assistant(self, row: Row) -> None:
        message = mapping(row.get("message"))
        model = message.get("model")
        # The client writes its own error texts as a model's answer; nothing was billed for them.
        if model == "<synthetic>" or row.get("isApiErrorMessage") is True:
            return
        session = ident(row.get("requestSessionId"))
        if session:
            self._copied_from.add(session)
        usage = self._usage(row, message, ident(model), session)
        thread = _thread(row)
        if usage.keys not in self._responses:
            read = self._tools.read_by_response(thread)
            self._responses.add(replace(usage, tool_calls=read))
            self._since_checkpoint.update(usage.keys)
        else:
            self._responses.add(usage)
        self._tools.calls(thread, message.get("content"))

    def _usage(self, row: Row, message: Row, model: str, requested_by: str) -> Usage:
        used = message.get("usage")
        if not isinstance(used, dict):
            raise RowError("an answer without usage")
        if not model:
            raise RowError("an answer without a model")
        keys = [f"anthropic:req:{one}" for one in [ident(row.get("requestId"))] if one]
        keys += [f"anthropic:msg:{one}" for one in [ident(message.get("id"))] if one]
        if not keys:
            raise RowError("an answer without an id")
        at = moment(row.get("timestamp")) or self._latest
        if at is None:
            raise RowError("an answer without a time")
        tokens, split_known = read_tokens(used)
        return Usage(
            keys=tuple(sorted(keys)),
            model=served(model, used),
            tokens=tokens,
            occurred_at=at,
            agent=AGENT,
            thread=ident(row.get("agentId")) or requested_by or ident(row.get("sessionId")) or self._session,
            web_searches=count(mapping(used.get("server_tool_use")), "web_search_requests"),
            cache_split_known=split_known,
            evidence=Evidence(branch=branch_of(row.get("gitBranch"), requested_by), folder=text(row.get("cwd"))),
        )


def branch_of(noted: object, requested_by: object) -> str:
    """The branch that an answer's row notes; none where a fork copied it, since it then notes the one it was copied on.

    requested_by: the session it was copied from.
    """
    return "" if ident(requested_by) else branch_named(text(noted, 255))


class WorkSeen:
    """Pull requests and commits that the client saw, each as it was first told of."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._pull_requests: dict[tuple[str, int], PullRequestLink] = {}
        self._commits: dict[str, CommitMade] = {}

    def pull_request(self, row: Row, branch: str, latest: datetime | None) -> None:
        """Take in a `pr-link` row; see `pull_request_link`."""
        link = pull_request_link(row, branch, latest)
        if link is not None:
            self._pull_requests.setdefault((link.repository, link.number), link)

    def commit(self, row: Row, branch: str, latest: datetime | None) -> None:
        """Take in a command's result; see `commit_made`."""
        made = commit_made(row, branch, latest)
        if made is not None:
            self._commits.setdefault(made.sha, made)

    @property
    def pull_requests(self) -> tuple[PullRequestLink, ...]:
        """Each once, in the order they were seen."""
        return tuple(self._pull_requests.values())

    @property
    def commits(self) -> tuple[CommitMade, ...]:
        """Each once, in the order they were seen."""
        return tuple(self._commits.values())


def pull_request_link(row: Row, branch: str, latest: datetime | None) -> PullRequestLink | None:
    """What a `pr-link` row tells. branch, latest: of the rows before it, which it does not repeat."""
    repository, number = repository_named(f"github.com/{ident(row.get('prRepository'))}"), row.get("prNumber")
    if repository and isinstance(number, int) and not isinstance(number, bool) and 0 < number < 10**9:
        return PullRequestLink(repository, number, branch, moment(row.get("timestamp")) or latest)
    return None


def commit_made(row: Row, branch: str, latest: datetime | None) -> CommitMade | None:
    """The client notes beside a command's result what it saw git do (`git commit -q` it cannot see)."""
    commit = mapping(mapping(mapping(row.get("toolUseResult")).get("gitOperation")).get("commit"))
    sha = commit_named(ident(commit.get("sha")))
    if not sha:
        return None
    on = branch_named(text(commit.get("branch"), 255)) or branch
    return CommitMade(sha, branch=on, at=moment(row.get("timestamp")) or latest)


def read_tokens(used: Row) -> tuple[Tokens, bool]:
    """Tokens of one response's `usage`, and whether the lifetime of its cache writes is known.

    Anthropic's `input_tokens` leaves out what was read from and written to the cache. Raises `RowError`.
    """
    written = count(used, "cache_creation_input_tokens")
    split = mapping(used.get("cache_creation"))
    five_minutes = count(split, "ephemeral_5m_input_tokens")
    an_hour = count(split, "ephemeral_1h_input_tokens")
    untold = max(0, written - five_minutes - an_hour)
    tokens = Tokens(
        input=count(used, "input_tokens"),
        cache_read=count(used, "cache_read_input_tokens"),
        cache_write_5m=five_minutes + untold,
        cache_write_1h=an_hour,
        output=count(used, "output_tokens"),
    )
    return tokens, untold == 0


def served(model: str, used: Row) -> str:
    """The model's id with how it was served behind it, where that has a price of its own."""
    if used.get("speed") == "fast":
        return with_variant(model, "fast")
    tier = used.get("service_tier")
    if tier in ("batch", "priority"):
        return with_variant(model, tier)
    if used.get("inference_geo") == "us":
        return with_variant(model, "us")
    return model


def _thread(row: Row) -> str:
    """Which conversation a row belongs to within its file: a subagent's, or the main one."""
    return ident(row.get("agentId"))
