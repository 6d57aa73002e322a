"""Imports flow one way: who may know whom, which library lives at which edge, and that everything imports quietly."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.house.source import PACKAGES, ROOT, Module, by_name, modules, pyproject, within

# A package on the left never imports those on the right.
STRANGERS = {
    "tabstop": ("app", "action", "tests", "bench"),
    "app": ("action", "tests", "bench"),
    "action": ("app", "tests", "bench"),
}

# A library on the left is imported only in the folders on the right: the rest of the server knows a Protocol.
# `app.wiring` builds the real things once and may name any of them.
EDGES = {
    "githubkit": ("app.github_api",),
    "slack_sdk": ("app.slack_api",),
    "flask": ("app.web", "app.demo"),
    "werkzeug": ("app.web", "app.demo"),
    "sqlalchemy": ("app.store",),
    "sqlmodel": ("app.store",),
    "alembic": ("app.store",),
    "psycopg": ("app.store",),
    "opentelemetry": ("app.web",),
    "google": ("app.web",),
    "granian": ("app.serving",),
    "aiohttp": ("tabstop.beside.proxy",),
    "multidict": ("tabstop.beside.proxy",),
    "yarl": ("tabstop.beside.proxy",),
    "github": ("action.bring_in_github",),
    "requests": ("action.bring_in_github",),
    "claude_agent_sdk": ("tabstop.library.claude_agent_sdk",),
    "httpx2": ("tabstop.library.httpx2",),
    "langgraph": (),
}

# What a distribution is called where its import name differs.
DISTRIBUTIONS = {
    "backports": "backports.zstd",
    "compression": "backports.zstd",  # the standard library's own from 3.14
    "anyio": "claude-agent-sdk",
    "claude_agent_sdk": "claude-agent-sdk",
    "genai_prices": "genai-prices",
    "github": "pygithub",
    "google": "opentelemetry-proto",  # protobuf
    "jwt": "pyjwt",
    "opentelemetry": "opentelemetry-proto",
    "prometheus_client": "prometheus-client",
    "slack_sdk": "slack-sdk",
    "yaml": "pyyaml",
    # Installed by those that declare them, and used through their public faces.
    "httpx": "githubkit",
    "markdown_it": "rich",
    "markupsafe": "jinja2",
    "multidict": "aiohttp",
    "pydantic_core": "pydantic",
    "requests": "pygithub",
    "sqlalchemy": "sqlmodel",
    "werkzeug": "flask",
    "yarl": "aiohttp",
}


def imports_of(package: str) -> list[tuple[Module, int, str]]:
    return [(m, line, name) for m in modules() if within(m.name, package) for line, name in m.imports()]


@pytest.mark.parametrize("package", STRANGERS)
def test_packages_know_only_what_they_stand_on(package: str) -> None:
    """`tabstop` knows neither `app` nor `action`, and those two never know each other."""
    wrong = [
        f"{m.where}:{line} imports {name}" for m, line, name in imports_of(package) if within(name, *STRANGERS[package])
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", EDGES)
def test_a_library_stays_at_its_edge(library: str) -> None:
    """GitHub's, Slack's, the web's and the database's libraries are each known to one folder."""
    wrong = [
        f"{m.where}:{line} imports {name}"
        for package in PACKAGES
        for m, line, name in imports_of(package)
        if within(name, library) and not within(m.name, "app.wiring", *EDGES[library])
    ]
    assert not wrong, "\n".join(wrong)


def declared(*groups: str) -> set[str]:
    """Names of the distributions pyproject.toml declares for tabstop itself, its extras included, and for these groups."""
    found: Any = pyproject()
    lines: Sequence[str] = [
        *found["project"]["dependencies"],
        *(line for extra in found["project"]["optional-dependencies"].values() for line in extra),
        *(line for group in groups for line in found["dependency-groups"][group]),
    ]
    names: list[str] = [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower() for line in lines]
    return set(names)


@pytest.mark.parametrize(("package", "groups"), [("tabstop", ()), ("app", ("server",)), ("action", ("action",))])
def test_every_library_is_declared(package: str, groups: tuple[str, ...]) -> None:
    """What a package imports is what its people install: nothing comes in by luck."""
    allowed = declared(*groups)
    wrong = [
        f"{m.where}:{line} imports {name}, which pyproject.toml does not declare for {package}"
        for m, line, name in imports_of(package)
        if (top := name.partition(".")[0]) not in {*PACKAGES, *sys.stdlib_module_names, "__future__"}
        and not {top, DISTRIBUTIONS.get(top, top)} & allowed
    ]
    assert not wrong, "\n".join(wrong)


def reach(start: str, known: Mapping[str, Module]) -> dict[str, str]:
    """Every name that importing `start` can import, each with the place that does; packages of a module included."""
    seen: dict[str, str] = {}
    waiting = [(start, "the test")]
    while waiting:
        name, why = waiting.pop()
        if name in seen:
            continue
        seen[name] = why
        parents = [name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1)]
        waiting.extend((parent, name) for parent in parents if parent in known)
        if module := known.get(name):
            waiting.extend((found, f"{module.where}:{line}") for line, found in module.imports())
    return seen


@pytest.mark.parametrize("start", ["action.gate", "action.settle"])
def test_gate_and_settle_need_the_standard_library_only(start: str) -> None:
    """A runner starts them from the action's own path without installing anything."""
    assert start in by_name(), f"{start} is what the runner starts beside a session"
    wrong = [
        f"{why} imports {name}"
        for name, why in reach(start, by_name()).items()
        if name not in by_name() and name.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert not wrong, "\n".join(wrong)


def test_the_gate_starts_without_site_packages() -> None:
    """The same by running it: isolated Python, no site-packages, warnings as errors."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import action.main, action.gate"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", [*PACKAGES, "bench"])
def test_everything_imports_without_a_warning(package: str) -> None:
    """Every module imports beside the locked libraries: a resolver's 'compatible' has been wrong before."""
    names = [m.name for m in modules() if within(m.name, package) and runs_on_import_only(m)]
    program = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def runs_on_import_only(module: Module) -> bool:
    """Not `__main__` modules and Alembic's scripts, which act when they are imported."""
    return not module.name.endswith("__main__") and ".migrations." not in f"{module.name}."
