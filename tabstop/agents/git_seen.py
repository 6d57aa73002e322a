"""Git seen at work: what a shell command and its output tell of commits, branches and pull requests.

For agents whose clients do not note it themselves. Only names and ids are taken from the output; nothing else of it is kept.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from tabstop.evidence import CommitMade, Evidence, PullRequestLink, branch_named, commit_named, repository_named

_HEAD = 64 * 1024
"""Characters of an output that are looked at; git says these things in a line or two."""

_COMMANDS = re.compile(r"\bgit\b[^|;&\n]*\b(commit|checkout|switch|rev-parse)\b|\bgh\s+pr\s+create\b")
_ELSEWHERE = re.compile(r"(?:^|[\s;&|(])(?:cd|pushd)\s|\bgit\s+(?:-C|--git-dir|--work-tree)\b|\bworktree\b")
_BEGINS_IN = re.compile(r"^(?:\S*sh\s+-l?c\s+)?\s*cd\s+(?P<folder>[^;&|\n]+?)\s*(?:&&|;)\s*")
# `[feature/x (root-commit) 1a2b3c4] Subject`, see git-commit(1); `detached HEAD` stands where a branch would.
_COMMITTED = re.compile(
    r"^\[(?P<branch>[^\s\]]+|detached HEAD)(?: \(root-commit\))? (?P<sha>[0-9a-f]{7,64})\] ", re.MULTILINE
)
_SWITCHED = re.compile(r"^Switched to (?:a new |and reset )?branch '(?P<branch>[^']{1,255})'\r?$", re.MULTILINE)
_WHOLE_SHA = re.compile(r"^(?P<sha>[0-9a-f]{40})\r?$", re.MULTILINE)
_PULL_REQUEST = re.compile(r"https://(?P<name>[A-Za-z0-9.-]+/[\w-]+/[\w.-]+)/pull/(?P<number>[1-9]\d{0,8})\b")


class GitSeen:
    """Follows one session's commands. `evidence` is where the next call is made, as far as is known."""

    def __init__(self) -> None:
        """Start knowing nothing."""
        self.evidence = Evidence()
        self._commits: dict[str, CommitMade] = {}
        self._links: dict[tuple[str, int], PullRequestLink] = {}

    @property
    def commits(self) -> tuple[CommitMade, ...]:
        """Those that were seen being made, each once."""
        return tuple(self._commits.values())

    @property
    def pull_requests(self) -> tuple[PullRequestLink, ...]:
        """Those that were seen being opened, each once."""
        return tuple(self._links.values())

    def ran(self, command: str, output: str, at: datetime | None) -> None:
        """A command that ended, and what it printed. A quiet command (`git commit -q`) tells nothing."""
        command, inside = self._said_of_here(command), self._is_inside(command)
        done = {found[1] or "pr" for found in _COMMANDS.finditer(command)}
        if not done:
            return
        printed = output[:_HEAD]
        here = _ELSEWHERE.search(command) is None
        if here and done & {"checkout", "switch"}:
            for found in _SWITCHED.finditer(printed):
                self._on(branch_named(found["branch"]))
        if "commit" in done:
            self._committed(printed, at, here=here, whole="rev-parse" in done)
        if "pr" in done:
            self._opened(printed, at, branch=self.evidence.branch if inside else "")

    def _said_of_here(self, command: str) -> str:
        """Without a `cd` to the folder the session works in anyway: models name it with every command, as their tools ask them to."""
        found = _BEGINS_IN.match(command)
        named = found["folder"].strip("'\"").rstrip("/") if found else ""
        return command[found.end() :] if found and named in {".", self.evidence.folder.rstrip("/") or "."} else command

    def _is_inside(self, command: str) -> bool:
        """Whether it begins in the session's folder or below, as far as can be told."""
        found = _BEGINS_IN.match(command)
        named, own = found["folder"].strip("'\"") if found else "", self.evidence.folder.rstrip("/")
        return not named.startswith(("/", "..", "~")) or not own or f"{named}/".startswith(f"{own}/")

    def _on(self, branch: str) -> None:
        if branch and branch != self.evidence.branch:
            self.evidence = replace(self.evidence, branch=branch, commit="")

    def _committed(self, printed: str, at: datetime | None, *, here: bool, whole: bool) -> None:
        repository = self.evidence.repository if here else ""
        for found in _COMMITTED.finditer(printed):
            branch = branch_named(found["branch"]) if found["branch"] != "detached HEAD" else ""
            self._commits.setdefault(found["sha"], CommitMade(found["sha"], repository, branch, at))
            if here:
                self._on(branch)
                self.evidence = replace(self.evidence, commit=commit_named(found["sha"]))
        # A quiet commit, and then the question what it has become.
        if whole and here and (last := [found["sha"] for found in _WHOLE_SHA.finditer(printed)][-1:]):
            self._commits.setdefault(last[0], CommitMade(last[0], repository, self.evidence.branch, at))
            self.evidence = replace(self.evidence, commit=last[0])

    def _opened(self, printed: str, at: datetime | None, *, branch: str) -> None:
        for found in _PULL_REQUEST.finditer(printed):
            repository, number = repository_named(found["name"]), int(found["number"])
            if repository:
                link = PullRequestLink(repository, number, branch, at)
                self._links.setdefault((repository, number), link)
