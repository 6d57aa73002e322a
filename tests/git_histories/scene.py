"""A scene: people and agents at work in real clones of real repositories, with a clock that each of their acts moves on."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tabstop.agents.homes import Homes
from tabstop.agents.log_files import LogFile, read
from tabstop.attribution import Confidence
from tabstop.beside.checkout import checkout_of
from tabstop.beside.delivery import call_of
from tabstop.beside.sync.run import Wanted, sync
from tabstop.wire import UsageBatch
from tests.git_histories.git import GITHUB, environ_of, git
from tests.git_histories.hub import Hub, Pull, Repository, Webhook
from tests.git_histories.logs import ClaudeCode, Codex, Log, Standing
from tests.git_histories.logs_without_git import Gemini, OpenCode
from tests.git_histories.server import Counter

MORNING = datetime(2026, 11, 16, 8, tzinfo=UTC)
A_WHILE = timedelta(minutes=20)
"""Between two acts: longer than a quarter of an hour, which is what `tabstop cost` counts in."""


@dataclass
class Scene:
    """One history. Every webhook finds a server that the laptop has told all that happened before."""

    folder: Path
    open_counter: Callable[[Hub, datetime], Counter]
    at: datetime = MORNING
    webhooks: list[Webhook] = field(default_factory=list)
    hub: Hub = field(init=False)
    counter: Counter = field(init=False)
    sessions: int = 0
    agents: list[Agent] = field(default_factory=list)
    gone: dict[Path, str] = field(default_factory=dict)
    """Folders that were removed, with their repository."""
    offline: bool = False
    """The laptop tells nothing until the day is over."""
    runs: list[tuple[str, ClaudeCode]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        hub = self.folder / "github.com"
        hub.mkdir()
        self.hub = Hub(hub, lambda: self.at, self._heard)
        self.hub.create("acme/widget")
        self.hub.create("acme/site")
        self.counter = self.open_counter(self.hub, self.at)

    @property
    def home(self) -> Path:
        """Alice's."""
        return self.folder / "alice"

    @property
    def homes(self) -> Homes:
        """Where her agents keep their logs."""
        return Homes.from_environ({"HOME": str(self.home)})

    @property
    def keys(self) -> dict[str, str]:
        """By call, what the product knows it by."""
        return {call: agent.log.key(call) for agent in self.agents for call, _, _ in agent.calls}

    def later(self, minutes: float = 0) -> datetime:
        """Let time pass."""
        self.at += timedelta(minutes=minutes) if minutes else A_WHILE
        return self.at

    def clone(self, name: str = "acme/widget", folder: str = "", *options: str) -> Tree:
        """A clone in her home folder; of a repository's own name unless another is given."""
        path = self.home / (folder or name.partition("/")[2])
        git(
            self.home,
            environ_of(self.at, self.hub.folder),
            "clone",
            "-q",
            "--template=",
            *options,
            f"{GITHUB}{name}",
            str(path),
        )
        return Tree(self, path)

    def fork(self, owner: str = "eve", name: str = "acme/widget") -> str:
        """A fork; answers its name."""
        return self.hub.create(f"{owner}/{name.partition('/')[2]}", parent=name).name

    def clone_of_fork(self, name: str, folder: str = "") -> Tree:
        """As `gh repo fork --clone` leaves it: `upstream` is the repository it came from."""
        tree = self.clone(name, folder)
        tree.git(f"remote add upstream {GITHUB}{self.hub.find(name).parent}")
        return tree

    def claude(self, tree: Tree | None = None) -> Agent:
        """A new session of Claude Code; in a new clone of acme/widget, unless a working tree is given."""
        self.sessions += 1
        return Agent(self, tree or self.clone(), ClaudeCode(self.home, f"claude-{self.sessions}"))

    def codex(self, tree: Tree | None = None) -> Agent:
        """The same of Codex."""
        self.sessions += 1
        return Agent(self, tree or self.clone(), Codex(self.home, f"codex-{self.sessions}"))

    def gemini(self, tree: Tree | None = None) -> Agent:
        """The same of Gemini CLI."""
        self.sessions += 1
        return Agent(self, tree or self.clone(), Gemini(self.home, f"gemini-{self.sessions}"))

    def opencode(self, tree: Tree | None = None) -> Agent:
        """The same of OpenCode."""
        self.sessions += 1
        return Agent(self, tree or self.clone(), OpenCode(self.home, f"ses_{self.sessions}"))

    def run(self, branch: str, confidence: Confidence, reason: str) -> Agent:
        """A workflow run, on a machine of its own with the default branch checked out, as the server has placed it."""
        home = self.folder / f"runner-{len(self.runs) + 1}"
        home.mkdir()
        self.counter.town.at = self.at
        start = {
            "branch": branch,
            "place_confidence": confidence,
            "place_reason": reason,
            "run_id": str(len(self.runs) + 1),
        }
        session = self.counter.run(**start)
        log = ClaudeCode(home, f"run-{len(self.runs) + 1}")
        self.runs.append((session, log))
        tree = self.clone(folder=f"../{home.name}/widget")
        return Agent(self, tree, log)

    # GitHub

    def pull(self, number: int, repository: str = "acme/widget") -> Pull:
        """A pull request, by its repository's name of now."""
        found = [one for one in self.hub.pulls if (one.base_repository.name, one.number) == (repository, number)]
        return found[0]

    def merge(self, number: int, how: str = "merge", *, delete: bool = False) -> None:
        """Somebody presses the button."""
        self.later()
        pull = self.pull(number)
        self.hub.merge(pull, how)
        if delete:
            self.later(1)
            self.hub.delete_branch(pull.head_repository, pull.branch)

    def close(self, number: int) -> None:
        """Somebody closes it."""
        self.later()
        self.hub.close(self.pull(number))

    def reopen(self, number: int) -> None:
        """Somebody reopens it."""
        self.later()
        self.hub.reopen(self.pull(number))

    # The laptop and the runs tell the server

    def sync(self) -> None:
        """A pass of `tabstop sync`, and what the action does at the end of each run."""
        if self.offline:
            return
        self.counter.town.at = self.at
        environ = {"HOME": str(self.home), "TABSTOP_STATE": str(self.folder / "state")}
        environ |= {"TABSTOP_SERVER": self.counter.server.address, "TABSTOP_TOKEN": self.counter.token}
        (passed,) = sync(environ, Wanted(), self.at, lambda _seconds: None, self.counter)
        assert not passed.problem, passed.problem
        for session, log in self.runs:
            self._tell_of_run(session, log)

    def _tell_of_run(self, session: str, log: ClaudeCode) -> None:
        """As the action does from the run's logs: all of it, as often as it likes."""
        if not log.file.exists():
            return
        (reading,) = read(LogFile("claude-code", log.file))
        placed = [
            replace(one, evidence=replace(one.evidence, repository=checkout_of(one.evidence.folder).repository))
            for one in reading.usages
        ]
        batch = UsageBatch(
            calls=tuple(map(call_of, placed)), pull_requests=reading.pull_requests, commits=reading.commits
        )
        self.counter.server.usage(session, batch, token=self.counter.token_of(session))

    def end(self) -> None:
        """The day is over: the laptop tells the rest, and the server does what is due."""
        self.later()
        self.offline = False
        self.sync()
        self.counter.works()
        self.later()
        self.counter.town.at = self.at
        self.counter.works()

    def _heard(self, webhook: Webhook) -> None:
        if not hasattr(self, "counter"):
            return  # before the App was installed
        self.webhooks.append(webhook)
        self.sync()
        self.counter.hears(webhook, self.at)


