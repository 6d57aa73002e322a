"""A laptop in a town: a session of alice's own that tells of calls, and where each of them lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.ledger.books import Place, SessionRow
from app.ledger.recompute import recompute
from app.ledger.record_usage import Report, record_usage
from app.registry import Transaction
from tabstop.attribution import Confidence
from tabstop.evidence import CommitMade, Evidence, PullRequestLink
from tabstop.money import dollars
from tabstop.usage import Tokens, Usage
from tests.jobs.town import NOW, Town

A_DOLLAR = dollars("1") // 1_000_000


def on(branch: str = "", repository: str = "", commit: str = "") -> Evidence:
    """A call's evidence."""
    return Evidence(repository, branch, commit)


def later(minutes: float) -> datetime:
    """A moment after the town's first."""
    return NOW + timedelta(minutes=minutes)


@dataclass
class Laptop:
    """Alice's session in a town, reporting calls of a dollar each. lies: by key, tab (branch#generation), repository, confidence."""

    town: Town
    session: SessionRow

    def tell(
        self,
        *calls: tuple[str, float, Evidence],
        links: Sequence[PullRequestLink] = (),
        commits: Sequence[CommitMade] = (),
        thread: str = "",
    ) -> None:
        """A batch: (key, minute, evidence) of each call."""
        usages = [
            Usage((f"anthropic:msg:{key}",), "m", Tokens(output=A_DOLLAR), later(minute), "", thread, evidence=evidence)
            for key, minute, evidence in calls
        ]
        with self.town.books() as db:
            session = db.session(self.session.id)
            assert session
            policy = db.policy_in_force(session.repository_id).policy
            report = Report(
                usages,
                (),
                policy,
                lambda usage: self.town.world.price(usage, ()),
                "alice",
                pull_requests=links,
                commits=commits,
            )
            record_usage(db, session, report, self.town.at)

    def lies(self) -> dict[str, tuple[str, str, str]]:
        """By key: `branch` (`branch/2` of a later generation), repository, confidence."""
        with self.town.store.look(self.town.org) as db:
            assert recompute(db, self.town.at) == []
            rows = db.usages_of(self.session.id)
            places = db.places({row.place_id for row in rows})
            known = db.known([f"anthropic:msg:{key}" for key in "abcdefghijklmnopqrstuvwxyz"])
            keys = {found.id: key.rpartition(":")[2] for key, found in known.items()}
            return {keys[row.id]: _named(db, places[row.place_id]) for row in rows}


def _named(db: Transaction, place: Place) -> tuple[str, str, str]:
    tab = db.tab(place.tab_id) if place.tab_id is not None else None
    repository = db.repository(place.repository_id) if place.repository_id is not None else None
    branch = tab.branch + (f"/{tab.generation}" if tab.generation > 1 else "") if tab else ""
    return branch, repository.full_name if repository else "", place.confidence


def a_laptop(town: Town, branch: str = "", **more: object) -> Laptop:
    """A session of alice's own, on this branch of acme/widget; of none (the default branch), with no tab."""
    confidence = Confidence.CLAIMED if branch else Confidence.REPOSITORY_ONLY
    return Laptop(town, town.start(branch, place_confidence=confidence, place_reason="her own token", **more))
