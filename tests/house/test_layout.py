"""A newcomer guesses the file: every module says what it holds, has a telling name and fits a few screens."""

import ast

import pytest

from tests.house.source import PACKAGES, Module, modules, within

SAY_NOTHING = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "misc", "base", "core"}
LONGEST = 400

MINE = [m for m in modules() if within(m.name, *PACKAGES, "bench")]
INITS = [m for m in modules() if m.path.name == "__init__.py"]
IN_TESTS = [m for m in modules() if within(m.name, "tests")]


@pytest.mark.parametrize("module", [m for m in MINE + IN_TESTS if m not in INITS], ids=lambda m: m.name)
def test_a_module_begins_by_saying_what_it_holds(module: Module) -> None:
    """The first line of each module tells what you will find in it."""
    said = ast.get_docstring(module.tree)
    assert said, f"{module.where} has no docstring"
    assert module.path.read_text(encoding="utf-8").lstrip().startswith(('"""', 'r"""', "#!")), module.where


@pytest.mark.parametrize("module", MINE + IN_TESTS, ids=lambda m: m.name)
def test_a_module_is_named_after_its_subject(module: Module) -> None:
    """`utils` and its kin say nothing about where to look; a standard library's name hides it."""
    assert not set(module.name.split(".")) & SAY_NOTHING, f"{module.where} needs a name that tells its subject"


@pytest.mark.parametrize("module", MINE, ids=lambda m: m.name)
def test_a_module_has_one_subject(module: Module) -> None:
    """A file longer than this has gained a second subject and gets a second file."""
    length = len(module.path.read_text(encoding="utf-8").splitlines())
    assert length <= LONGEST, f"{module.where} has {length} lines"


@pytest.mark.parametrize("module", INITS, ids=lambda m: m.name)
def test_an_init_is_empty_or_one_table(module: Module) -> None:
    """Importing a package does nothing: it holds a docstring, imports and at most one table or factory."""
    body = [node for node in module.tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    if body and ast.get_docstring(module.tree):
        body = body[1:]
    assert len(body) <= 1, f"{module.where} holds more than one thing"
    assert all(isinstance(node, ast.Assign | ast.AnnAssign | ast.FunctionDef) for node in body), module.where
