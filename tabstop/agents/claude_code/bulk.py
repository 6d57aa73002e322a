"""Transcripts by the gigabyte: the answer of `tabstop.agents.claude_code.transcript`, many times as fast, in columns.

For `tabstop cost` alone: the runner reads one session, with the standard library. Here msgspec reads only the fields named below,
in small pieces. A row of another shape than the client's goes through the functions of `transcript`, so that both
agree about every file, hostile ones too. One thing they see differently: a number of more than 4,300 digits, in a field nobody
reads, is refused by Python's parser.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import BinaryIO

import msgspec

from tabstop.agents.call_table import micros
from tabstop.agents.claude_code.bulk_answers import Answers
from tabstop.agents.claude_code.bulk_rows import (
    DECODER,
    BulkRow,
    Message,
    ToolResult,
    Used,
    git_row,
    odd_spent,
    spent_of,
    typed,
)
from tabstop.agents.claude_code.client_count import read_counts
from tabstop.agents.claude_code.rows import (
    LONGEST_ROW,
    Row,
    RowError,
    Skips,
    ident,
    is_ident,
    mapping,
    moment,
    parse_row,
    text,
)
from tabstop.agents.claude_code.transcript import Checkpoint, WorkSeen, branch_of, served
from tabstop.agents.log_table import LogTable
from tabstop.evidence import branch_named

_PIECE = 64 * 1024
"""Bytes read at once, few enough to stay in a core's own memory until they are through."""

_OPENS, _CLOSES = b"{}"
_NO_MESSAGE = Message()
_TOO_LONG = "longer than 8 MiB"
_NOT_THE_CLIENTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_HOW = ("speed", "service_tier", "inference_geo")


def read_bulk(stream: BinaryIO, after: LogTable | None = None, piece: int = _PIECE) -> LogTable:
    """Read one open transcript. Never raises for its content.

    after: what was read of it before; only what was added since is read, and told. piece: bytes read at once.
    """
    if after is not None:
        stream.seek(after.size)
    reader = _Reader(after or LogTable())
    for lines in _pieces(stream, piece):
        reader.piece(lines)
    return reader.table()


def _pieces(stream: BinaryIO, size: int) -> Iterator[bytes | int]:
    """Whole lines, many at a time, and at last what has no end; for a line that is too long, its bytes."""
    kept, long = bytearray(), 0
    while data := stream.read(size):
        if long:
            end = data.find(b"\n") + 1
            long += end or len(data)
            if not end:
                continue
            yield long
            data, long = data[end:], 0
        end = data.rfind(b"\n") + 1
        if end:
            yield bytes(kept) + data[:end]
            kept = bytearray(data[end:])
        else:
            kept += data
        if len(kept) > LONGEST_ROW:
            kept, long = bytearray(), len(kept)
    if long or kept:
        yield long or bytes(kept)


def _rows_of(piece: bytes) -> Sequence[BulkRow]:
    """All of its rows, sooner than one by one; none where a line is not one object, or one of another shape than the client's."""
    objects = _objects(piece)
    if not objects:
        return ()
    try:
        rows = DECODER.decode_lines(piece)
    except _NOT_THE_CLIENTS:
        return ()
    return rows if len(rows) == objects else ()


def _objects(piece: bytes) -> int:
    """How many lines there are, where each begins and ends as an object; else 0.

    msgspec takes an object over two lines, and two on one, and then counts them. A line's end between `}` and `{` is never within
    an object: so there are as many objects as lines only where each has its own.
    """
    found = at = 0
    find, end = piece.find, len(piece)
    while at := find(b"\n", at) + 1:  # three times as fast as `bytes.count`, which looks at every byte by itself
        if piece[at - 2] != _CLOSES or (at < end and piece[at] != _OPENS):
            return 0
        found += 1
    return found if piece[:1] == b"{" and piece[-1:] == b"\n" else 0