@dataclass
class Tree:
    """A working tree, and what a person does in it with no agent watching."""

    scene: Scene
    folder: Path
    remote: str = ""

    def git(self, command: str) -> str:
        """Run `git` with these words; answers what it printed."""
        self.scene.later(1)
        return git(self.folder, environ_of(self.scene.at, self.scene.hub.folder), *shlex.split(command))

    def commit(self, subject: str, *options: str) -> str:
        """Change a file that is named after the subject, and commit; answers what git printed."""
        (self.folder / f"{subject}.txt").write_text(f"{subject} {self.scene.at}\n", encoding="utf-8")
        git(self.folder, environ_of(self.scene.at), "add", "-A")
        return self.git(shlex.join(["commit", "-m", subject, *options]))

    def push(self, to: str = "", *options: str) -> str:
        """Push what is checked out, to a branch of its name or of another."""
        branch = to or self.standing().branch
        said = self.git(shlex.join(["push", "-u", *options, "origin", f"HEAD:refs/heads/{branch}"]))
        self.scene.hub.pushed(self.repository, branch)
        return said

    def worktree(self, folder: str, branch: str, start: str = "HEAD") -> Tree:
        """Another working tree of the same clone, on a new branch."""
        path = self.folder.parent / folder
        self.git(shlex.join(["worktree", "add", "-q", "-b", branch, str(path), start]))
        return Tree(self.scene, path)

    def remove(self) -> None:
        """The folder is gone. `tabstop sync` had seen it."""
        self.scene.sync()
        self.scene.gone[self.folder] = checkout_of(str(self.folder)).repository
        shutil.rmtree(self.folder)

    @property
    def repository(self) -> Repository:
        """What its remote leads to."""
        self.standing()
        path = (self.scene.hub.folder / f"{self.remote.removeprefix(GITHUB)}.git").resolve()
        return next(one for one in self.scene.hub.repositories if one.path.resolve() == path)

    def standing(self) -> Standing:
        """As a client would ask. `HEAD` is what git calls the branch where none is checked out."""
        environ = environ_of(self.scene.at)
        said = git(self.folder, environ, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
        told = dict(line[2:].split(" ", 1) for line in said.splitlines() if line.startswith("# "))
        if not self.remote:
            self.remote = git(self.folder, environ, "config", "remote.origin.url").strip()
        branch = told["branch.head"].replace("(detached)", "HEAD")
        return Standing(self.folder, branch, told["branch.oid"], self.remote)


@dataclass
class Agent:
    """A session. What it does with git, its client sees; what it is asked, is a call."""

    scene: Scene
    tree: Tree
    log: Log
    calls: list[tuple[str, Path, datetime]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scene.agents.append(self)

    def call(self, *keys: str) -> None:
        """The model answers, where the session stands now."""
        for key in keys:
            self.scene.later()
            self.log.answered(key, self.scene.at, self.tree.standing())
            self.calls.append((key, self.log.folder(self.tree.folder), self.scene.at))

    def git(self, command: str) -> str:
        """Run git as a tool."""
        return self._seen(f"git {command}", self.tree.git(command))

    def commit(self, subject: str, *options: str) -> None:
        """Commit as a tool."""
        self._seen(shlex.join(["git", "commit", "-m", subject, *options]), self.tree.commit(subject, *options))

    def commits_in(self, tree: Tree, subject: str) -> None:
        """`cd … && git commit`, one command: its client goes on standing where it stood."""
        self._seen(f"cd {tree.folder} && git commit -m {subject}", tree.commit(subject))

    def commits(self, count: int) -> None:
        """Many commits as a tool, each of nothing."""
        here = self.tree.standing()
        for number in range(count):
            subject = f"step-{number}"
            said = self.tree.git(f"commit --allow-empty -m {subject}")
            self.log.ran(f"git commit -m {subject}", said, self.scene.at, here)

    def push(self, to: str = "", *options: str) -> None:
        """Push as a tool."""
        self._seen("git push", self.tree.push(to, *options))

    def opens(self, number: int, branch: str = "", into: str = "main", base: str = "") -> Pull:
        """`gh pr create`: its client sees the address. branch: as it is called at GitHub; the one checked out."""
        self.scene.later()
        head = self.tree.repository
        at = self.scene.hub.find(base or head.parent or head.name)
        pull = self.scene.hub.open(number, at, head, branch or self.tree.standing().branch, into)
        self._seen("gh pr create", f"https://github.com/{at.name}/pull/{number}\n")
        return pull

    def comments_on(self, pull: Pull) -> None:
        """`gh pr comment`: its client notes that pull request as it does one it opens."""
        self.scene.later()
        address = f"https://github.com/{pull.base_repository.name}/pull/{pull.number}#issuecomment-1\n"
        self._seen(f"gh pr comment {pull.number}", address)

    def goes_to(self, tree: Tree) -> None:
        """It works in another folder from now on."""
        self.tree = tree

    def subagent(self, tree: Tree, name: str = "sub1") -> Agent:
        """One of its own, elsewhere."""
        return Agent(self.scene, tree, ClaudeCode(self.scene.home, self.log.session, name))

    def forked(self) -> Agent:
        """A session of OpenCode that begins with a copy of this one."""
        assert isinstance(self.log, OpenCode)
        self.scene.sessions += 1
        return Agent(self.scene, self.tree, self.log.forked(f"ses_{self.scene.sessions}", self.scene.later(1)))

    def _seen(self, command: str, output: str) -> str:
        self.log.ran(command, output, self.scene.at, self.tree.standing())
        return output


def opened_elsewhere(scene: Scene, number: int, branch: str, into: str = "main", **where: Any) -> Pull:
    """A pull request that somebody opens on GitHub's page, with no agent watching."""
    scene.later()
    at = scene.hub.find(where.get("base", "acme/widget"))
    head = scene.hub.find(where.get("head", at.name))
    return scene.hub.open(number, at, head, branch, into)
