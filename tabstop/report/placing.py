"""Placing: which pull request, branch or repository each group of calls on this machine belongs to, why and how surely.

The rungs are those of `tabstop.evidence_ladder`; here every repository counts as one's own, and what the logs leave out is taken
from local git: the repository of a folder, the branch that was checked out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import NamedTuple

import msgspec

from tabstop.attribution import AT_THE_END, Attribution, Confidence, Known, KnownPullRequest, Work
from tabstop.evidence import ASK_GIT_WITH_EVERY_CALL, CommitMade, Evidence, PullRequestLink
from tabstop.evidence_ladder import Ladder
from tabstop.report.facts import Facts
from tabstop.usage_groups import QUARTER, UsageGroup

USUAL_DEFAULTS = ("main", "master", "trunk", "develop")
"""What a default branch is called where nobody tells."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_NOWHERE = Attribution("", "", "", Confidence.UNATTRIBUTED)


class Linked(NamedTuple):
    """What one session tells of pull requests and commits, beside its calls."""

    pull_requests: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()


class Placed(msgspec.Struct, frozen=True):
    """A group of calls and where it belongs. repository: empty for none; branch: empty for none of its own.

    checked_out: the branch it was made on, as its log or git tells; empty where neither does.
    """

    group: UsageGroup
    repository: str
    branch: str
    pull_request: int | None
    confidence: Confidence
    reason: str
    checked_out: str


def place(groups: Iterable[UsageGroup], linked: Mapping[tuple[str, str], Linked], facts: Facts) -> list[Placed]:
    """Place every group. linked: by (agent, session)."""
    return _Placing(list(groups), linked, facts).placed()


