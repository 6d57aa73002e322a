"""GitHub, as far as git histories go: bare repositories, pull requests on them, webhooks, and which commit is in what.

What GitHub answers is read from the bare repositories; a pull request's head is kept at `refs/pull/N/head` after its branch is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from app.github_api import answers
from app.github_api.fake import FakeGitHub, FakeInstallation
from app.github_api.protocol import RemotePullRequest, RemoteRepository
from tests.git_histories.git import environ_of, first_repository, git
from tests.jobs.town import ACME, INSTALLATION

Webhook = tuple[str, dict[str, Any]]
"""Event and body."""


@dataclass
class Repository:
    """A bare repository. parent: of a fork, the one it came from."""

    github_id: int
    name: str
    path: Path
    default: str = "main"
    parent: str = ""
    former: tuple[str, ...] = ()

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self.name.partition("/")[0]

    @property
    def remote(self) -> RemoteRepository:
        """As GitHub's API has it."""
        return RemoteRepository(self.github_id, self.name, self.default, private=False)


@dataclass
class Pull:
    """A pull request. commits: its own, by the base it has; introduced: those its merge brought to the base."""

    number: int
    base_repository: Repository
    head_repository: Repository
    branch: str
    base: str
    opened_at: datetime
    updated_at: datetime
    state: str = "open"
    ended_at: datetime | None = None
    head: str = ""
    commits: frozenset[str] = frozenset()
    introduced: frozenset[str] = frozenset()


