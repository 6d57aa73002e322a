"""Runs of which nothing can be read: said at once, bounded by what can be counted, and never shown as free."""

from __future__ import annotations

import pytest

from tests.beside.wrapper.wrapped import Place

SILENT = "#!/bin/sh\necho done\nsleep 0.3\n"
UNLIMITED = [word for name in ("tokens", "iterations", "tool-calls") for word in (f"--{name}", "unlimited")]


def stand_in(place: Place, program: str, script: str = SILENT) -> None:
    path = place.path / "bin" / program
    path.write_text(script)
    path.chmod(0o755)


def listed(place: Place) -> list[str]:
    """Cost, tokens, calls and tools of the newest session, as `tabstop sessions` shows them."""
    return place.tabstop("sessions").out.splitlines()[1].split()[4:8]


def test_an_agent_that_leaves_no_transcript(place: Place) -> None:
    """Not `$0.00, 0 tokens`: it is not known, there and in every list."""
    stand_in(place, "claude")
    done = place.run("--cost", "1", *UNLIMITED)
    assert done.code == 0
    cannot = "warning: What this session uses cannot be read; default tool-call, iteration and time limits apply."
    assert done.err.count(cannot) == 1
    assert done.err.splitlines()[-1].endswith("; what it cost is not known")
    assert place.session.limits.tool_calls == 500
    assert listed(place) == ["?/$1.00", "?", "?/200", "?/500"]
    again = place.run("--session", place.session.record.id)
    assert "Enforcement: none for cost and tokens, until an answer can be read." in again.err
    assert "enforcement: one call" not in again.err
    assert "not known, limit $1.00" in place.tabstop("session", place.session.record.id).out


def test_a_program_nobody_can_read_is_not_shown_as_free(place: Place) -> None:
    """Neither its cost nor its calls."""
    done = place.python(script="print(1)")
    assert "what it cost is not known" in done.err
    assert listed(place) == ["?/$10.00", "?/10M", "?/200", "?/500"]


@pytest.mark.parametrize(
    ("command", "shown"), [(["codex", "app-server"], "codex app-server"), (["claude", "attach", "x"], "claude attach")]
)
def test_a_subcommand_that_asks_models_is_bounded(place: Place, command: list[str], shown: str) -> None:
    """By its clock; it is said what cannot be seen."""
    stand_in(place, command[0], "#!/bin/sh\nexec sleep 30\n")
    done = place.run("--wall-clock", "1s", "--grace", "1s", command=command)
    assert done.code == 73
    assert f"warning: `{shown}` is no agent this can read." in done.err


def test_where_the_rest_of_the_limits_comes_from(place: Place) -> None:
    """A policy file that is not read is named, with the reason."""
    stand_in(place, "claude")
    (place.path / "work" / ".github").mkdir()
    file = place.path / "work" / ".github" / "tabstop.yml"
    file.write_text("session: {cost: $3}\n")
    err = place.run("--cost", "1").err
    assert "limits from options, the rest from the defaults (no policy): $1.00" in err
    assert f"warning: {file} is not read, because" in err
    place.policy("session: {cost: $3}\n")
    assert f"limits from the policy {file}: $3.00" in place.run().err
