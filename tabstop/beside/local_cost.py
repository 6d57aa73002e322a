"""Local cost: this machine's usage joined with local git and GitHub, placed and added up; what `tabstop cost` shows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from pathlib import Path

import msgspec

from tabstop.beside.known_places import KnownPlaces, keep_known_places, read_known_places
from tabstop.beside.local_git import Seen, look
from tabstop.beside.local_usage_facts import LocalUsage
from tabstop.beside.own_prices import POLICY_FILE
from tabstop.beside.plan_sessions import plan_sessions
from tabstop.report.by import By
from tabstop.report.facts import Facts, PullRequest
from tabstop.report.placing import Linked, Placed, linked_repositories, place
from tabstop.report.renamed import by_new_names
from tabstop.report.report import Charts, Report
from tabstop.report.tally import Plans, Row, day_in, tally, total, unplaced, unpriced
from tabstop.usage_groups import QUARTER


class Wanted(msgspec.Struct, frozen=True):
    """What is asked. paths: absolute folders, without links; none for everywhere. zone: of days; None for this machine's.

    plans: agents that a plan pays for.
    """

    by: By
    now: datetime
    since: datetime | None = None
    since_words: str = ""
    paths: tuple[Path, ...] = ()
    zone: tzinfo | None = None
    plans: tuple[str, ...] = ()
    offline: bool = True


class LocalCost(msgspec.Struct, frozen=True):
    """The report, and what it was made of. names: those that repositories go by now, by a name they had before, in lower case."""

    report: Report
    placed: Sequence[Placed]
    facts: Facts
    plans: Plans
    zone: tzinfo | None
    names: Mapping[str, str]

    def charts(self) -> Charts:
        """For a page."""
        day_of = day_in(self.zone)

        def by(what: By, placed: Sequence[Placed]) -> list[Row]:
            return tally(placed, what, self.facts, plans=self.plans, day_of=day_of)

        agents = by(By.AGENT, self.placed)
        days = {row.name: by(By.DAY, [one for one in self.placed if one.group.agent == row.name]) for row in agents}
        return Charts(days, by(By.MODEL, self.placed), agents)


def local_cost(usage: LocalUsage, wanted: Wanted, environ: Mapping[str, str], kept: Path | None) -> LocalCost:
    """Join, place, add up. kept: the file of known places; None to remember nothing."""
    known = read_known_places(kept)
    home = Path(environ["HOME"]) if environ.get("HOME", "").startswith("/") else None
    seen = look({group.folder for group in usage.groups if group.folder}, known.folders, home)
    new = known.learn(dict(seen.folders))
    here = Facts(seen.folders, seen.elsewhere, seen.checkouts, seen.repositories)
    sessions = {(one.agent, one.session): Linked(one.pull_requests, one.commits) for one in usage.sessions}

    def joined() -> tuple[Mapping[tuple[str, str], Linked], Facts, list[Placed]]:
        told = usage.groups, sessions, here._replace(pull_requests=_remembered(known))
        groups, linked, facts = by_new_names(told, known.names)
        return linked, facts, _chosen(place(groups, linked, facts), wanted, seen.roots, facts)

    linked, facts, chosen = joined()
    notes: tuple[str, ...] = ()
    if not wanted.offline:
        told, notes = _asked(chosen, linked, known, wanted, environ, facts)
        new = new or told
        if told:
            linked, facts, chosen = joined()
    if new:
        keep_known_places(kept, known)
    notes = (*_own_prices(usage, chosen, seen), *notes)
    plans = Plans(frozenset(wanted.plans), plan_sessions(environ))
    report = Report(
        by=wanted.by,
        rows=tally(chosen, wanted.by, facts, plans=plans, day_of=day_in(wanted.zone)),
        total=total(chosen, plans),
        unplaced=unplaced(chosen, plans),
        made_at=wanted.now,
        timezone=str(wanted.zone or wanted.now.astimezone().tzname()),
        since=wanted.since,
        since_words=_since_words(wanted),
        paths=tuple(map(str, wanted.paths)),
        unpriced=unpriced(chosen),
        files=usage.files,
        skipped=sum(sum(one.reasons.values()) for one in usage.skipped),
        skipped_lines=tuple((file.path, line, why) for file in usage.skipped for line, why in file.first),
        unread=usage.unread,
        notes=notes,
    )
    return LocalCost(report, chosen, facts, plans, wanted.zone, known.names)


def is_inside(folder: str, paths: Sequence[Path]) -> bool:
    """Whether it is one of these, or in one. paths: without links; the folder may have some, as a log names it."""
    return any(Path(folder).is_relative_to(path) or _real(folder).is_relative_to(path) for path in paths)


def _real(folder: str) -> Path:
    """Without links. A log may name a folder that is no whole path; it stays as it is."""
    return Path(os.path.realpath(folder) if folder.startswith("/") else folder)


def _own_prices(usage: LocalUsage, chosen: Sequence[Placed], seen: Seen) -> tuple[str, ...]:
    """Whose prices were taken, where it is not the public list alone."""
    names: dict[bool, dict[str, None]] = {True: {}, False: {}}
    valid_of = dict(usage.own_prices)
    for one in chosen:
        tree = str(seen.roots.get(one.group.folder, ""))
        if tree in valid_of:
            names[valid_of[tree]].setdefault(one.repository or tree)
    notes = []
    if names[True]:
        notes.append(f"Prices: of {POLICY_FILE} for {', '.join(names[True])}; else the public list's.")
    if names[False]:
        notes.append(
            f"{POLICY_FILE} of {', '.join(names[False])} has a problem, so the public list's prices stand. `tabstop policy check` says which."
        )
    return tuple(notes)


def _since_words(wanted: Wanted) -> str:
    if wanted.since is None:
        return ""
    here = wanted.since.astimezone(wanted.zone)
    return here.strftime("%Y-%m-%d" if here.hour == here.minute == 0 else "%Y-%m-%d %H:%M")


def _remembered(known: KnownPlaces) -> tuple[PullRequest, ...]:
    return tuple(one for pulls in known.pull_requests.values() for one in pulls)


def _chosen(placed: Sequence[Placed], wanted: Wanted, trees: Mapping[str, Path], facts: Facts) -> list[Placed]:
    """Those of the time and the folders that are asked for. A quarter of an hour counts whole."""
    found = list(placed)
    if wanted.since:
        since = int(wanted.since.timestamp()) // QUARTER * QUARTER
        found = [one for one in placed if one.group.began >= since]
    if not wanted.paths:
        return found
    chosen = {tree for tree in set(trees.values()) if _real(str(tree)) in wanted.paths}
    roots = {name.lower() for folder, name in facts.folders.items() if trees.get(folder) in chosen}
    within: dict[str, bool] = {}

    def inside(folder: str) -> bool:
        if folder not in within:
            within[folder] = is_inside(folder, wanted.paths)
        return within[folder]

    return [one for one in found if inside(one.group.folder) or one.repository.lower() in roots]


def _asked(
    chosen: Sequence[Placed],
    linked: Mapping[tuple[str, str], Linked],
    known: KnownPlaces,
    wanted: Wanted,
    environ: Mapping[str, str],
    facts: Facts,
) -> tuple[bool, tuple[str, ...]]:
    """Ask GitHub about the repositories there is work in; whether it told anything new, and what people should know."""
    from tabstop.beside.pull_requests import GitHubAccess, ask  # noqa: PLC0415 - the network's library is not quick to load

    access = GitHubAccess.from_environ(environ)
    now = wanted.now.timestamp()
    bases = {name: one.fork_of for name, one in facts.repositories.items()}
    names = [bases.get(name.lower()) or name for name in linked_repositories(chosen)]
    asked = {name.lower() for name in names}
    # A name of before is asked about again: another repository may have it by now.
    before = [old for old, name in known.names.items() if name.lower() in asked]
    stale = [name for name in (*names, *before) if not known.is_fresh(name.lower(), now)]
    if access is None or not stale:
        return False, ()
    numbers: dict[str, set[int]] = {}
    for one in linked.values():
        for link in one.pull_requests:
            numbers.setdefault(link.repository.lower(), set()).add(link.number)
    told = ask(access, stale, numbers)
    for one_told in told.repositories:
        known.hear(one_told.asked, one_told.now, one_told.pull_requests, int(now))
    return bool(told.repositories), told.problems