@dataclass
class Hub:
    """All of GitHub. now: the scene's clock. hear: is told of every webhook."""

    folder: Path
    now: Callable[[], datetime]
    hear: Callable[[Webhook], None]
    repositories: list[Repository] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)

    def create(self, name: str, parent: str = "") -> Repository:
        """A repository with one commit, or a fork."""
        path = self.folder / f"{name}.git"
        found = Repository(100 * (len(self.repositories) + 1), name, path, parent=parent)
        if parent:
            git(self.folder, self.environ, "clone", "-q", "--bare", str(self.find(parent).path), str(path))
        else:
            first_repository(path)
        self.repositories.append(found)
        if not parent:
            installation = {"id": INSTALLATION, "account": ACME}
            body = {
                "action": "added",
                "installation": installation,
                "repositories_added": [],
                "repositories_removed": [],
            }
            self.hear(("installation_repositories", body))
        return found

    def find(self, name: str) -> Repository:
        """By its name of now, or one it went by: GitHub leads that to it until somebody else has the name."""
        named = [one for one in self.repositories if one.name == name]
        return (named or [one for one in self.repositories if name in one.former])[0]

    def has(self, name: str) -> bool:
        """Whether `find` would find one."""
        return any(name in (one.name, *one.former) for one in self.repositories)

    @property
    def environ(self) -> Any:
        """Of git on GitHub's machines."""
        return environ_of(self.now(), who="GitHub")

    def git(self, repository: Repository, *words: str) -> str:
        """A command in a bare repository."""
        return git(repository.path, self.environ, *words).strip()

    # Pull requests

    def open(self, number: int, base: Repository, head: Repository, branch: str, into: str) -> Pull:
        """Open one."""
        assert all((one.base_repository, one.number) != (base, number) for one in self.pulls)
        pull = Pull(number, base, head, branch, into, self.now(), self.now())
        self.pulls.append(pull)
        self._look_at(pull)
        self._tell("opened", pull)
        return pull

    def pushed(self, repository: Repository, branch: str) -> None:
        """Open pull requests of a branch that was pushed to follow it."""
        for pull in self.pulls:
            if pull.state == "open" and (pull.head_repository, pull.branch) == (repository, branch):
                self._look_at(pull)
                self._tell("synchronize", pull)

    def close(self, pull: Pull) -> None:
        """Without a merge."""
        self._end(pull, "closed")

    def reopen(self, pull: Pull) -> None:
        """Go on with a closed one."""
        pull.state, pull.ended_at = "open", None
        self._look_at(pull)
        self._tell("reopened", pull)

    def merge(self, pull: Pull, how: str = "merge") -> None:
        """how: `merge`, `squash` or `rebase`, as GitHub's button says. The branch stays."""
        at, target = pull.base_repository, f"refs/heads/{pull.base}"
        before = self.git(at, "rev-parse", target)
        if how == "rebase":
            tree = self.folder / "rebasing"
            self.git(at, "worktree", "add", "-q", "--detach", str(tree), target)
            git(tree, self.environ, "cherry-pick", f"{before}..{pull.head}")
            after = git(tree, self.environ, "rev-parse", "HEAD").strip()
            self.git(at, "worktree", "remove", str(tree))
        else:
            content = self.git(at, "merge-tree", "--write-tree", before, pull.head)
            parents = ["-p", before, *(["-p", pull.head] if how == "merge" else [])]
            after = self.git(at, "commit-tree", content, *parents, "-m", f"Merge #{pull.number}")
        self.git(at, "update-ref", target, after)
        pull.introduced = frozenset(self.git(at, "rev-list", f"{before}..{after}").split())
        self._end(pull, "merged")

    def retarget(self, pull: Pull, base: str) -> None:
        """Change its base."""
        pull.base = base
        self._look_at(pull)
        self._tell("edited", pull)

    def delete_branch(self, repository: Repository, branch: str) -> None:
        """Pull requests into it go to the default branch, as GitHub does after a merge."""
        self.git(repository, "update-ref", "-d", f"refs/heads/{branch}")
        self._retarget_all(repository, branch)

    def rename_branch(self, repository: Repository, old: str, new: str) -> None:
        """On GitHub's page of branches: open pull requests of it are closed."""
        self.git(repository, "branch", "-m", old, new)
        for pull in self.pulls:
            if pull.state == "open" and (pull.head_repository, pull.branch) == (repository, old):
                self.close(pull)

    def switch_default(self, repository: Repository, name: str, *, rename: bool = False) -> None:
        """Another default branch; or the same, with another name: pull requests into it then go to the new name."""
        old, repository.default = repository.default, name
        if rename:
            self.rename_branch(repository, old, name)
        self.git(repository, "symbolic-ref", "HEAD", f"refs/heads/{name}")
        body = {"changes": {"default_branch": {"from": old}}}
        self.hear(("repository", {"action": "edited", **body, **self._about(repository)}))
        if rename:
            self._retarget_all(repository, old)

    def rename(self, repository: Repository, name: str) -> None:
        """Rename a repository, or give it to another owner."""
        old, repository.name = repository.name, name
        repository.former += (old,)
        path = self.folder / f"{name}.git"
        path.parent.mkdir(exist_ok=True)
        before = repository.path
        repository.path = before.rename(path)
        before.symlink_to(path)  # GitHub leads the old name to the new one
        if not repository.parent:  # the App is not installed on a fork
            body = {"changes": {"repository": {"name": {"from": old.partition("/")[2]}}}}
            self.hear(("repository", {"action": "renamed", **body, **self._about(repository)}))

    def delete(self, repository: Repository) -> None:
        """Delete a repository."""
        self.repositories.remove(repository)
        self.hear(("repository", {"action": "deleted", **self._about(repository)}))

    # What the API says

    def remote(self, pull: Pull) -> RemotePullRequest:
        """A pull request as the API has it."""
        return answers.pull_request(self.body(pull))

    def body(self, pull: Pull) -> dict[str, Any]:
        """A pull request in GitHub's JSON, by the fields that count here."""
        base, head = pull.base_repository, pull.head_repository
        ended = pull.ended_at.isoformat() if pull.ended_at else None
        return {
            "number": pull.number,
            "title": f"Change {pull.number}",
            "state": "open" if pull.state == "open" else "closed",
            "merged": pull.state == "merged",
            "draft": False,
            "created_at": pull.opened_at.isoformat(),
            "updated_at": pull.updated_at.isoformat(),
            "closed_at": ended,
            "merged_at": ended if pull.state == "merged" else None,
            "user": {"id": 1, "login": "alice", "type": "User"},
            "head": {
                "sha": pull.head,
                "ref": pull.branch,
                "repo": {"id": head.github_id, "full_name": head.name},
                "user": {"login": head.owner},
            },
            "base": {"ref": pull.base, "repo": {"id": base.github_id, "full_name": base.name}},
        }

    def pulls_of_commit(self, name: str, sha: str) -> Iterator[Pull]:
        """See docs.github.com, "List pull requests associated with a commit".

        The merged one that introduced it; of a commit that is not in the default branch the open and merged ones that have it.
        Nothing for a fork's commits (github.com/pulumi/registry/issues/12160).
        """
        repository = self.find(name)
        here = [pull for pull in self.pulls if pull.base_repository is repository]
        whole = self.git(repository, "rev-list", "--all").split()
        found = [one for one in whole if one.startswith(sha)]
        if len(found) != 1:
            return
        in_default = found[0] in self.git(repository, "rev-list", repository.default).split()
        for pull in here:
            if in_default:
                if found[0] in pull.introduced and pull.base == repository.default:
                    yield pull
            elif pull.state != "closed" and found[0] in pull.commits and pull.head_repository is repository:
                yield pull

    def _retarget_all(self, repository: Repository, gone: str) -> None:
        for pull in self.pulls:
            if pull.state == "open" and (pull.base_repository, pull.base) == (repository, gone):
                self.retarget(pull, repository.default)

    def _look_at(self, pull: Pull) -> None:
        at = pull.base_repository
        ref = f"refs/pull/{pull.number}/head"
        if pull.head_repository is at:
            self.git(at, "update-ref", ref, f"refs/heads/{pull.branch}")
        else:
            self.git(at, "fetch", "-q", str(pull.head_repository.path), f"+refs/heads/{pull.branch}:{ref}")
        pull.head = self.git(at, "rev-parse", ref)
        pull.commits = frozenset(self.git(at, "rev-list", f"{pull.base}..{ref}").split())

    def _end(self, pull: Pull, state: str) -> None:
        pull.state, pull.ended_at = state, self.now()
        self._tell("closed", pull)

    def _tell(self, action: str, pull: Pull) -> None:
        pull.updated_at = self.now()
        body = {"action": action, "number": pull.number, "pull_request": self.body(pull)}
        self.hear(("pull_request", {**body, **self._about(pull.base_repository)}))

    def _about(self, repository: Repository) -> dict[str, Any]:
        owner = {"id": 4, "login": repository.owner, "type": "Organization"}
        remote = repository.remote
        about = {
            "id": remote.github_id,
            "full_name": remote.full_name,
            "name": remote.full_name.partition("/")[2],
            "default_branch": remote.default_branch,
            "private": remote.private,
            "updated_at": self.now().isoformat(),
            "owner": owner,
        }
        return {"repository": about, "sender": {"id": 1, "login": "alice", "type": "User"}}


