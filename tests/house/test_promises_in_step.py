"""What we say in one place is true in the other: inputs, settings, examples, commands."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.source import ROOT

EXAMPLES = sorted([*ROOT.glob("examples/**/*.yml"), *ROOT.glob("examples/**/*.yaml")])


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def first_cells(text: str, heading: str) -> set[str]:
    """The code words in the first column of every Markdown table whose first column has this heading."""
    found: set[str] = set()
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|"):
            inside = False
        elif cells[0].lower() == heading:
            inside = True
        elif inside:
            found.update(re.findall(r"`([^`]+)`", cells[0]))
    return found


def class_fields(path: str, name: str) -> set[str]:
    """The annotated fields of a dataclass, read without importing it."""
    for node in ast.parse(read(path)).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return {
                item.target.id
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            }
    raise AssertionError(f"{path} has no class {name}")


def action_inputs() -> dict[str, dict[str, Any]]:
    inputs: dict[str, dict[str, Any]] = yaml.safe_load(read("action.yml"))["inputs"]
    return inputs


def test_action_yml_and_inputs_agree() -> None:
    """Every input that action.yml offers has its field in `Inputs`, and no field waits for an input nobody can give."""
    assert class_fields("action/inputs.py", "Inputs") == {name.replace("-", "_") for name in action_inputs()}


def test_every_input_is_documented() -> None:
    """The table of inputs that people read names exactly what action.yml takes."""
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    documented = set().union(*(first_cells(path.read_text(encoding="utf-8"), "input") for path in documents))
    assert documented == set(action_inputs())


def test_every_input_describes_itself() -> None:
    """GitHub's editor shows the description, so each input has one."""
    assert not [name for name, given in action_inputs().items() if not given.get("description")]


def own_steps() -> list[tuple[str, dict[str, Any]]]:
    """(file, step) of every step in our workflows and examples that uses this action."""
    found = []
    for path in [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), *filter(is_workflow, EXAMPLES)]:
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            uses = [(path.name, step) for step in job.get("steps", [])]
            found += [(name, step) for name, step in uses if re.match(r"\./$|[^@]*/tabstop@", step.get("uses", ""))]
    return found


def test_workflows_use_the_action_as_it_is() -> None:
    """Our workflow and every example give only inputs that the action has; each gates before it settles, or brings in late reports."""
    known = set(action_inputs())
    assert not [f"{name}: {key}" for name, step in own_steps() for key in step.get("with", {}) if key not in known]
    steps = [(name, step["with"]) for name, step in own_steps() if step["with"]["command"] != "bring-in"]
    commands = {name: [given["command"] for other, given in steps if other == name] for name, _ in steps}
    assert commands
    assert all(given[0] == "gate" and "settle" in given for given in commands.values()), commands


def test_workflows_read_outputs_that_exist() -> None:
    """What a later step reads from the gate is something the gate gives."""
    outputs = set(yaml.safe_load(read("action.yml"))["outputs"])
    wrong = []
    for name, step in own_steps():
        if "id" in step:
            path = next(p for p in [*ROOT.glob(".github/workflows/*.yml"), *EXAMPLES] if p.name == name)
            read_here = re.findall(
                rf"steps\.{re.escape(step['id'])}\.outputs\.([\w-]+)", path.read_text(encoding="utf-8")
            )
            wrong += [f"{name}: {output}" for output in read_here if output not in outputs]
    assert not wrong


def setting_names() -> set[str]:
    """The environment names that app/settings.py knows: its string constants in capitals."""
    words = {n.value for n in ast.walk(ast.parse(read("app/settings.py"))) if isinstance(n, ast.Constant)}
    return {w for w in words if isinstance(w, str) and re.fullmatch(r"PORT|[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", w)}


def test_every_setting_is_documented() -> None:
    """docs/configuration.md names each setting, and none that does not exist."""
    assert first_cells(read("docs/configuration.md"), "setting") == setting_names()


def test_settings_come_from_the_environment_given() -> None:
    """Only entry points touch the environment: the settings are built from a mapping they are handed."""
    text = read("app/settings.py")
    assert "def from_environ(" in text
    assert "os.environ" not in text


def is_workflow(path: Path) -> bool:
    return "jobs" in yaml.safe_load(path.read_text(encoding="utf-8"))


def test_there_are_examples() -> None:
    """A policy and a workflow to copy exist."""
    kinds = {is_workflow(path) for path in EXAMPLES}
    assert kinds == {True, False}


def check(path: Path) -> str:
    """What is wrong with an example; empty when nothing is."""
    if is_workflow(path):
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    else:
        program = "from tabstop.cli.main import main; main()"
        kind = "organization" if path.name.startswith("organization") else "repository"
        command = [sys.executable, "-c", program, "policy", "check", "--kind", kind, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return f"{path.relative_to(ROOT)}\n{done.stdout}{done.stderr}" if done.returncode else ""


def test_every_example_is_valid() -> None:
    """What people copy works: a workflow fits GitHub's schema, a policy passes `tabstop policy check`."""
    wrong = [said for path in EXAMPLES if (said := check(path))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_the_readme_names_the_two_commands(command: str) -> None:
    """Somebody who reads only the README finds the two commands that do everything."""
    assert command in read("README.md")


def test_ci_runs_what_people_run() -> None:
    """CI has no door of its own: it calls the commands of the README and of CONTRIBUTING."""
    called = re.findall(r"^stage \S+ (.+)$", read(".ci/run"), re.MULTILINE)
    assert {"make check", "make test"} <= set(called)
    assert "make check" in read("CONTRIBUTING.md")


def test_every_make_target_is_listed() -> None:
    """`make help` hides nothing."""
    text = read("Makefile")
    listed = set(re.findall(r"^([a-z]+):.*## ", text, re.MULTILINE))
    assert listed == set(re.findall(r"^([a-z]+):(?!=)", text, re.MULTILINE))
