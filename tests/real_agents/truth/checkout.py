"""The checkout of a scene: real git, a bare repository behind it, and the pull requests of its branches at GitHub."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = "acme/widget"
PULLS = {"feature/one": 1, "feature/two": 2}
"""Branches that have a pull request when a scene begins, with its number."""

GH = """#!/bin/sh
case "$2" in
  create) echo https://github.com/acme/widget/pull/3 ;;
  comment) echo "https://github.com/acme/widget/pull/$3#issuecomment-1" ;;
  *) exit 1 ;;
esac
"""
"""GitHub's own program, as far as it is needed: a pull request is opened, or spoken of."""
OPENED = ("feature/three", 3)


@dataclass(frozen=True)
class Checkout:
    """`folder` is the working tree, on main to begin with. What is pushed to GitHub goes to `remote`."""

    folder: Path
    remote: Path

    @classmethod
    def make(cls, home: Path) -> Checkout:
        """One in an empty home, with a branch for each pull request and one commit on it."""
        made = cls(home / "widget", home / "widget.git")
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(made.remote)], check=True, env=_environ(home))
        made.folder.mkdir()
        made.git("init", "-q", "-b", "main")
        for name, value in (("user.name", "Dev"), ("user.email", "dev@example.com"), ("push.default", "current")):
            made.git("config", name, value)
        made.git("remote", "add", "origin", f"https://github.com/{REPOSITORY}.git")
        # Fetching is not led elsewhere, since `git remote -v` would show where to; nobody fetches.
        made.git("config", f"url.{made.remote}.pushInsteadOf", f"https://github.com/{REPOSITORY}.git")
        (made.folder / "README.md").write_text("# Widget\n")
        made.git("add", ".")
        made.git("commit", "-qm", "Begin")
        made.git("push", "-q", "origin", "main")
        for branch in PULLS:
            made.git("switch", "-qc", branch, "main")
            (made.folder / f"{branch.rpartition('/')[2]}.md").write_text("New\n")
            made.git("add", ".")
            made.git("commit", "-qm", f"Begin {branch}")
            made.git("push", "-q", "origin", branch)
        made.git("switch", "-q", "main")
        program = home / "bin" / "gh"
        program.parent.mkdir()
        program.write_text(GH)
        program.chmod(0o755)
        return made

    def git(self, *words: str) -> str:
        """Run git there; what it prints. Raises `CalledProcessError`."""
        done = subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env=_environ(self.folder.parent),
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def branch(self) -> str:
        """Checked out now; empty on a detached head."""
        head = (self.folder / ".git" / "HEAD").read_text().strip()
        return head.removeprefix("ref: refs/heads/") if head.startswith("ref: ") else ""

    def pulls(self) -> dict[str, int]:
        """Branches with a pull request by now, and its number."""
        branch, number = OPENED
        return {
            **PULLS,
            **({branch: number} if branch in self.git("branch", "--format=%(refname:short)").split() else {}),
        }

    def commits(self, branch: str) -> list[str]:
        """Those of a branch that main has not, the newest first."""
        return self.git("rev-list", branch, "^main").split()


def _environ(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home)}
