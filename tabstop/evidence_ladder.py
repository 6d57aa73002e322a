"""The evidence ladder: which tab each call of a session belongs to, why, and how surely. Its rungs, from the firmest down:

1. the run's identity token proves it (a call made elsewhere in such a run still lies there: its log is only a claim),
2. the agent's own client saw the pull request of the branch being opened,
3. a commit made in the session, or the one that was checked out, is in a pull request,
4. the branch that was checked out has a tab,
5. work on the default branch led to a branch later in the same session; where no branch is told, the one before goes on,
6. where the session as a whole was said to be: the issue or comment that started it, its engineer's word.

Somebody's word (`assign`) stands above all of it; the ledger keeps it. What no rung holds keeps its place without a tab.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from tabstop.attribution import AT_THE_END, Attribution, Confidence, Known, KnownPullRequest, Work
from tabstop.default_branches import DefaultBranches
from tabstop.evidence import CommitMade, Evidence, PullRequestLink

_SHORTEST_SHA = 7
_OWN_ONLY = "a run speaks for its own repository only; its log names "
_ANOTHER = "another"


def for_the_runs_page(reason: str) -> str:
    """A run's reason for people who may not know of the repository that its log names."""
    return f"{_OWN_ONLY}{_ANOTHER}" if reason.startswith(_OWN_ONLY) else reason


class _Stay(NamedTuple):
    """A moment at which the session was on a branch of its own. leads: whether work before it was for that branch."""

    at: datetime
    repository: str
    there: Attribution
    leads: bool


_NO_STAYS: tuple[list[_Stay], list[_Stay]] = ([], [])


