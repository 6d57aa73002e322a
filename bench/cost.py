"""cost.*: `tabstop cost` as a whole process, the first time and again, beside ccusage on the same files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import ccusage, dense_transcripts, real_transcripts
from bench.ccusage import Totals
from bench.figures import Figure, NotHereError, Part, in_turns, say
from tests.support.server import ROOT

NAMES = ("cost.first_run", "cost.second_run")
REPEATS = 7
OURS = [sys.executable, "-c", "from tabstop.cli.main import main; main()", "cost", "--json", "--offline"]


def parts() -> list[Part]:
    """Three figures."""
    return [Part(NAMES, _dense), Part(("cost.real_shape",), lambda _wanted: _real_shape())]


def _dense(wanted: Sequence[str]) -> Iterator[Figure]:
    with _home() as home:
        written = dense_transcripts.write(home / "claude")
        say(f"cost: {written / 1e6:.0f} MB, {dense_transcripts.FILES * dense_transcripts.ANSWERS:,} answers")
        if "cost.first_run" in wanted:
            yield from _first_run(home)
        if "cost.second_run" in wanted:
            value, floor = in_turns("cost.second_run", lambda: _again(home), lambda: _first(home), REPEATS)
            yield Figure("cost.second_run", value, "s", floor)


def _first_run(home: Path) -> Iterator[Figure]:
    try:
        theirs = ccusage.installed()
    except NotHereError as error:
        say(f"cost.first_run: no floor. {error}")
        yield Figure("cost.first_run", sorted(_first(home) for _ in range(REPEATS))[REPEATS // 2], "s")
        return
    _compare_samples(theirs)
    environ = ccusage.environment(home)
    ours, others = _totals(home), ccusage.totals(theirs, environ)
    _say_both("the dense corpus", ours, others)
    assert ours.tokens == others.tokens
    assert abs(ours.nano - others.nano) < 1_000  # theirs is a sum of floats
    value, floor = in_turns("cost.first_run", lambda: _first(home), lambda: _seconds(theirs, environ), REPEATS)
    yield Figure("cost.first_run", value, "s", floor)


def _compare_samples(theirs: list[str]) -> None:
    """Captured sessions, whose invoice is known: with compaction, and a model that ccusage has no price for."""
    for case in real_transcripts.cases():
        with _home() as home:
            real_transcripts.lay_out(case, home / "claude")
            ours, others = _totals(home), ccusage.totals(theirs, ccusage.environment(home))
            _say_both(f"{case.name} (invoice: {case.tokens:,} tokens)", ours, others)
            assert ours.tokens == case.tokens or case.lost
            assert others.tokens <= ours.tokens


def _real_shape() -> Iterator[Figure]:
    """Captured transcripts over and over, with ids of their own: mostly prompts, few answers."""
    with _home() as home:
        written = real_transcripts.write(home / "claude")
        say(f"cost.real_shape: {written / 1e6:.0f} MB")
        try:
            theirs, environ = ccusage.installed(), ccusage.environment(home)
        except NotHereError as error:
            say(f"cost.real_shape: no floor. {error}")
            yield Figure("cost.real_shape", sorted(_first(home) for _ in range(REPEATS))[REPEATS // 2], "s")
            return
        _say_both("real transcripts", _totals(home), ccusage.totals(theirs, environ))
        value, floor = in_turns("cost.real_shape", lambda: _first(home), lambda: _seconds(theirs, environ), REPEATS)
        yield Figure("cost.real_shape", value, "s", floor)


def _first(home: Path) -> float:
    shutil.rmtree(home / ".cache", ignore_errors=True)
    return _again(home)


def _again(home: Path) -> float:
    return _seconds(OURS, ccusage.environment(home))


def _seconds(command: list[str], environ: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True, cwd=ROOT)
    return time.perf_counter() - begun


def _totals(home: Path) -> Totals:
    done = subprocess.run(OURS, env=ccusage.environment(home), capture_output=True, check=True, cwd=ROOT)
    told = json.loads(done.stdout)["total"]
    return Totals(sum(told["tokens"].values()), told["nano_dollars"], bool(told["unpriced_calls"]))


def _say_both(what: str, ours: Totals, theirs: Totals) -> None:
    def said(one: Totals) -> str:
        return f"{one.tokens:,} tokens, ${one.nano / 1e9:,.6f}{' and what has no price' if one.unpriced else ''}"

    say(f"cost: {what}: tabstop {said(ours)}; ccusage {said(theirs)}")


@contextmanager
def _home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ts-") as name:
        yield Path(name)
