"""What people read of `tabstop sync`, and how often it is done."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from tabstop.beside.sync.passed import Left, Passed
from tabstop.beside.sync.reading import Read
from tabstop.beside.sync.run import AlreadyRunningError, NobodyToTellError, Wanted
from tabstop.beside.sync.sending import Sent
from tabstop.cli import sync as command
from tabstop.cli.main import main
from tabstop.cli.moments import since
from tabstop.money import dollars
from tests.support.golden import expect

SERVER = "https://tabstop.example"
IN_THE_FUTURE = "It was made in the future, by the server's clock. It counts at 2026-11-02 12:00 UTC."
ALL_WELL = Passed(SERVER, ("acme",), Read(3), Sent(sessions=2, calls=312, new=300))
OF_ALL_KINDS = Passed(
    SERVER,
    ("acme", "umbrella"),
    Read(3, ((Path("/home/alice/.codex/sessions/x.jsonl"), "Permission denied"),)),
    Sent(sessions=1, calls=4, new=4, refused=1, doubted=Counter({IN_THE_FUTURE: 3})),
    elsewhere=Left(1_200, dollars("14.02"), 3, {("codex", f"s{number}") for number in range(31)}),
    nowhere=Left(30, 0, 30, {("codex", "t1")}),
    kept={
        "Tabstop is not installed on acme/gadget.": Left(4, dollars(1), 0, {("codex", "t1"), ("codex", "t2")}),
        "Its end cannot be told yet.": Left(sessions={("codex", "t3")}),
    },
    waiting=4,
    too_late=2,
    unread={"/home/alice/.codex/sessions/y.jsonl": 1_200, "/home/alice/.codex/sessions/z.jsonl": 17},
)
AWAY = Passed(SERVER, ("acme",), Read(1), waiting=12, problem=f"{SERVER} could not be asked (no route to host).")
DRY = Passed(SERVER, ("acme",), Read(1), waiting=12)


def test_what_people_read() -> None:
    """Numbers first; what stays here, and why."""
    shown = {"all is well": ALL_WELL, "of all kinds": OF_ALL_KINDS, "away": AWAY, "kept": DRY}
    text = "".join(
        f"# {name}\n" + "".join(f"{line}\n" for line in command.lines_of(one)) for name, one in shown.items()
    )
    text += "# a dry run\n" + "".join(f"{line}\n" for line in command.lines_of(AWAY, dry=True))
    expect("sync/passes.txt", text)
    assert list(command.lines_of(DRY, brief=True)) == []
    assert len(list(command.lines_of(AWAY, brief=True))) == 1


@pytest.mark.parametrize(
    ("failed", "asked", "seconds"),
    [
        (0, 0, 60),
        (1, 0, 60),
        (2, 0, 120),
        (4, 0, 480),
        (50, 0, 900),
        (0, 300, 300),
        (50, 300, 900),
        (1, 999_999, 3_600),
    ],
)
def test_watching_is_patient(failed: int, asked: int, seconds: int) -> None:
    """Longer each time a pass fails, and as long as a server asks; but what it uses is told within an hour of its coming back."""
    assert command.nap(failed, asked) == seconds


def test_a_log_whose_name_is_no_text() -> None:
    """Can be named: what is printed has to be text."""
    odd = Path(os.fsdecode(b"/-\xff.jsonl"))
    *_, line = command.lines_of(Passed(SERVER, ("acme",), Read(1, ((odd, "Permission denied"),)), Sent()))
    assert line == "/-\\xff.jsonl could not be read: Permission denied."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "7"), "'7' is no time; write `7d` (today and the six days before), `12h`, `2w`, `today`"),
        (("--since", "-1d"), "Invalid value for --since: '-1d' is no time"),
        (("--agent", "vim"), "is not one of"),
        (("--billing", "gifts"), "is not one of"),
    ],
)
def test_slips(words: tuple[str, ...], said: str) -> None:
    """What is allowed stands beside what was found."""
    done = CliRunner().invoke(main, ["sync", *words])
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NobodyToTellError("Nobody is logged in."), "Error: Nobody is logged in."),
        (AlreadyRunningError("Another one runs."), "Error: Another one runs."),
        (OSError(28, "No space left on device"), "cannot be remembered here: [Errno 28] No space left on device."),
    ],
)
def test_what_cannot_be_done(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says so, and fails."""

    def fail(*_: object) -> list[Passed]:
        raise error

    monkeypatch.setattr(command, "sync_once", fail)
    done = CliRunner().invoke(main, ["sync"])
    assert done.exit_code == 1
    assert said in done.output


@pytest.mark.parametrize("text", ["", "2w", "36h", "today", "2026-11-01"])
def test_since(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every form that `tabstop cost` takes, and of the same meaning."""
    asked: list[Wanted] = []

    def listen(_environ: object, wanted: Wanted, *_: object) -> list[Passed]:
        asked.append(wanted)
        return [ALL_WELL]

    monkeypatch.setattr(command, "sync_once", listen)
    words = ["--since", text] if text else []
    assert CliRunner().invoke(main, ["sync", *words]).exit_code == 0
    ((found,),) = ((one.since,) for one in asked)
    meant = since(text, datetime.now(UTC), None) if text else None
    assert found == meant or (found and meant and meant - found < timedelta(minutes=5))


def test_once_and_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once says how it went by its exit code; watching goes on until Ctrl-C, and is as patient as the server asks.

    Its first pass says all there is to say, the later ones only what is new.
    """
    passes: Iterator[Passed] = iter([ALL_WELL, AWAY, AWAY, OF_ALL_KINDS, OF_ALL_KINDS, OF_ALL_KINDS])
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "sync_once", lambda *_: [next(passes)])
    monkeypatch.setattr(time, "sleep", sleep)
    assert [CliRunner().invoke(main, ["sync"]).exit_code for _ in range(2)] == [0, 1]
    AWAY.retry_after = 300
    try:
        done = CliRunner().invoke(main, ["sync", "--watch", "--since", "7d", "--billing", "api"])
    finally:
        AWAY.retry_after = 0
    assert (done.exit_code, slept) == (0, [300, 60])
    assert "4 calls of 1 session." in done.output
    assert "in repositories of others" not in done.output
    slept.clear()
    done = CliRunner().invoke(main, ["sync", "--watch"])
    assert done.output.count("in repositories of others") == 1