class Ladder:
    """Places the calls of one session. Built once per session; pure."""

    def __init__(self, work: Work, known: Known) -> None:
        """Sort the session's own evidence, and what is known, by branch."""
        self._work = work
        self._names = known.names
        self._default = DefaultBranches(known)
        self._family = self._default.family
        pulls = sorted(known.pull_requests, key=lambda one: one.number)
        self._pulls = {(one.repository.lower(), one.number): one for one in pulls}
        self._on_branch: dict[tuple[str, str], list[KnownPullRequest]] = {}
        for one in pulls:
            self._on_branch.setdefault((one.repository.lower(), one.branch), []).append(one)
        self._in_pulls: dict[str, list[tuple[str, tuple[tuple[str, int], ...]]]] = {}
        for sha, found in known.commits.items():
            self._in_pulls.setdefault(sha[:_SHORTEST_SHA], []).append((sha, found))
        self._links = sorted(work.links, key=lambda link: (link.at or AT_THE_END, link.repository, link.number))
        self._commits = sorted(work.commits, key=lambda made: (made.at or AT_THE_END, made.sha))
        self._links_on: dict[str, list[PullRequestLink]] = {}
        for link in self._links:
            self._links_on.setdefault(link.branch, []).append(link)
        self._commits_on: dict[tuple[str, str], list[CommitMade]] = {}
        self._commits_by_sha: dict[str, list[CommitMade]] = {}
        for made in self._commits:
            self._commits_on.setdefault((self._name(made.repository), made.branch), []).append(made)
            self._commits_by_sha.setdefault(made.sha[:_SHORTEST_SHA], []).append(made)
        # What a call on a branch belongs to depends on its time only where one was used, linked, or cut in pieces, more than once.
        once = all(len(links) == 1 for branch, links in self._links_on.items() if branch)
        self._timeless = once and all(one.ended_at is None for one in pulls) and len(set(known.commits.values())) <= 1
        self._placed: dict[tuple[str, str], Attribution | None] = {}

    def place(self, at: datetime, evidence: Evidence) -> Attribution:
        """Where a call made at this time belongs."""
        start = self._work.start
        if start.branch and self._stays_where_it_began():
            return start
        repository = self._name(evidence.repository)
        found = self._by_evidence(repository, at, evidence)
        own = start.repository.lower()
        if self._work.own_repository_only and found.repository.lower() != own:
            reason = f"{_OWN_ONLY}{repository or _ANOTHER}"
            return Attribution(start.repository, "", reason, Confidence.REPOSITORY_ONLY)
        return found

    def _stays_where_it_began(self) -> bool:
        """A run that its token proves; and one told of later, by GitHub's record of it: told in time, it had been proven."""
        said = self._work.start.confidence
        return said is Confidence.PROVEN or (said is Confidence.CLAIMED and self._work.own_repository_only)

    def _by_evidence(self, repository: str, at: datetime, evidence: Evidence) -> Attribution:
        branch = evidence.branch
        if branch and not self._default.include(repository, branch, at):
            found = self._on(repository, branch, at)
        elif branch:
            found = (
                (self._on(repository, branch, at) if repository not in self._default else None)
                or self._led_to(repository, branch, at)
                or self._started_by_word(repository)
            )
        else:
            found = (
                self._checked_out(evidence.commit, at)
                or self._went_on(repository, at)
                or (self._led_to(repository, branch, at) if self._came_there_later(at) else None)
                or self._as_started(repository)
                or self._led_to(repository, branch, at)
            )
        return found or self._without_tab(repository, evidence, at)

    def _name(self, repository: str) -> str:
        """As it is called now, in lower case; the session's own where none is told."""
        name = repository.lower() or self._work.start.repository.lower()
        return self._names.get(name, name)

    # A branch of its own

    def _on(self, repository: str, branch: str, at: datetime) -> Attribution | None:
        """A call on a branch that is not the default one; None on a branch outside of the organization without a pull request."""
        if not self._timeless:
            return self._on_then(repository, branch, at)
        key = (repository, branch)
        if key not in self._placed:
            self._placed[key] = self._on_then(repository, branch, at)
        return self._placed[key]

    def _on_then(self, repository: str, branch: str, at: datetime) -> Attribution | None:
        ours = repository in self._default
        own = self._pull_request_of(repository, branch, at)
        # What GitHub says of a commit is firmer than a link that it does not confirm.
        rungs = (self._by_link, self._by_commit) if own is not None else (self._by_commit, self._by_link)
        for rung in rungs:
            found = rung(repository, branch, own, at)
            if found is not None:
                return found
        if own is not None and not ours:
            reason = f"the fork's branch is that of pull request #{own.number}"
            return Attribution(own.repository.lower(), own.branch, reason, Confidence.CLAIMED, own.number)
        if not ours:
            return None
        number = own.number if own else None
        start = self._work.start
        is_over = own is None and start.pull_request is None and (repository, branch) in self._on_branch
        if start.repository.lower() == repository and start.branch == branch and not is_over:
            return replace(start, pull_request=start.pull_request or number)
        return Attribution(repository, branch, "the branch that was checked out", Confidence.CLAIMED, number)

    def _pull_request_of(self, repository: str, branch: str, at: datetime) -> KnownPullRequest | None:
        """The branch's own: the first that had not ended by then. A branch is used again after a merge."""
        if repository in self._default:
            return _of_the_time(self._on_branch.get((repository, branch), ()), at)
        owner, family = repository.partition("/")[0], self._family(repository)
        heads = (one for (base, _), one in self._pulls.items() if self._family(base) == family)
        return _of_the_time((one for one in heads if _is_head(one, owner, branch)), at)

    def _by_link(self, repository: str, branch: str, own: KnownPullRequest | None, at: datetime) -> Attribution | None:
        for link in self._seen_on(repository, branch, at):
            base = self._name(link.repository)
            pull = self._pulls.get((base, link.number))
            reason = f"the agent's own client saw pull request #{link.number} of this branch"
            if own is not None and own is pull:
                return Attribution(base, own.branch, reason, Confidence.VERIFIED, link.number)
            if own is not None or base not in self._default:
                continue
            if pull is not None and not (pull.covers(at) and pull.was_opened(link.at)):
                continue
            # Pushed under another name, or GitHub has not told of it yet.
            return Attribution(base, pull.branch if pull else branch, reason, Confidence.CLAIMED, link.number)
        return None

    def _seen_on(self, repository: str, branch: str, at: datetime) -> list[PullRequestLink]:
        """What was seen on this branch, the newest before the call first, then the first one after it.

        A fork's clone sees pull requests of the repository it came from.
        """
        ours = repository in self._default
        seen = [
            link for link in self._links_on.get(branch, ()) if not ours or self._name(link.repository) == repository
        ]
        before = [link for link in seen if link.at is not None and link.at <= at]
        return [*reversed(before), *(link for link in seen if link not in before)]

    def _by_commit(
        self, repository: str, branch: str, own: KnownPullRequest | None, at: datetime
    ) -> Attribution | None:
        """The commit that came of the call: the first after it, else the last before it."""
        commits = self._commits_on.get((repository, branch), [])
        after = bisect_left(commits, at, key=_made_at)
        for made in (*commits[after:], *reversed(commits[:after])):
            pulls = self._with_commit(made.sha)
            if own is not None:
                if own in pulls:
                    reason = f"a commit of this session is in pull request #{own.number}"
                    return Attribution(own.repository.lower(), own.branch, reason, Confidence.VERIFIED, own.number)
                continue
            pull = next((one for one in pulls if one.covers(at)), None)
            if pull is not None:
                return _in(pull, f"a commit made on {branch} in this session is in pull request #{pull.number}")
        return None

    def _with_commit(self, sha: str) -> list[KnownPullRequest]:
        """The pull requests a commit is in, the oldest first: those stacked on it have it too.

        Not a release's, whose head is the default branch: it has everything, and nobody works on it.
        """
        found = {
            key
            for name, keys in self._in_pulls.get(sha[:_SHORTEST_SHA], ())
            if name.startswith(sha) or sha.startswith(name)
            for key in keys
        }
        pulls = [self._pulls.get((repository.lower(), number)) for repository, number in found]
        worked_on = (one for one in pulls if one is not None and one.branch != self._default.of(one.repository.lower()))
        return sorted(worked_on, key=lambda one: (one.number, one.repository))

    # No branch of its own

    def _checked_out(self, commit: str, at: datetime) -> Attribution | None:
        """A detached head: the branch on which this session made the commit, else a pull request that was open then.

        The default branch's commits are in pull requests too, but in merged ones.
        """
        if not commit:
            return None
        for made in self._commits_by_sha.get(commit[:_SHORTEST_SHA], ()):
            if made.sha.startswith(commit) or commit.startswith(made.sha):
                there = self._anchored(self._name(made.repository), made.branch, at)
                if there is not None:
                    return replace(there, reason="the commit checked out was made on this branch in this session")
        for pull in self._with_commit(commit):
            if pull.covers(at):
                return _in(pull, f"the commit checked out is in pull request #{pull.number}")
        return None

    def _anchored(self, repository: str, branch: str, at: datetime) -> Attribution | None:
        """Where a branch of its own belongs; None for the default one or none."""
        of_its_own = branch and not self._default.include(repository, branch, at)
        return self._on(repository, branch, at) if of_its_own else None

    def _went_on(self, repository: str, at: datetime) -> Attribution | None:
        """Where no branch is told, the one the session was on before goes on; on the one it began on nothing is concluded."""
        stays, _ = self._stays.get(self._family(repository), _NO_STAYS)
        number = bisect_right(stays, at, key=_when)
        if number == 0:
            return None
        there, start = stays[number - 1].there, self._work.start
        if (there.repository, there.branch) == (start.repository.lower(), start.branch):
            return start
        return _inferred(stays[number - 1], "no branch is told; the session was on", "before")

    def _led_to(self, repository: str, branch: str, at: datetime) -> Attribution | None:
        """Work on the default branch, or on none, belongs to the branch where the session next commits or has a pull request."""
        _, leads = self._stays.get(self._family(repository), _NO_STAYS)
        number = bisect_left(leads, at, key=_when)
        if number == len(leads):
            return None
        told = f"work on {branch}" if branch else "work on no branch that is told"
        return _inferred(leads[number], f"{told} that led to", "in this session")

    def _as_started(self, repository: str) -> Attribution | None:
        start = self._work.start
        return start if start.branch and start.repository.lower() == repository else None

    def _came_there_later(self, at: datetime) -> bool:
        """Whether the session's own calls say that it was not yet on the branch that its start named."""
        start = self._work.start
        stays, _ = self._stays.get(self._family(start.repository.lower()), _NO_STAYS)
        on_it = (stay.at for stay in stays if stay.there.branch == start.branch)
        return next(on_it, at) > at

    def _started_by_word(self, repository: str) -> Attribution | None:
        """A comment on a pull request starts a run on the default branch; a laptop's start names what was checked out then."""
        start = self._as_started(repository)
        return start if start is not None and start.confidence is not Confidence.CLAIMED else None

    def _without_tab(self, repository: str, evidence: Evidence, at: datetime) -> Attribution:
        start, branch = self._work.start, evidence.branch
        if repository in self._default or (repository and repository == start.repository.lower()):
            says_more = (branch or evidence.repository) and not self._work.own_repository_only
            if not start.branch and start.repository.lower() == repository and not says_more:
                return start
            which = "a former" if self._default.has_ceased(repository, branch, at) else "the"
            told = f"work on {branch}, {which} default branch," if branch else "no branch is told, and the session"
            reason = f"{told} led to no pull request"
            return Attribution(repository, "", reason, Confidence.REPOSITORY_ONLY)
        where = f"{repository} is none of the organization's repositories" if repository else "no repository is named"
        if self._work.has_engineer:
            return Attribution("", "", where, Confidence.ENGINEER_ONLY)
        return Attribution("", "", where, Confidence.UNATTRIBUTED)

    # When the session was where

    @cached_property
    def _stays(self) -> dict[str, tuple[list[_Stay], list[_Stay]]]:
        """All, and those that lead; in order of time, by family: a fork's clone is one with its repository."""
        stays: dict[str, tuple[list[_Stay], list[_Stay]]] = {}
        told = [*self._stays_of_calls(), *self._stays_of_commits(), *self._stays_of_links(), *self._stay_at_the_end()]
        for stay in sorted(told, key=lambda one: (one.at, one.there.repository, one.there.branch, one.leads)):
            every, leads = stays.setdefault(self._family(stay.repository), ([], []))
            every.append(stay)
            if stay.leads:
                leads.append(stay)
        return stays

    def _stays_of_calls(self) -> Iterator[_Stay]:
        """A branch that was only looked at leads nowhere; one with a pull request was worked on."""
        for at, evidence in self._work.calls:
            repository = self._name(evidence.repository)
            there = self._anchored(repository, evidence.branch, at)
            if there is not None:
                yield _Stay(at, repository, there, there.pull_request is not None)

    def _stays_of_commits(self) -> Iterator[_Stay]:
        """A branch without a pull request, on which no call was made, may be another repository's: `cd ../site && git commit`."""
        start = self._work.start
        stood_on = {(self._name(told.repository), told.branch) for _, told in self._work.calls}
        stood_on.add((start.repository.lower(), start.branch))
        for made in self._commits:
            at, repository = made.at or AT_THE_END, self._name(made.repository)
            there = self._anchored(repository, made.branch, at)
            pull = next((one for one in self._with_commit(made.sha) if one.covers(at)), None)
            if there is not None and there.pull_request is None and (repository, made.branch) not in stood_on:
                there = None
            if there is None and pull is not None:
                there = _in(pull, f"a commit of this session is in pull request #{pull.number}")
            if there is not None:
                yield _Stay(at, repository, there, leads=True)

    def _stay_at_the_end(self) -> Iterator[_Stay]:
        own = self._work.start.repository.lower()
        there = self._anchored(own, self._work.ended_on, AT_THE_END)
        if there is not None:
            yield _Stay(AT_THE_END, own, there, leads=True)

    def _stays_of_links(self) -> Iterator[_Stay]:
        """A link counts by its pull request's head; the branch checked out then may be the default one, or none."""
        for link in self._links:
            at, repository = link.at or AT_THE_END, self._name(link.repository)
            pull = self._pulls.get((repository, link.number))
            branch = pull.branch if pull else link.branch
            elsewhere = link.branch not in {"", branch.rpartition(":")[2]}
            if (
                pull
                and elsewhere
                and not (self._default.include(repository, link.branch, at) or pull.was_opened(link.at))
            ):
                continue  # a word on it, from a branch with work of its own
            if repository in self._default and branch and not self._default.include(repository, branch, at):
                reason = f"the agent's own client saw pull request #{link.number}"
                confidence = Confidence.VERIFIED if pull else Confidence.CLAIMED
                there = Attribution(repository, branch, reason, confidence, link.number)
                yield _Stay(at, repository, there, leads=True)


def _of_the_time(pulls: Iterable[KnownPullRequest], at: datetime) -> KnownPullRequest | None:
    """The first that had not ended by then; the newest for what is told without a time."""
    found = [one for one in pulls if one.covers(at)]
    return found[-1 if at == AT_THE_END else 0] if found else None


def _inferred(stay: _Stay, why: str, when: str) -> Attribution:
    branch_at = None if stay.at == AT_THE_END else stay.at
    reason = f"{why} {stay.there.branch} {when}"
    return replace(stay.there, reason=reason, confidence=Confidence.INFERRED, branch_at=branch_at)


def _when(stay: _Stay) -> datetime:
    return stay.at


def _made_at(commit: CommitMade) -> datetime:
    return commit.at or AT_THE_END


def _is_head(pull: KnownPullRequest, owner: str, branch: str) -> bool:
    fork, _, name = pull.branch.partition(":")
    return (fork.lower(), name) == (owner, branch)


def _in(pull: KnownPullRequest, reason: str) -> Attribution:
    return Attribution(pull.repository.lower(), pull.branch, reason, Confidence.VERIFIED, pull.number)