@dataclass
class GitHubOfHub(FakeGitHub):
    """`FakeGitHub` that knows repositories and pull requests from a hub, as they are when it is asked."""

    hub: Hub | None = None

    def installation(self, installation_id: int) -> FakeInstallation:
        """See `FakeGitHub`."""
        hub = self.hub
        assert hub is not None
        owner = self.accounts[installation_id][1]
        self.repositories[installation_id] = {
            one.name: one.remote for one in hub.repositories if one.owner == owner and not one.parent
        }
        self.pull_requests = {(one.base_repository.name, one.number): hub.remote(one) for one in hub.pulls}
        return _Installation(installation_id, self)


@dataclass(frozen=True)
class _Installation(FakeInstallation):
    """An old name leads to the repository, as the API's redirects do."""

    def repository(self, full_name: str) -> RemoteRepository | None:
        return super().repository(self._now(full_name))

    def pull_request(self, full_name: str, number: int) -> RemotePullRequest | None:
        return super().pull_request(self._now(full_name), number)

    def pull_requests_of_commit(self, full_name: str, sha: str) -> Iterator[RemotePullRequest]:
        self.github.asked()
        hub = self._hub
        for pull in hub.pulls_of_commit(full_name, sha) if hub.has(full_name) else ():
            yield hub.remote(pull)

    @property
    def _hub(self) -> Hub:
        assert isinstance(self.github, GitHubOfHub)
        assert self.github.hub is not None
        return self.github.hub

    def _now(self, full_name: str) -> str:
        return self._hub.find(full_name).name if self._hub.has(full_name) else full_name
