"""The real agents on this machine: installed from npm at the versions we tried, into a cache that later runs use again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST_INSTALL = 900.0
"""Seconds; the largest package is about 500 MB."""


class NotInstalledError(Exception):
    """npm could not install it; the text says what npm said."""


@dataclass(frozen=True)
class Package:
    """One agent as npm has it. scripts: packages whose install scripts it needs; npm 11 runs none that is not named."""

    name: str
    version: str
    program: str
    scripts: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return f"{self.name.rpartition('/')[2]}-{self.version}"


def cache(environ: Mapping[str, str]) -> Path:
    """Where agents lie."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tabstop" / "agents"


def missing(packages: list[Package], where: Path) -> list[Package]:
    """Those that are not in the cache."""
    return [one for one in packages if not (where / one.folder / "installed").is_file()]


def install(package: Package, where: Path) -> None:
    """Install it beside its place and move it there, so that what was cut off is never taken for whole. Raises `NotInstalledError`."""
    place, draft = where / package.folder, where / f".{package.folder}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    wanted = {
        "private": True,
        "dependencies": {package.name: package.version},
        "allowScripts": dict.fromkeys(package.scripts, True),
    }
    (draft / "package.json").write_text(json.dumps(wanted))
    try:
        _npm(draft, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1")
        if package.scripts:
            _npm(draft, "rebuild", *package.scripts)
        _check(package, draft)
        (draft / "installed").write_text(f"{package.name} {package.version}\n")
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def node() -> str:
    """The Node that runs what is written for it: the system's, else the wheel's."""
    command = [str(ROOT / "scripts" / "npm"), "--which-node"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _check(package: Package, folder: Path) -> None:
    """See that it starts: for npm a platform's program is optional, and it is content without."""
    command = [str(folder / "node_modules" / ".bin" / package.program), "--version"]
    environ = {**os.environ, "PATH": f"{Path(node()).parent}:{os.environ['PATH']}", "HOME": str(folder)}
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"{package.program} does not start: {error}") from error
    if package.version not in done.stdout:
        raise NotInstalledError(f"{package.program} --version says {(done.stdout + done.stderr).strip()[:200]!r}")


def _npm(folder: Path, *arguments: str) -> None:
    command = [str(ROOT / "scripts" / "npm"), *arguments, "--prefix", str(folder), "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_INSTALL, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotInstalledError(f"npm took longer than {LONGEST_INSTALL:.0f} s") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotInstalledError(" ".join(said[:4]) or f"npm ended with {done.returncode}")
