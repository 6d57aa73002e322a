"""The core takes values and gives values: no clock, environment, file, network or database behind its back."""

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.house.source import Module, modules, walk_at_run_time, within

# Modules that compute and touch nothing. What is missing here is missing on purpose: os, time, pathlib, socket, random …
PURE = {
    "__future__", "abc", "array", "base64", "binascii", "bisect", "calendar", "collections", "contextlib", "copy", "dataclasses",
    "datetime", "decimal", "difflib", "enum", "fnmatch", "fractions", "functools", "graphlib", "hashlib", "heapq", "hmac",
    "html", "itertools", "json", "math", "numbers", "operator", "re", "statistics", "string", "struct", "textwrap",
    "types", "typing", "unicodedata", "urllib.parse", "uuid", "zlib", "zoneinfo",
}  # fmt: skip
PURE_LIBRARIES = {"genai_prices", "msgspec", "pydantic", "pydantic_core", "yaml"}  # bundled data and parsing

# Readers of agents' logs are handed paths and open files.
# importlib: a reader is loaded when it is asked for, and what it needs may be missing.
READS_FILES = {"errno", "gzip", "importlib", "io", "os", "os.path", "pathlib", "sqlite3", "stat"}

# Calls that ask the world, by the name they end in; `uuid1`, `uuid4` and the like draw random bytes.
ASKS = {"now", "utcnow", "today", "getenv", "urandom", "uuid1", "uuid4", "monotonic", "perf_counter"}
ASKS_BARE = {"open", "print", "input", "exec", "eval", "__import__"}
ATTRIBUTES = {"environ", "environb"}


def is_core(module: Module) -> bool:
    """tabstop/*.py, the policy and the governor."""
    return within(module.name, "tabstop.policy", "tabstop.governor") or (
        within(module.name, "tabstop") and module.path.parent.name == "tabstop"
    )


CORE = [m for m in modules() if is_core(m)]
READERS = [m for m in modules() if within(m.name, "tabstop.agents")]


def impurities(module: Module, allowed: set[str]) -> Iterator[str]:
    """What a module imports or calls that is not a computation, each with its line."""
    for line, name in module.imports():
        top = name.partition(".")[0]
        if top == "tabstop":
            if within(name, "tabstop.beside", "tabstop.cli"):
                yield f"{module.where}:{line} imports {name}, which has effects"
        elif not {name, top} & (allowed | PURE_LIBRARIES):
            kind = "the standard library's" if top in sys.stdlib_module_names else "the library"
            yield f"{module.where}:{line} imports {kind} {name}"
    for node in walk_at_run_time(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKS:
            yield f"{module.where}:{node.lineno} calls {ast.unparse(node.func)}()"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ASKS_BARE | ASKS:
            if node.func.id != "open" or "pathlib" not in allowed:
                yield f"{module.where}:{node.lineno} calls {node.func.id}()"
        elif isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
            yield f"{module.where}:{node.lineno} reads {ast.unparse(node)}"


@pytest.mark.parametrize("module", CORE, ids=lambda m: m.name)
def test_the_core_is_pure(module: Module) -> None:
    """The clock, the environment, files and databases arrive as values, so every decision can be replayed."""
    wrong = list(impurities(module, PURE))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", READERS, ids=lambda m: m.name)
def test_readers_of_logs_only_read(module: Module) -> None:
    """A reader opens the files it was given and knows nothing else of the machine."""
    wrong = list(impurities(module, PURE | READS_FILES))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("import time", "imports the standard library's time"),
        ("from os import environ", "imports the standard library's os"),
        ("def f():\n    import sqlite3", "imports the standard library's sqlite3"),
        ("import httpx", "imports the library httpx"),
        ("from datetime import datetime, UTC\nx = datetime.now(UTC)", "calls datetime.now()"),
        ("from uuid import uuid4\nx = uuid4()", "calls uuid4()"),
        ("print(1)", "calls print()"),
    ],
)
def test_impurities_are_seen(text: str, complaint: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The rule would notice: each of these would make a decision depend on when and where it is taken."""
    path = tmp_path_factory.mktemp("core") / "sample.py"
    path.write_text(text, encoding="utf-8")
    sample = SampleModule("tabstop.sample", path)
    assert [found.partition(" ")[2] for found in impurities(sample, PURE)] == [complaint]


class SampleModule(Module):
    """A module outside the project."""

    @property
    def where(self) -> str:
        return "sample.py:0"