class _Placing:
    def __init__(self, groups: list[UsageGroup], linked: Mapping[tuple[str, str], Linked], facts: Facts) -> None:
        self._facts = facts
        self._linked = linked
        self._sessions: dict[tuple[str, str], list[UsageGroup]] = {}
        for group in groups:
            self._sessions.setdefault((group.agent, group.session), []).append(group)
        self._names = {name: one.name for name, one in facts.repositories.items()}
        self._by_sessions = self._folders_by_sessions()
        self._evidence: dict[tuple[str, ...], tuple[Evidence, bool]] = {}
        self._confirmed = {(one.repository.lower(), one.number) for one in facts.pull_requests}

    def placed(self) -> list[Placed]:
        told = {key: [self._told(one) for one in groups] for key, groups in self._sessions.items()}
        known = self._known(told)
        found = []
        for key, groups in self._sessions.items():
            links, commits = self._linked.get(key, Linked())
            calls = tuple((group.at, evidence) for group, (evidence, _) in zip(groups, told[key], strict=True))
            ladder = Ladder(Work(start=_NOWHERE, calls=calls, links=links, commits=commits), known)
            seen: dict[tuple[str, str, str, int], Attribution] = {}
            for group, (evidence, guessed) in zip(groups, told[key], strict=True):
                spot = (evidence.repository, evidence.branch, evidence.commit, group.began)
                if spot not in seen:
                    seen[spot] = self._settled(ladder.place(group.at, evidence), evidence, guessed=guessed)
                found.append(self._as_placed(group, seen[spot], evidence.branch))
        return found

    def _told(self, group: UsageGroup) -> tuple[Evidence, bool]:
        """What the log says, completed by git; whether the branch is git's word."""
        branch = self._branch_of(group)
        guessed = branch != group.branch
        key = (group.repository, branch, group.commit, group.folder)
        if branch and not guessed and key in self._evidence:
            return self._evidence[key]
        repository = (
            group.repository or self._facts.folders.get(group.folder) or self._by_sessions.get(group.folder, "")
        )
        if not repository and group.branch:  # a working tree that is gone, and that nobody can name
            repository = self._facts.elsewhere.get(group.folder, "")
        self._names.setdefault(repository.lower(), repository)
        told = Evidence(repository, branch, group.commit, group.folder), guessed
        if not guessed:
            self._evidence[key] = told
        return told

    def _branch_of(self, group: UsageGroup) -> str:
        """As told, or by git's own log: it is asked where none is told, and stands over what a client saw of an earlier switch."""
        checkouts = self._facts.checkouts.get(group.folder)
        if checkouts is None or (group.branch and group.agent in ASK_GIT_WITH_EVERY_CALL):
            return group.branch
        if not group.branch:
            return checkouts.at(group.began)
        return checkouts.all_along(group.began, group.began + QUARTER - 1) or group.branch

    def _folders_by_sessions(self) -> dict[str, str]:
        """Folders whose sessions name one repository, and no other.

        In their calls there; by calls on the same branch, in a folder around it; or else in the pull requests they saw.
        """
        said: dict[str, set[str]] = {}
        around: dict[str, set[str]] = {}
        seen: dict[str, set[str]] = {}
        known = self._facts.folders
        for key, groups in self._sessions.items():
            links = {link.repository for link in self._linked.get(key, Linked()).pull_requests}
            spots = {(one.branch, one.folder, one.repository) for one in groups if one.folder}
            there = {(branch, folder): known[folder] for branch, folder, _ in spots if branch and folder in known}
            for branch, folder, repository in spots:
                if folder in known:
                    continue
                if repository:
                    said.setdefault(folder, set()).add(repository)
                above = PurePosixPath(folder).parents if there else ()
                if found := next(filter(None, (there.get((branch, str(one))) for one in above)), ""):
                    around.setdefault(folder, set()).add(found)
                seen.setdefault(folder, set()).update(links)
        return {folder: next(iter(names)) for folder, names in {**seen, **around, **said}.items() if len(names) == 1}

    def _known(self, told: Mapping[tuple[str, str], list[tuple[Evidence, bool]]]) -> Known:
        branches: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for evidences in told.values():
            for evidence, _ in evidences:
                branches[evidence.repository.lower()][evidence.branch] += 1
        branches.pop("", None)
        defaults = {name: self._default_of(name, used) for name, used in branches.items()}
        for link in (link for one in self._linked.values() for link in one.pull_requests):
            name = link.repository.lower()
            self._names.setdefault(name, link.repository)
            defaults.setdefault(name, self._default_of(name, Counter()))
        for one in self._facts.pull_requests:
            name = one.repository.lower()
            defaults[name] = one.default_branch or defaults.get(name, USUAL_DEFAULTS[0])
        for fork in self._forks(told):
            defaults.pop(fork, None)
        pulls = tuple(self._pull_requests(defaults))
        return Known(default_branches=defaults, pull_requests=pulls, former_defaults=self._former(defaults))

    def _former(self, defaults: Mapping[str, str]) -> dict[str, dict[str, datetime]]:
        """What a clone was told the default branch is, where GitHub says otherwise now; since when, nobody tells."""
        told = {name: one.default_branch for name, one in self._facts.repositories.items() if one.default_branch}
        return {name: {told[name]: _LONG_AGO} for name in told.keys() & defaults.keys() if told[name] != defaults[name]}

    def _default_of(self, name: str, used: Counter[str]) -> str:
        repository = self._facts.repositories.get(name)
        if repository is not None and repository.default_branch:
            return repository.default_branch
        have = repository.branches if repository is not None and repository.branches else used.keys()
        return next((one for one in USUAL_DEFAULTS if one in have), USUAL_DEFAULTS[0])

    def _forks(self, told: Mapping[tuple[str, str], list[tuple[Evidence, bool]]]) -> set[str]:
        """Repositories whose pull requests are in another of the same name."""
        forks = {name for name, one in self._facts.repositories.items() if one.fork_of and one.fork_of.lower() != name}
        own = {link.repository.lower() for one in self._linked.values() for link in one.pull_requests}
        for key, one in self._linked.items():
            bases = {link.repository.lower() for link in one.pull_requests}
            here = {evidence.repository.lower() for evidence, _ in told.get(key, ())}
            forks |= {name for name in here - own for base in bases if name.partition("/")[2] == base.partition("/")[2]}
        return forks - own

    def _pull_requests(self, defaults: Mapping[str, str]) -> Iterable[KnownPullRequest]:
        """GitHub's; of those it did not tell of, what the agents' own clients saw."""
        for one in self._facts.pull_requests:
            yield KnownPullRequest(one.repository, one.number, one.branch, one.ended_at, one.opened_at)
        seen: dict[tuple[str, str], dict[int, PullRequestLink]] = {}
        for link in (link for one in self._linked.values() for link in one.pull_requests):
            name = link.repository.lower()
            if (name, link.number) in self._confirmed or link.branch in {"", defaults.get(name)}:
                continue
            on_branch = seen.setdefault((name, link.branch), {})
            before = on_branch.get(link.number)
            if before is None or (link.at or AT_THE_END) < (before.at or AT_THE_END):
                on_branch[link.number] = link
        for on_branch in seen.values():
            links = sorted(on_branch.values(), key=lambda link: link.number)
            for link, later in zip(links, [*links[1:], None], strict=True):
                # A branch has one open pull request at a time: when the next was seen, this one had ended.
                yield KnownPullRequest(link.repository, link.number, link.branch, later.at if later else None)

    def _settled(self, found: Attribution, evidence: Evidence, *, guessed: bool) -> Attribution:
        """The ladder's word, as far as it can be had without a server."""
        if not found.repository and evidence.repository:
            default = self._default_of(evidence.repository.lower(), Counter())
            branch = "" if evidence.branch == default else evidence.branch
            confidence = Confidence.CLAIMED if branch else Confidence.REPOSITORY_ONLY
            told = "the branch that was checked out" if branch else f"work on {evidence.branch or 'no branch'}"
            found = Attribution(evidence.repository, branch, told, confidence)
        if not found.repository:
            where = "no repository is known for the folder" if evidence.folder else "the log names no folder"
            return replace(found, reason=where, confidence=Confidence.UNATTRIBUTED)
        number = found.pull_request
        if guessed and found.branch == evidence.branch:
            return replace(found, reason="git had this branch checked out then", confidence=Confidence.INFERRED)
        if found.confidence is Confidence.VERIFIED and (found.repository.lower(), number) not in self._confirmed:
            return replace(found, confidence=Confidence.CLAIMED)
        return found

    def _as_placed(self, group: UsageGroup, found: Attribution, checked_out: str) -> Placed:
        repository = self._names.get(found.repository.lower(), found.repository)
        return Placed(group, repository, found.branch, found.pull_request, found.confidence, found.reason, checked_out)


def linked_repositories(placed: Iterable[Placed]) -> list[str]:
    """The repositories (`owner/name`) with work on a branch of its own, the one with most calls first."""
    counted: Counter[str] = Counter()
    for one in placed:
        if one.branch and _on_github(one.repository):
            counted[one.repository] += one.group.calls
    return [name for name, _ in counted.most_common()]


def _on_github(repository: str) -> bool:
    """Whether it has a name that GitHub could know: two parts, and no folder."""
    return repository.count("/") == 1 and not repository.startswith(("~", "/"))
