"""`tabstop policy`: what people and workflows read, and the exit codes they act on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tabstop.cli.main import main
from tabstop.policy.schema import schema_json
from tests.support.golden import expect

REPOSITORY = """\
session:
  tokens: 20M
  cost: $2,0
tab: $60
repositry: $5
timezone: Europe/Berlin
slack:
  channel: #agents
"""
ORGANIZATION = "tab: $50\nslack: {allowed: ['#agents']}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, so that outputs name files and no machine."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["policy", *arguments], input=stdin)


def write(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.yml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_problems(folder: Path, form: str) -> None:
    """Every problem of the file, on its own and against the organization's, in one run; exit code 1."""
    write(tabstop=REPOSITORY, org=ORGANIZATION)
    done = run("check", "tabstop.yml", "--org", "org.yml", "--format", form)
    assert done.exit_code == 1
    expect(f"policy/check-problems-{form}.txt", done.output)


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_valid(folder: Path, form: str) -> None:
    """A valid file with something unusual: notes, the session's cap in both forms, exit code 0."""
    write(tabstop="tab: $500\nsession:\n  cost: $15\n")
    done = run("check", "tabstop.yml", "--format", form)
    assert done.exit_code == 0
    expect(f"policy/check-valid-{form}.txt", done.output)


def test_escalation_is_warned_of(folder: Path) -> None:
    """In CI nobody can answer: a warning on its line, more than a note and no problem."""
    write(tabstop="session:\n  on_limit: ask\n  on_tokens: summary\n")
    done = run("check", "tabstop.yml", "--format", "github")
    levels = [line.partition(",title")[0] for line in done.output.splitlines() if line.startswith("::")]
    assert levels == ["::warning file=tabstop.yml,line=2,col=13", "::notice file=tabstop.yml,line=3,col=14"]
    assert "In CI nobody can answer, so there it becomes summary." in done.output
    text = run("check", "tabstop.yml")
    assert "tabstop.yml:2:13: warning: `session.on_limit` is ask." in text.output
    assert "valid repository policy, with 1 warning and 1 note." in text.output
    assert (done.exit_code, text.exit_code) == (0, 0)


def test_a_broken_organization_file_is_reported_first(folder: Path) -> None:
    """Judging against a file with problems says so: the result would not be what the server says."""
    write(tabstop="tab: $5\n", org="tab: $50\nfoo: 1\n")
    done = run("check", "tabstop.yml", "--org", "org.yml")
    assert done.exit_code == 1
    expect("policy/check-organization-broken.txt", done.output)


def test_an_organizations_file(folder: Path) -> None:
    """`--kind organization` reads keys that a repository may not have, and rules apply to `--repository` and `--topic`."""
    write(
        org="timezone: UTC\nrepositories: [{topic: ml, cap: $6,000}]\n".replace("$6,000", "$6000"),
        repo="repository: $7000\n",
    )
    assert run("check", "--kind", "organization", "org.yml").exit_code == 0
    assert run("check", "org.yml").exit_code == 1
    assert run("check", "repo.yml", "--org", "org.yml").exit_code == 0
    refused = run("check", "repo.yml", "--org", "org.yml", "--repository", "acme/lab", "--topic", "ml")
    assert "at most $6,000 a month" in refused.output
    assert run("check", "--kind", "organization", "org.yml", "--org", "org.yml").exit_code == 2


def test_what_cannot_be_read(folder: Path) -> None:
    """A missing file, a folder: exit code 2 and a sentence, so that nobody takes it for a bad or a good policy."""
    missing = run("check", "nowhere.yml")
    assert (missing.exit_code, missing.output) == (
        2,
        "Error: nowhere.yml cannot be read: No such file or directory. Check the path; nothing was checked.\n",
    )
    assert run("check", ".").exit_code == 2
    write(tabstop="tab: $5\n")
    assert run("check", "tabstop.yml", "--org", "nowhere.yml").exit_code == 2


def test_standard_input(folder: Path) -> None:
    """`-` reads what an editor or a pipe hands over, whatever its encoding."""
    assert run("check", "-", stdin="tab: $5\n").exit_code == 0
    latin = run("check", "-", stdin="tab: {cap: 5, why: für}\n".encode("latin-1"))
    assert latin.exit_code == 1
    assert latin.output.startswith("<stdin>:1:21: the file is not UTF-8")


def test_annotations_cannot_be_forged(folder: Path) -> None:
    """A file's name or text cannot end a workflow command and begin another one."""
    name = "a:b,c%\n::error::x.yml"
    Path(name.replace("/", "")).write_text("tab: {cap: 5, why: 'a%0A::error::b', x: 1}\n", encoding="utf-8")
    done = run("check", name, "--format", "github")
    assert [line.partition("::")[2][:5] for line in done.output.splitlines() if line.startswith("::")] == ["error"]
    assert "file=a%3Ab%2Cc%25%0A%3A%3Aerror%3A%3Ax.yml,line=1" in done.output


def test_wide_characters_keep_the_marker_in_place(folder: Path) -> None:
    """The marker stands below the value also after characters two columns wide."""
    write(tabstop='{purposes: [], repository: {why: "預算", cap: much}}\n')
    lines = run("check", "tabstop.yml").output.splitlines()
    assert lines[1].endswith('{purposes: [], repository: {why: "預算", cap: much}}')
    assert lines[2].index("^") == lines[1].index("much") + 2


def test_schema() -> None:
    """The schema is printed as published."""
    done = run("schema")
    assert (done.exit_code, done.output) == (0, schema_json())
    assert json.loads(done.output)["$schema"].endswith("2020-12/schema")


def test_help_and_unknown_commands() -> None:
    """The list of commands is complete without importing one of them to run another."""
    assert "policy" in CliRunner().invoke(main, ["--help"]).output
    assert CliRunner().invoke(main, ["nonsense"]).exit_code == 2
    program = "import sys, tabstop.cli.main; print(*{'yaml', 'rich', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_an_empty_file_has_no_line_to_show(folder: Path) -> None:
    """A problem without a line of its own is its sentence alone."""
    write(tabstop="")
    lines = run("check", "tabstop.yml").output.splitlines()
    assert lines[0].startswith("tabstop.yml:1:1: the file is empty.")
    assert lines[1].startswith("tabstop.yml: 1 problem.")
