"""Sessions without a gate, over real HTTP: a program, `tabstop run` and `tabstop proxy` ask for themselves, report and end."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.ledger.books import SessionRow
from tabstop.beside.exit_codes import ExitCode
from tabstop.beside.proxy.alone import serve
from tabstop.beside.proxy.pointing import listen
from tabstop.beside.proxy.routes import Upstreams
from tabstop.beside.proxy.running import RunningProxy
from tabstop.beside.session_folder import Record, everything, sessions_root
from tabstop.beside.spool import pending, spool_root
from tabstop.beside.wrapper.opening import NotOpenedError, Opened, Place, Wanted, admitted, open_session
from tabstop.library import BudgetExceeded, BudgetManager, Governor, SessionStopped, limits
from tabstop.money import dollars
from tabstop.usage import Billing
from tabstop.verdict import Outcome, Signal
from tests.beside.proxy.scene import answer, request
from tests.beside.short_folder import short_folder
from tests.beside.test_working_tree import git
from tests.beside.wrapper.wrapped import MEASURING
from tests.beside.wrapper.wrapped import Place as Home
from tests.house.source import ROOT
from tests.support.fake_llm import FakeLlm
from tests.support.loopback_app import serving
from tests.web.conftest import Bench
from tests.web.test_gauges import a_reading

POLICY = "session:\n  cost: $1\n  on_limit: halt\ntab: $2\n"
USED = {"model": "claude-opus-5-5", "usage": {"input_tokens": 10_000, "output_tokens": 0}}


@dataclass
class Laptop:
    """An engineer's machine: a checkout of acme/widget on a branch, and a server that knows its token."""

    bench: Bench
    url: str
    checkout: Path
    environ: dict[str, str]

    def record(self) -> Record:
        """Of its newest session."""
        return everything(sessions_root(self.environ))[0].record()

    def row(self, session: str = "") -> SessionRow:
        """The newest session, as the server has it."""
        with self.bench.world.store.look(self.bench.organization.id) as books:
            row = books.session(session or self.record().server_session)
        assert row is not None
        return row

    def calls(self) -> int:
        """Usages of the newest session that the server has."""
        with self.bench.world.store.look(self.bench.organization.id) as books:
            return len(books.usages_of(self.record().server_session))

    def governor(self, **more: Any) -> Governor:
        """As a program in the checkout would make it."""
        return Governor(environ=self.environ, folder=self.checkout, **more)


@pytest.fixture
def laptop(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Laptop]:
    """See `Laptop`."""
    bench.policy(POLICY)
    checkout = tmp_path / "widget"
    checkout.mkdir()
    (checkout / "a.txt").write_text("one\n")
    for words in (
        ("init", "-qb", "fix"),
        ("add", "."),
        ("commit", "-qm", "first"),
        ("remote", "add", "origin", "git@github.com:acme/widget.git"),
    ):
        git(checkout, *words)
    with short_folder() as folder, serving(bench.client.application) as url:
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        environ = {
            "TABSTOP_STATE": str(folder / "state"),
            "TABSTOP_SERVER": url,
            "TABSTOP_TOKEN": bench.engineer_token("alice", "start", "read"),
        }
        yield Laptop(bench, url, checkout, environ)


def test_a_program_has_a_session_of_its_own(laptop: Laptop) -> None:
    """Asked for as the engineer's own, with what local git knows; reported, ended with its outcome; bound by the server's limit."""
    with laptop.governor(limits=limits(tokens="50k")) as g:
        assert laptop.row().ended_at is None
        assert (g.limits.cost, g.limits.tokens) == (dollars("1"), 50_000)
        g.answered(USED | {"id": "msg_1"})
    row = laptop.row()
    with laptop.bench.world.store.look(laptop.bench.organization.id) as books:
        engineer = books.engineer(row.engineer_id or 0)
        tab = books.tab(row.tab_id or 0)
    assert engineer is not None
    assert tab is not None
    assert (engineer.login, tab.branch, row.agent, row.outcome) == ("alice", "fix", "library", "finished")
    assert (laptop.calls(), row.spent.nano) == (1, g.totals.cost)


def test_how_a_program_ended_is_told(laptop: Laptop) -> None:
    """Stopped, failed or cancelled, as it was."""
    with pytest.raises(BudgetExceeded), laptop.governor() as g:
        g.charged(1)
    assert laptop.row().outcome == "stopped: cost"
    for error, outcome in ((RuntimeError, "failed"), (KeyboardInterrupt, "cancelled")):
        with pytest.raises(error), laptop.governor():
            raise error
        assert laptop.row().outcome == outcome


