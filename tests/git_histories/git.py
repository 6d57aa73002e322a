"""Git as the scenes run it: a time and an author for every command, nobody's own settings, no network."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

GITHUB = "https://github.com/"
"""What the remotes of clones say. Only the scenes' own commands are led to folders in its place."""

DAWN = datetime(2026, 11, 16, 6, tzinfo=UTC)
"""When every repository has its first commit."""

_GIT = shutil.which("git") or "git"


def environ_of(at: datetime, hub: Path | None = None, who: str = "Alice") -> Mapping[str, str]:
    """hub: the folder that stands for GitHub."""
    when, mail = f"{int(at.timestamp())} +0000", f"{who.lower()}@acme.example"
    found = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "GIT_AUTHOR_NAME": who,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_AUTHOR_DATE": when,
        "GIT_COMMITTER_NAME": who,
        "GIT_COMMITTER_EMAIL": mail,
        "GIT_COMMITTER_DATE": when,
        "GIT_EDITOR": "true",
    }
    settings = {"protocol.file.allow": "always", "advice.detachedHead": "false", "gc.auto": "0"}
    if hub is not None:
        settings[f"url.{hub.as_uri()}/.insteadOf"] = GITHUB
    found["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (name, value) in enumerate(settings.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def git(folder: Path, environ: Mapping[str, str], *words: str) -> str:
    """What it prints, both streams, as a terminal shows them. Raises `AssertionError` where it fails: the scene is wrong."""
    done = subprocess.run(
        [_GIT, "-C", str(folder), *words],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"git {' '.join(words)} in {folder.name}: {done.stdout}"
    return done.stdout


@cache
def _first() -> tuple[TemporaryDirectory[str], Path]:
    """A bare repository with one commit on main, made once and copied."""
    folder = TemporaryDirectory()
    bare, tree = Path(folder.name) / "bare.git", Path(folder.name) / "tree"
    environ = environ_of(DAWN)
    bare.mkdir()
    git(bare, environ, "init", "-q", "--bare", "--template=", "-b", "main")
    tree.mkdir()
    git(tree, environ, "init", "-q", "--template=", "-b", "main")
    (tree / "README.md").write_text("# Widget\n", encoding="utf-8")
    git(tree, environ, "add", "README.md")
    git(tree, environ, "commit", "-q", "-m", "First")
    git(tree, environ, "push", "-q", str(bare), "main")
    return folder, bare


def first_repository(path: Path) -> None:
    """Put a bare repository with one commit on main there."""
    shutil.copytree(_first()[1], path)
