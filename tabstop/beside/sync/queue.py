"""Queue: what was read of the agents' logs and is to be told to one server, and what of it was told. An SQLite file of this user's.

Losing it is harmless: everything is read and sent again, and changes nothing there. What it holds is counts, names and ids, as
they go over the wire, and the folders that were worked in, which do not.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tabstop.agents.claude_code.client_count import ClientCount
from tabstop.agents.log_files import in_text
from tabstop.beside.delivery import call_of
from tabstop.beside.sync.queue_file import opened
from tabstop.evidence import CommitMade, PullRequestLink
from tabstop.gauge import GaugeReading
from tabstop.model_id import bare
from tabstop.money import Nano
from tabstop.usage import Tokens, Usage
from tabstop.wire import Call, ClientTotal
from tabstop.wire_json import from_json, to_json


@dataclass(frozen=True, slots=True)
class Part:
    """What one client's session did in one repository: what the server is told as one session."""

    agent: str
    session: str
    repository: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """Calls of one part that wait. cost: nano-dollars at list prices, of those whose price is known; the others are `unpriced`."""

    part: Part
    calls: int
    cost: Nano
    unpriced: int


Price = Callable[[Usage], Nano | None]
"""Nano-dollars; None where no price is known."""


class Queue:
    """Of one server. Not for several threads at once."""

    def __init__(self, path: Path) -> None:
        """Open it; one that cannot be read, or is another version's, begins anew. Raises `OSError`, `sqlite3.Error`."""
        self._db = opened(path)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._db:
            yield self._db

    def seen(self, path: Path) -> str:
        """How the file was when it was last read; empty before."""
        row = self._db.execute("select seen from files where path = ?", (in_text(path),)).fetchone()
        return row[0] if row else ""

    def unread(self) -> dict[str, int]:
        """Lines that could not be used, by the file they are in; the most first."""
        return dict(self._db.execute("select path, unread from files where unread order by unread desc, path"))

    def repositories_of(self, folder: str) -> tuple[str, ...]:
        """Of the folder's remotes, as they were when it was last there; empty before."""
        row = self._db.execute("select repositories from folders where folder = ?", (folder,)).fetchone()
        return tuple(json.loads(row[0])) if row else ()

    def know_folder(self, folder: str, repositories: tuple[str, ...]) -> None:
        """Remember them: the folder may be gone by the next time."""
        with self._writing() as db:
            db.execute("insert or replace into folders values (?, ?)", (folder, _text(repositories)))

    def known_folders(self) -> list[str]:
        """Those remembered."""
        return [folder for (folder,) in self._db.execute("select folder from folders")]

    def take(
        self,
        path: Path,
        seen: str,
        unread: int,
        calls: Iterable[tuple[Part, Usage]],
        links: Iterable[tuple[Part, PullRequestLink]],
        commits: Iterable[tuple[Part, CommitMade]],
        totals: Iterable[tuple[str, str, datetime, dict[str, ClientCount]]],
        price: Price,
    ) -> None:
        """Take in what a file tells, in one transaction. What is known already, and is no more than before, is not sent again."""
        with self._writing() as db:
            for part, usage in calls:
                _take_call(db, part, usage, price)
            for kind, told in (("link", links), ("commit", commits)):
                for part, one in told:
                    wire = _text(to_json(one))
                    named = hashlib.sha256(f"{kind}\0{part}\0{wire}".encode()).hexdigest()
                    at = one.at.timestamp() if one.at else 0.0
                    row = (named, kind, part.agent, part.session, part.repository, at, wire)
                    db.execute("insert or ignore into told values (?, ?, ?, ?, ?, ?, ?, 0)", row)
            for agent, session, after, counts in totals:
                counted = _text({model: to_json(one) for model, one in counts.items()})
                db.execute(
                    "insert into totals values (?, ?, ?, ?, '') on conflict (agent, session) do update set "
                    "after = excluded.after, counts = excluded.counts where excluded.after >= after",
                    (agent, session, after.timestamp(), counted),
                )
            db.execute("insert or replace into files values (?, ?, ?)", (in_text(path), seen, unread))

    def waiting(self) -> list[Part]:
        """What has something to tell, by when it began."""
        rows = self._db.execute(
            "select agent, session, repository, min(at) from ("
            "select agent, session, repository, at from calls where not sent and repository != '' union all "
            "select agent, session, repository, at from told where not sent) group by 1, 2, 3 order by 4"
        )
        return [Part(*row[:3]) for row in rows]

    def calls(self, part: Part) -> list[tuple[str, Call]]:
        """Those of a part that wait, oldest first, by their key here."""
        rows = self._db.execute(
            "select key, wire from calls where agent = ? and session = ? and repository = ? and not sent order by at, key",
            (part.agent, part.session, part.repository),
        )
        return [(key, from_json(Call, json.loads(wire))) for key, wire in rows]

    def told(self, part: Part) -> list[tuple[str, PullRequestLink | CommitMade]]:
        """Its links and commits that wait."""
        rows = self._db.execute(
            "select id, kind, wire from told where agent = ? and session = ? and repository = ? and not sent order by at, id",
            (part.agent, part.session, part.repository),
        )
        kinds: dict[str, type[PullRequestLink | CommitMade]] = {"link": PullRequestLink, "commit": CommitMade}
        return [(name, from_json(kinds[kind], json.loads(wire))) for name, kind, wire in rows]

    def unsent(self) -> list[Unsent]:
        """Calls that wait, and those made where no repository is known."""
        rows = self._db.execute(
            "select agent, session, repository, count(*), coalesce(sum(cost), 0), sum(cost is null) from calls "
            "where not sent group by 1, 2, 3 order by 3, 1, 2"
        )
        return [Unsent(Part(*row[:3]), *row[3:]) for row in rows]

    def sent(self, calls: Iterable[str], told: Iterable[str] = ()) -> None:
        """They arrived, or will never be taken."""
        with self._writing() as db:
            db.executemany("update calls set sent = 1, wire = '' where key = ?", [(one,) for one in calls])
            db.executemany("update told set sent = 1 where id = ?", [(one,) for one in told])

    def span(self, part: Part) -> tuple[datetime, datetime] | None:
        """When its first and its last call were made."""
        low, high = self._db.execute(
            "select min(at), max(at) from calls where agent = ? and session = ? and repository = ?",
            (part.agent, part.session, part.repository),
        ).fetchone()
        return None if low is None else (datetime.fromtimestamp(low, UTC), datetime.fromtimestamp(high, UTC))

    def deferred(self) -> frozenset[Part]:
        """Parts at which a pass came to its end: they have their turn after the others."""
        return frozenset(Part(*row) for row in self._db.execute("select agent, session, repository from deferred"))

    def defer(self, part: Part, *, yes: bool) -> None:
        """Remember that it is one, or is no more."""
        words = "insert or ignore into deferred values (?, ?, ?)"
        if not yes:
            words = "delete from deferred where agent = ? and session = ? and repository = ?"
        with self._writing() as db:
            db.execute(words, (part.agent, part.session, part.repository))

    def new_gauges(self, organization: str, readings: Iterable[GaugeReading]) -> list[GaugeReading]:
        """Those the organization was not told."""
        told = {wire for (wire,) in self._db.execute("select wire from gauges where organization = ?", (organization,))}
        return [one for one in readings if _text(to_json(one)) not in told]

    def gauges_told(self, organization: str, readings: Iterable[GaugeReading]) -> None:
        """These arrived, or will never be taken."""
        with self._writing() as db:
            rows = [(organization, _text(one.gauge), _text(to_json(one))) for one in readings]
            db.executemany("insert or replace into gauges values (?, ?, ?)", rows)

    def totals(self, part: Part) -> tuple[ClientTotal, ...]:
        """What the client counted for the session, less what it did in other repositories; empty where that is told already.

        One part of a session has them: that of its first call. Calls after the client's last count are added, since it counts
        only where a run ends.
        """
        row = self._db.execute(
            "select after, counts, told from totals where agent = ? and session = ?", (part.agent, part.session)
        ).fetchone()
        if row is None or self._first(part) != part.repository:
            return ()
        after, counts, told = row
        left = {model: from_json(ClientCount, one) for model, one in json.loads(counts).items()}
        for repository, at, model, tokens, searches in self._db.execute(
            "select repository, at, model, counts, searches from calls where agent = ? and session = ?",
            (part.agent, part.session),
        ):
            late, here = at > after, repository == part.repository
            if late != here:
                continue  # here and counted by the client, or elsewhere and not counted
            name = next((one for one in left if bare(one) == bare(model)), model)
            change = ClientCount(from_json(Tokens, json.loads(tokens)), searches)
            before = left.get(name, ClientCount())
            left[name] = before + change if here else before - change
        found = tuple(
            ClientTotal(part.session, name, one.tokens, one.web_searches) for name, one in sorted(left.items())
        )
        return () if _digest(found) == told else found

    def totals_told(self, part: Part, totals: tuple[ClientTotal, ...]) -> None:
        """They arrived."""
        with self._writing() as db:
            row = (_digest(totals), part.agent, part.session)
            db.execute("update totals set told = ? where agent = ? and session = ?", row)

    def ended(self, part: Part) -> datetime | None:
        """Up to which call the server was told that it ended."""
        row = self._db.execute(
            "select ended from sessions where agent = ? and session = ? and repository = ?",
            (part.agent, part.session, part.repository),
        ).fetchone()
        return datetime.fromtimestamp(row[0], UTC) if row else None

    def end(self, part: Part, at: datetime) -> None:
        """Its end was told, after the call of that time."""
        row = (part.agent, part.session, part.repository, at.timestamp())
        with self._writing() as db:
            db.execute("insert or replace into sessions values (?, ?, ?, ?)", row)

    def open_parts(self) -> list[Part]:
        """Parts that were told of and whose end was not, since their last call."""
        rows = self._db.execute(
            "select agent, session, repository, max(at) as last from calls where repository != '' group by 1, 2, 3 "
            "having min(sent) = 1 and last > coalesce((select ended from sessions s where s.agent = calls.agent and "
            "s.session = calls.session and s.repository = calls.repository), 0)"
        )
        return [Part(*row[:3]) for row in rows]

    def drop_before(self, at: datetime) -> int:
        """Forget calls made earlier; how many had not been sent."""
        with self._writing() as db:
            (left,) = db.execute(
                "select count(*) from calls where at < ? and not sent and repository != ''", (at.timestamp(),)
            ).fetchone()
            # What the client counted for a session cannot be compared with a part of it.
            db.execute(
                "delete from totals where exists (select 1 from calls c where c.agent = totals.agent and "
                "c.session = totals.session and c.at < ?)",
                (at.timestamp(),),
            )
            db.execute("delete from calls where at < ?", (at.timestamp(),))
            db.execute("delete from told where at < ? and at > 0", (at.timestamp(),))
            return int(left)

    def _first(self, part: Part) -> str:
        row = self._db.execute(
            "select repository from calls where agent = ? and session = ? order by at, key limit 1",
            (part.agent, part.session),
        ).fetchone()
        return row[0] if row else ""


def _take_call(db: sqlite3.Connection, part: Part, usage: Usage, price: Price) -> None:
    """A call that is new, that a client told more fully than before, or that waits and is known to belong elsewhere by now."""
    key, wire, counts = usage.keys[0], _text(to_json(call_of(usage))), _text(to_json(usage.tokens))
    before = db.execute("select counts, searches, repository, sent, wire from calls where key = ?", (key,)).fetchone()
    if before is not None:
        told, searches, repository, sent, waits = before
        same = (told, searches) == (counts, usage.web_searches)
        # A fork's copy does not tell the branch.
        told_where = sent or not usage.evidence.branch or bool(json.loads(waits).get("branch"))
        if same and told_where and (sent or repository == part.repository):
            return
        if from_json(Tokens, json.loads(told)).total > usage.tokens.total:
            return
    at, cost = usage.occurred_at.timestamp(), price(usage)
    row = (key, part.agent, part.session, part.repository, at, usage.model, counts, usage.web_searches, cost, wire)
    db.execute("insert or replace into calls values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", row)


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _digest(totals: tuple[ClientTotal, ...]) -> str:
    return hashlib.sha256(_text(to_json(totals)).encode()).hexdigest()
