"""`tabstop lab`: what people and programs read, on a terminal and elsewhere, and what is refused."""

import json
import os
import pty
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tabstop.cli.main import main
from tabstop.lab.scenarios import SCENARIOS
from tests.support.golden import expect, expect_file

PAGE = Path(__file__).resolve().parents[2] / "docs" / "lab.md"


def run(*arguments: str) -> Result:
    done = CliRunner().invoke(main, ["lab", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


@cache
def said(*arguments: str) -> str:
    """What it prints, played once a run."""
    done = run(*arguments)
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("list", []),
        ("stuck-loop", ["stuck-loop"]),
        ("classic", ["classic"]),
        ("healthy-full", ["healthy", "--full"]),
        ("token-runaway-limits", ["token-runaway", "--no-signals", "--tokens", "unlimited", "--cost", "$8"]),
        ("backoff", ["backoff"]),
        ("subtasks", ["subtasks"]),
        ("all", ["--all"]),
    ],
)
def test_what_people_read(name: str, arguments: list[str]) -> None:
    """Plain text of a fixed width where there is no terminal."""
    expect(f"lab/{name}.txt", said(*arguments))
    assert "\x1b" not in said(*arguments)


def test_the_page_shows_what_the_command_says() -> None:
    """docs/lab.md holds real outputs."""
    page = PAGE.read_text(encoding="utf-8")
    parts = page.split("```console\n")
    for at, part in enumerate(parts[1:], 1):
        shown, rest = part.split("\n```", 1)
        command = shown.splitlines()[0].removeprefix("$ tabstop lab").split()
        parts[at] = f"{shown.splitlines()[0]}\n{said(*command).rstrip()}\n```{rest}"
    expect_file(PAGE, "```console\n".join(parts))


def test_the_page_names_every_scenario() -> None:
    """And every option."""
    page = PAGE.read_text(encoding="utf-8")
    options = {word.rstrip(",") for word in run("--help").output.split() if word.startswith("--")} - {"--help"}
    assert [name for name in [*SCENARIOS, *sorted(options)] if name not in page] == []


def test_json() -> None:
    """Everything for programs: numbers, not words."""
    one = json.loads(run("classic", "--json", "--no-degradation").output)
    assert one["used"]["cost"] == one["limits"]["cost"] == 50_000_000
    assert one["hour"]["simulated"]["cost"] == 36_000_000_000
    assert one["hour"]["times"] == 720
    assert (one["stop"]["by"], one["stop"]["iteration"]) == ("cost", 50)
    assert len(one["iterations"]) == 50
    assert one["iterations"][0]["wall"] == {"limit": "cost", "seconds": pytest.approx(2.94)}
    healthy = json.loads(run("healthy", "--json").output)
    assert (healthy["stop"], healthy["hour"], healthy["outcome"]) == (None, None, "finished")
    assert [one["scenario"] for one in json.loads(run("--json").output)] == [*SCENARIOS, "subtasks"]
    assert json.loads(run("subtasks", "--json", "--tokens", "500k").output)[0]["subtasks"][0]["needs"] == 50_000
    assert [one["scenario"] for one in json.loads(run("--all", "--json").output)] == [*SCENARIOS]


def test_limits_are_those_given() -> None:
    """The others stay the policy's."""
    one = json.loads(
        run(
            "stuck-loop", "--json", "--no-signals", "--iterations", "30", "--wall-clock", "30m", "--cost", "unlimited"
        ).output
    )
    assert one["limits"]["cost"] is None
    assert (one["limits"]["wall_clock_seconds"], one["limits"]["tool_calls"]) == (1_800, 500)
    assert (one["stop"]["by"], one["stop"]["iteration"]) == ("iterations", 30)


def test_a_policy_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limits and its signals hold; one with problems is not played, nor one that is not there."""
    monkeypatch.chdir(tmp_path)
    Path("mine.yml").write_text("session:\n  iterations: 40\nbreaker:\n  repeats: 5\n", encoding="utf-8")
    one = json.loads(run("stuck-loop", "--json", "--policy", "mine.yml").output)
    assert one["limits"]["iterations"] == 40
    assert (one["stop"]["by"], one["stop"]["of_runaway"]) == ("repeated calls", 5)
    Path("bad.yml").write_text("sesion: 1\ntab: much\n", encoding="utf-8")
    bad = run("stuck-loop", "--policy", "bad.yml")
    assert (bad.exit_code, "bad.yml has 2 problems" in bad.output) == (1, True)
    assert "tabstop policy check bad.yml" in bad.output
    gone = run("stuck-loop", "--policy", "gone.yml")
    assert (gone.exit_code, "gone.yml cannot be read" in gone.output) == (1, True)


def test_an_unknown_scenario_is_refused() -> None:
    """With the list of those there are."""
    done = run("stuck")
    assert done.exit_code == 2
    assert "stuck-loop" in done.output


@pytest.mark.parametrize(
    ("environ", "lively"), [({}, True), ({"NO_COLOR": "1"}, False), ({"CI": "true"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_gets_the_animation(environ: dict[str, str], lively: bool) -> None:
    """Not one that wants no colour, and not a workflow's log."""
    mine, theirs = pty.openpty()
    program = "from tabstop.cli.main import main; main()"
    clean = {name: value for name, value in os.environ.items() if name not in {"CI", "NO_COLOR"}}
    command = [sys.executable, "-c", program, "lab", "classic", "--iterations", "5", "--speed", "1000"]
    with subprocess.Popen(command, stdout=theirs, env={**clean, "TERM": "xterm-256color", **environ}) as child:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(mine, 65_536)
            except OSError:  # the other side is closed: Linux says so by an error
                break
            if not piece:
                break
            shown += piece
    os.close(mine)
    assert child.returncode == 0
    assert ("█".encode() in shown) is lively
    assert (b"\x1b[" in shown) is lively
