"""What is committed fits every machine: no path, host or unpinned workflow, hashed locks, a wheel of one package."""

import os
import re
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.source import ROOT

# Split so that this file does not hold what it looks for.
FORBIDDEN = {
    "a folder beside the repository": re.compile(r"\.\./" + "shared"),
    "a package registry's host": re.compile(
        r"registry\.npmjs\.org|registry\.yarnpkg\.com|files\.pythonhosted\.org|(?<![\w.])pypi\.org/simple|deb\.debian\.org"
    ),
    "a private key": re.compile(r"-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}"),
}
OWN_PATH = re.compile(r"(?<![\w/.}~-])/(?:work|root|Users|mnt|opt)/[\w.-]+")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@cache
def committed() -> tuple[Path, ...]:
    """The files git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_committed_names_one_machine(what: str) -> None:
    """A clone works anywhere: what only one machine has is in no file."""
    found = []
    for path in committed():
        text = path.read_bytes().decode("utf-8", "replace")
        found += [
            f"{path.relative_to(ROOT)}: {text[m.start() : m.end() + 40]!r}" for m in FORBIDDEN[what].finditer(text)
        ]
    assert not found, "\n".join(found[:40])


def test_nothing_committed_points_into_this_machine() -> None:
    """Paths in tests and documents are invented: none of them exists where the tests run."""
    found = [
        f"{path.relative_to(ROOT)}: {named}"
        for path in committed()
        for named in set(OWN_PATH.findall(path.read_bytes().decode("utf-8", "replace")))
        if os.access(named, os.F_OK) and path.name != "Dockerfile"
    ]
    assert not found, "\n".join(found[:40])


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda p: p.name)
def test_locks_are_hashed_and_name_no_index(path: Path) -> None:
    """Every requirement is one exact version with its hashes, from whatever index the machine uses."""
    text = path.read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


def test_locks_agree() -> None:
    """What the server and the action run with is what the tests ran with."""
    locks = {p.stem: p.read_text(encoding="utf-8") for p in (ROOT / "requirements").glob("*.txt")}
    pinned = {name: set(re.findall(r"^(\S.*?==[^\s;]+)", text, re.MULTILINE)) for name, text in locks.items()}
    assert pinned["server"] | pinned["action"] <= pinned["dev"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_workflows_start_from_nothing(path: Path) -> None:
    """A workflow grants nothing at the top, and every job asks for what it needs."""
    workflow: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    assert not [name for name, job in workflow["jobs"].items() if "permissions" not in job]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_actions_are_pinned(path: Path) -> None:
    """A foreign action is named by its full commit, with the version beside it for people and for dependabot."""
    used = re.findall(r"uses: *(.+)", path.read_text(encoding="utf-8"))
    foreign = [line for line in used if not line.startswith("./")]
    assert not [line for line in foreign if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)]


def test_the_wheel_holds_tabstop_only(tmp_path: Path) -> None:
    """`app` and `action` never land in anybody's site-packages; the type marker and the licence do."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"tabstop"}
    assert "tabstop/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_image_takes_what_is_there() -> None:
    """Every file that the Dockerfile copies exists, and .dockerignore lets it through."""
    copied = re.findall(r"^COPY (?!--from)(\S+) ", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    let_through = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied
    assert not [name for name in copied if not (ROOT / name).exists() or f"!{name}" not in let_through]


@pytest.mark.parametrize("path", [p for p in committed() if p.suffix == ".md"], ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    """A link to another file of the repository finds it."""
    links = re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    assert not [link for link in links if not (path.parent / link).exists()]