def test_a_red_cap_refuses(laptop: Laptop) -> None:
    """With the server's verdict and its words; nothing of the session stays here."""
    with laptop.governor() as g:
        g.answered(USED | {"id": "msg_1"})
    laptop.bench.policy("session:\n  cost: $1\ntab: $0.01\n")
    with pytest.raises(BudgetExceeded, match=r"^BUDGET_EXCEEDED: The tab's budget .* is spent") as refused:
        laptop.governor()
    assert refused.value.verdict.outcome is Outcome.STOP
    assert {one.signal for one in refused.value.verdict.reasons} == {Signal.BUDGET}
    assert len(everything(sessions_root(laptop.environ))) == 1
    opened = open_session(Wanted(), "claude", None, "claude-code", place_of(laptop))
    assert opened.is_new


def place_of(laptop: Laptop) -> Place:
    """Where its sessions lie."""
    return Place(sessions_root(laptop.environ), str(laptop.checkout), laptop.environ, laptop.bench.clock.now, b"1" * 32)


def test_a_session_with_a_name_goes_on(laptop: Laptop) -> None:
    """The same session there and here, resumed. Its program's own limit binds it, whatever larger one the server tells."""
    for cap in ("0.60", "0.80"):
        with laptop.governor(limits=limits(cost=cap), session="nightly") as g:
            g.charged(0.25)
            assert g.limits.cost == dollars(cap)
    with laptop.governor(limits=limits(cost=5), session="nightly") as g:
        assert (g.totals.cost, g.limits.cost) == (dollars("0.50"), dollars("1"))
    assert len(everything(sessions_root(laptop.environ))) == 1
    assert laptop.row().outcome == "finished"