class _Reader:
    """What `TranscriptReader` is, for rows that msgspec has read."""

    def __init__(self, after: LogTable) -> None:
        self._skips = Skips()
        self._answers = Answers()
        self._checkpoints: list[Checkpoint] = []
        self._copied_from: set[str] = set()
        self._work = WorkSeen()
        self._session, self._branch = after.session, after.branch
        self._number, self._size = after.lines, after.size
        self._latest = after.latest
        self._told_branch: str | None = None
        self._said: tuple[object, ...] = ()
        self._numbers = 0, 0

    def table(self) -> LogTable:
        return LogTable(
            session=self._session,
            calls=self._answers.table(),
            pull_requests=self._work.pull_requests,
            commits=self._work.commits,
            copied_from=tuple(sorted(self._copied_from - {self._session})),
            checkpoints=tuple(self._checkpoints),
            skipped=tuple(self._skips.first),
            skip_reasons=dict(self._skips.reasons),
            lines=self._number,
            size=self._size,
            branch=self._branch,
            latest=self._latest,
        )

    def piece(self, piece: bytes | int) -> None:
        """Take in what `_pieces` gives."""
        if isinstance(piece, int):
            self._number += 1
            self._size += piece
            self._skips.add(self._number, _TOO_LONG)
            return
        self._size += len(piece)
        if len(piece) <= LONGEST_ROW and (rows := _rows_of(piece)):
            for row in rows:
                self._number += 1
                self._take(row)
            return
        *lines, tail = piece.split(b"\n")
        for line in lines:
            self._number += 1
            self._line(line)
        if tail:
            self._number += 1
            self._size = 0  # what is still being written is read again, from the beginning
            self._odd(tail, whole=False)

    def _line(self, line: bytes) -> None:
        try:
            row = DECODER.decode(line) if len(line) <= LONGEST_ROW else None
        except _NOT_THE_CLIENTS:
            row = None
        if row is None:
            self._odd(line)
        else:
            self._take(row)

    def _odd(self, line: bytes, *, whole: bool = True) -> None:
        """A line that is none of the client's, or has no end: as `transcript` reads it."""
        if len(line) > LONGEST_ROW:
            self._skips.add(self._number, _TOO_LONG)
        elif line.strip():
            try:
                row = parse_row(line)
            except RowError as error:
                self._skips.add(self._number, str(error) if whole else "half-written")
                return
            self._take(typed(row), row)

    def _take(self, row: BulkRow, odd: Row | None = None) -> None:
        """Take in one row. odd: the row as Python's parser gives it, where a field is not of the type it should have."""
        if not self._session:
            self._session = ident(row.sessionId)
        if row.gitBranch is not None and row.gitBranch != self._told_branch:
            self._told_branch = row.gitBranch
            self._branch = branch_named(text(row.gitBranch, 255)) or self._branch
        at = moment(row.timestamp) if row.timestamp else None
        if at is not None and (self._latest is None or at > self._latest):
            self._latest = at
        kind = row.type
        try:
            if kind == "assistant":
                self._answer(row, at or self._latest, odd)
            elif kind == "user":
                if odd is not None:
                    self._work.commit(odd, self._branch, self._latest)
                elif row.toolUseResult.__class__ is ToolResult and row.toolUseResult.gitOperation is not None:
                    self._work.commit(git_row(row), self._branch, self._latest)
            elif kind == "cost-state":
                self._checkpoints.append(Checkpoint(read_counts(row.modelUsage), self._latest))
            elif kind == "pr-link":
                self._pull_request(row)
        except (RowError, RecursionError) as error:
            self._skips.add(self._number, str(error))

    def _answer(self, row: BulkRow, at: datetime | None, odd: Row | None) -> None:
        message = row.message or _NO_MESSAGE
        # The client writes its own error texts as a model's answer; nothing was billed for them.
        if message.model == "<synthetic>" or row.isApiErrorMessage:
            return
        if row.requestSessionId and ident(row.requestSessionId):
            self._copied_from.add(row.requestSessionId)
        if odd is not None:
            told = mapping(odd.get("message")).get("usage")
            who, where = self._who(row, message, told), self._where(row)
        elif message.usage is None:
            raise RowError("an answer without usage")
        else:
            told = None
            who, where = self._who_and_where(row, message, message.usage)
        request, name = row.requestId or "", message.id or ""
        if not is_ident(request):
            request = ""
        if not is_ident(name):
            name = ""
        if not request and not name:
            raise RowError("an answer without an id")
        if at is None:
            raise RowError("an answer without a time")
        spent = spent_of(message.usage) if message.usage is not None else odd_spent(mapping(told))
        self._answers.add(request, name, (micros(at), who, where, *spent))

    def _who_and_where(self, row: BulkRow, message: Message, used: Used) -> tuple[int, int]:
        """Their numbers: those of the answer before, unless it said something else."""
        how = used.speed, used.service_tier, used.inference_geo
        threads = row.agentId, row.requestSessionId, row.sessionId, self._session
        said = (how, threads, message.model, row.gitBranch, row.cwd)
        if said != self._said:
            self._numbers = self._who(row, message, dict(zip(_HOW, how, strict=True))), self._where(row)
            self._said = said
        return self._numbers

    def _who(self, row: BulkRow, message: Message, used: object) -> int:
        """The number of model and thread. The model's id says how it was served."""
        if not isinstance(used, dict):
            raise RowError("an answer without usage")
        model = ident(message.model)
        if not model:
            raise RowError("an answer without a model")
        thread = ident(row.agentId) or ident(row.requestSessionId) or ident(row.sessionId) or self._session
        return self._answers.who.number(served(model, used), thread)

    def _where(self, row: BulkRow) -> int:
        branch = branch_of(row.gitBranch, row.requestSessionId)
        return self._answers.where.number("", branch, "", text(row.cwd))

    def _pull_request(self, row: BulkRow) -> None:
        told = {"prRepository": row.prRepository, "prNumber": row.prNumber, "timestamp": row.timestamp}
        self._work.pull_request(told, self._branch, self._latest)