def test_a_budget_manager_reports_too(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the environment is added; a program that just ends has it told then."""
    for name, value in laptop.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(laptop.checkout)
    ends: list[Any] = []
    monkeypatch.setattr(atexit, "register", lambda *what: ends.append(what))
    budget = BudgetManager(session_limit=0.50)
    assert str(budget.limit) == "0.5"
    budget.check_and_add(USED | {"id": "msg_1"})
    ((end, *given),) = ends
    end(*given)
    assert (laptop.row().outcome, laptop.calls()) == ("finished", 1)


def test_a_program_that_just_ends_is_told_of(laptop: Laptop) -> None:
    """Nothing closes its budget."""
    script = f"from tabstop.library import BudgetManager; BudgetManager(0.5).check_and_add({USED})"
    environ = {**MEASURING, **laptop.environ, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], cwd=laptop.checkout, env=environ, check=True, timeout=60)
    assert (laptop.row().outcome, laptop.calls()) == ("finished", 1)


def test_inside_another_session_no_second_one_is_begun(laptop: Laptop) -> None:
    """That one speaks for it."""
    laptop.environ["TABSTOP_SESSION"] = "run-1a2b3c4d"
    with laptop.governor():
        assert not everything(sessions_root(laptop.environ))


def test_a_server_that_is_away_hears_of_it_later(laptop: Laptop, caplog: pytest.LogCaptureFixture) -> None:
    """The session goes on within its own limits; the next one that reaches the server brings its report along."""
    away = {**laptop.environ, "TABSTOP_SERVER": "http://127.0.0.1:9"}
    with pytest.raises(SessionStopped, match="`server_unreachable: block` is set"):
        Governor(environ=away, folder=laptop.checkout, server_unreachable="block")
    with Governor(limits(cost=1), environ=away, folder=laptop.checkout) as g:
        g.answered(USED | {"id": "msg_1"})
    assert "could not be asked" in caplog.text
    (waits,) = pending(spool_root(laptop.environ))
    assert waits.undelivered is not None
    # The same server, back again.
    waits.path.write_text(waits.path.read_text().replace("http://127.0.0.1:9", laptop.url))
    with laptop.governor():
        late = [one for one in threading.enumerate() if one.name == "tabstop-late-reports"]
        for one in late:
            one.join(10)
    assert not pending(spool_root(laptop.environ))
    with laptop.bench.world.store.look(laptop.bench.organization.id) as books:
        rows = books.sessions_of_tab(laptop.row().tab_id or 0)
    assert sorted((row.unadmitted, row.spent.nano) for row in rows) == [(False, 0), (True, g.totals.cost)]


def test_what_is_neither_allow_nor_block(laptop: Laptop) -> None:
    """Is a slip."""
    with pytest.raises(ValueError, match="'warn' is neither 'allow' nor 'block'"):
        laptop.governor(server_unreachable="warn")


def test_tabstop_run_does_the_same(laptop: Laptop, tmp_path: Path) -> None:
    """Admitted, reported, ended; refused while the cap is red; the agent does not get the token."""
    home = tmp_path / "home"
    home.mkdir()
    place = Home.make(home)
    environ = {**laptop.environ, "TABSTOP_REPOSITORY": "acme/widget"}
    try:
        done = place.run("--cost", "0.07", **environ)
        assert done.code == ExitCode.LIMIT, done.err
        assert "limits from the server, tightened by options: $0.07" in done.err
        row = laptop.row()
        assert (row.outcome, row.agent, laptop.calls()) == ("stopped: cost", "claude-code", 2)
        seen = place.python(script="import os; print(os.environ.get('TABSTOP_TOKEN'))", **environ)
        assert (seen.out, laptop.row().outcome) == ("None\n", "finished")
        laptop.bench.policy("session:\n  cost: $1\ntab: $0.01\nrepository: $0.01\n")
        refused = place.run(**environ)
        assert (refused.code, refused.out) == (ExitCode.REFUSED, "")
        assert "The agent was not started. " in refused.err
        assert "is spent" in refused.err
    finally:
        place.close()


def test_a_full_window_defers_whom_a_plan_pays(laptop: Laptop) -> None:
    """With the time it begins anew. Whoever pays per token is not asked about it."""
    bench, home = laptop.bench, str(laptop.checkout.parent)
    reading = a_reading(bench, used=9_900, minutes=300, resets_at=(bench.clock.now + timedelta(hours=2)).isoformat())
    bench.policy("windows:\n  on_full: defer\n")
    # What this engineer's other machine told.
    other = bench.start(token=laptop.environ["TABSTOP_TOKEN"], repository="acme/widget", branch="fix")
    assert bench.report(other, gauges=[reading]).status_code == 200

    def began(environ: dict[str, str]) -> Opened:
        place = replace(place_of(laptop), environ={**laptop.environ, "HOME": home, **environ}, random=os.urandom(32))
        opened = open_session(Wanted(), "claude", None, "claude-code", place)
        return admitted(opened, Wanted(), place.environ, bench.clock.now)

    with pytest.raises(NotOpenedError, match=r"5-hour window is 99 % used.*Start it after \d\d:\d\d"):
        began({"CLAUDE_CODE_OAUTH_TOKEN": "t"})
    assert "window" in began({}).said
    paying = began({"ANTHROPIC_API_KEY": "k"})
    assert "window" not in paying.said
    row = laptop.row(paying.record.server_session)
    assert (row.billing, row.billing_evidence) == (Billing.API, "ANTHROPIC_API_KEY is set: billed per token")


def test_tabstop_proxy_does_the_same(laptop: Laptop) -> None:
    """Asked for as it begins, reported, ended with Ctrl-C; taken up again it asks whether it may go on."""
    over, ready = threading.Event(), threading.Event()
    found: list[RunningProxy] = []

    def began(proxy: RunningProxy, _governed: object, opened: Opened) -> None:
        assert opened.source == "from the server, tightened by options"
        found.append(proxy)
        ready.set()

    def run(opened: Opened, upstream: str) -> None:
        places = Upstreams(upstream, upstream, upstream, upstream)
        now = laptop.bench.world.now
        serve(opened, WANTED, laptop.environ, now, places, listen(), lambda _: None, lambda _: None, began, over)

    opened = open_session(WANTED, "proxy", None, "", place_of(laptop))
    with FakeLlm(plan=lambda _seen: answer()) as fake:
        thread = threading.Thread(target=run, args=(opened, fake.url))
        thread.start()
        assert ready.wait(20)
        body = {**request("anthropic"), "model": "claude-sonnet-4-5"}
        asked = httpx.post(f"{found[0].base('anthropic')}/v1/messages", json=body, trust_env=False)
        over.set()
        thread.join()
    assert asked.status_code == 200
    row = laptop.row()
    assert (row.outcome, row.agent, laptop.calls(), laptop.record().settings.limits.cost) == (
        "finished", "proxy", 1, dollars("0.50"),
    )  # fmt: skip
    laptop.bench.policy("session:\n  cost: $1\ntab: $0.000001\n")
    again = open_session(Wanted(laptop.record().id), "proxy", None, "", place_of(laptop))
    with pytest.raises(NotOpenedError, match=r"does not let the session go on.* is spent"):
        run(again, "http://127.0.0.1:9")


WANTED = Wanted("", {"cost": dollars("0.50")})
