"""A session asks for itself: when, what it says, what binds it then, and what happens when the server is away or says no."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tabstop.beside.admission import Asked, NotAdmittedError, ask
from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.late_reports import MOST_AT_ONCE, bring_along
from tabstop.beside.payer import StartedWith
from tabstop.beside.server import Server
from tabstop.beside.server_access import ServerAccess
from tabstop.beside.session_folder import Record
from tabstop.beside.spool import Undelivered, pending, put, spool_root
from tabstop.budget import Scope
from tabstop.governor.settings import Rules, Settings, Throttle
from tabstop.session import Limits
from tabstop.usage import Billing, Tokens
from tabstop.verdict import Finding, Outcome, Signal, Verdict
from tabstop.wire import Allowance, Call, EndRequest, StartAnswer, StartRequest, UsageBatch
from tests.beside.fake_server import CARD, FakeServer
from tests.beside.test_working_tree import git, tree
from tests.governor.builders import at

__all__ = ["tree"]

SERVER = "https://tabstop.example"
CONFIGURED = {"TABSTOP_SERVER": f"{SERVER}/", "TABSTOP_TOKEN": "tabstop_eng_1", "TABSTOP_REPOSITORY": "acme/widget"}
RULES = Rules(throttle=Throttle(calls_per_minute=7))


def record(cwd: str = "", **changes: Any) -> Record:
    settings = Settings(session="s1", limits=Limits(tokens=500), ci=True)
    return replace(Record("s1", at(0), StartRequest("claude-code"), settings, cwd=cwd), **changes)


def asked(
    server: FakeServer, given: Record | None = None, environ: Mapping[str, str] | None = None, *, block: bool = False
) -> Asked:
    """environ: over what is configured; empty for not there."""
    chosen = {name: value for name, value in {**CONFIGURED, **(environ or {})}.items() if value}
    limits = Limits(cost=5_000_000)
    return ask(given or record(), limits, chosen, at(1), block=block, transport=server, sleep=lambda _seconds: None)


def test_what_it_asks_and_what_binds_it_then(tree: Path) -> None:
    """Local git says where it works; the server's limits bind it, tightened by what was chosen, with its rules and prices."""
    git(tree, "remote", "add", "origin", "git@github.com:acme/gadget.git")
    allowance = Allowance(Limits(cost=10**9, iterations=50), price_card=CARD.to_json(), governor=RULES)
    server = FakeServer(admits=StartAnswer(Verdict(), "ses_9", "t9", allowance))
    found = asked(server, record(str(tree)), {"TABSTOP_REPOSITORY": ""})
    (question,) = server.starts
    assert (question.agent, question.repository, len(question.head_sha)) == ("claude-code", "acme/gadget", 40)
    assert server.tokens == ["tabstop_eng_1"]
    known = found.record
    assert (known.server, known.server_session, known.token) == (SERVER, "ses_9", "t9")
    assert (known.start, known.price_card) == (question, CARD.to_json())
    assert known.settings == Settings(
        session="s1", limits=Limits(iterations=50, cost=5_000_000), ci=True, throttle=RULES.throttle
    )
    assert (known.admitted, found.said) == (allowance.limits, "")
    assert "t9" not in repr(known)


@pytest.mark.parametrize(
    ("remotes", "asked_about"),
    [
        ({"origin": "alice/widget", "upstream": "acme/widget"}, ("acme/widget", "alice:fix", "alice/widget")),
        ({"origin": "acme/widget", "upstream": "dev/widget"}, ("acme/widget", "fix", "")),
        ({"origin": "alice/widget", "upstream": "dev/widget"}, None),
        ({"origin": "alice/widget"}, None),
    ],
)
@pytest.mark.parametrize("login", [True, False])
def test_a_fork_is_asked_about_as_the_repository_it_came_from(
    tree: Path, tmp_path: Path, remotes: dict[str, str], asked_about: tuple[str, str, str] | None, login: bool
) -> None:
    """By whoever's the login is, or the environment's token. The record keeps the clone's own name: its branches are the fork's."""
    git(tree, "checkout", "-q", "-b", "fix")
    for name, repository in remotes.items():
        git(tree, "remote", "add", name, f"git@github.com:{repository}.git")
    server, environ = FakeServer(), {"TABSTOP_REPOSITORY": "", "HOME": str(tmp_path / "home")}
    if login:
        environ |= {"TABSTOP_TOKEN": ""}
        path = tmp_path / "home" / ".config" / "tabstop" / "credentials.json"
        Credentials(path).keep(Login(SERVER, "acme", "alice", "tabstop_eng_1"))
    found = asked(server, record(str(tree)), environ)
    told = [(one.repository, one.branch, found.record.fork) for one in server.starts]
    if asked_about is not None or login:
        assert told == ([asked_about] if asked_about else [])
    else:  # whoever set the token answers for what they run there
        assert told == [("alice/widget", "fix", "")]


def test_whose_token_it_is_may_stay_unknown(tree: Path, tmp_path: Path) -> None:
    """Then the clone's own repository is asked about, when the server is back."""
    git(tree, "remote", "add", "origin", "git@github.com:alice/widget.git")
    git(tree, "remote", "add", "upstream", "git@github.com:acme/widget.git")
    found = asked(FakeServer(away=True), record(str(tree)), {"TABSTOP_REPOSITORY": "", "HOME": str(tmp_path)})
    assert found.record.start.repository == "alice/widget"


def test_who_pays_is_told() -> None:
    """As the environment says, unless the record states it."""
    server = FakeServer()
    stated = StartRequest("claude-code", billing=Billing.CREDITS, billing_evidence="said")
    for given in (record(), record(start=stated)):
        asked(server, given, {"ANTHROPIC_API_KEY": "k"})
    assert [(one.billing, one.billing_evidence) for one in server.starts] == [
        (Billing.API, "ANTHROPIC_API_KEY is set: billed per token"), (Billing.CREDITS, "said"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("environ", "started", "told"),
    [
        ({"CLAUDE_CODE_OAUTH_TOKEN": "t"}, None, Billing.SUBSCRIPTION),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "t"}, StartedWith(), Billing.UNKNOWN),
        ({"ANTHROPIC_API_KEY": "k"}, StartedWith(), Billing.UNKNOWN),
        ({}, StartedWith(frozenset({"ANTHROPIC_API_KEY"})), Billing.API),
    ],
)
def test_nobody_is_judged_by_anothers_environment(
    tmp_path: Path, environ: dict[str, str], started: StartedWith | None, told: Billing
) -> None:
    """The session's own may hold an API key, and then its dollars are real."""
    server = FakeServer()
    ask(record(), Limits(), {**CONFIGURED, "HOME": str(tmp_path), **environ}, at(1), started=started, transport=server)
    assert [(one.billing, bool(one.billing_evidence)) for one in server.starts] == [(told, told is not Billing.UNKNOWN)]


@pytest.mark.parametrize(
    ("given", "environ"),
    [
        (record(), {"TABSTOP_SERVER": ""}),
        (record(), {"TABSTOP_SERVER": "", "TABSTOP_TOKEN": ""}),
        (record(), {"TABSTOP_SESSION": "another"}),
        (record(server_session="ses_1"), {}),
        (record(start=StartRequest("claude-code", run_id="7001")), {}),
    ],
)
def test_when_it_does_not_ask(given: Record, environ: dict[str, str]) -> None:
    """Without a server; inside another session; where it is admitted, or a gate's that could not ask."""
    server = FakeServer()
    assert asked(server, given, environ) == Asked(given)
    assert not server.asked


def test_its_own_name_in_the_environment_is_no_other_session() -> None:
    """An agent's own command started again."""
    assert asked(FakeServer(), None, {"TABSTOP_SESSION": "s1"}).record.server_session == "ses_9"


def test_half_a_configuration_is_said() -> None:
    """A server without a token."""
    half = asked(FakeServer(), None, {"TABSTOP_TOKEN": ""})
    assert (
        half.said == "TABSTOP_SERVER is set, TABSTOP_TOKEN is not, and nobody is logged in there: no server is asked."
    )


def test_a_budget_that_is_nearly_full_is_said() -> None:
    """It was admitted all the same."""
    near = Finding(Signal.BUDGET, Outcome.WARN, "tab", "The tab is nearly full.")
    answer = StartAnswer(Verdict((near,)), "ses_9", "t9", Allowance(Limits(cost=1)))
    assert "nearly full" in asked(FakeServer(admits=answer)).said


def test_a_refusal_is_explained() -> None:
    """The server sends numbers; the words are found here."""
    full = Finding(
        Signal.BUDGET, Outcome.STOP, Scope.TAB, subject="fix", unit="usd", cap=10**9, spent=10**9, cause="spent"
    )
    with pytest.raises(NotAdmittedError, match=r"tab's budget .*is spent") as refused:
        asked(FakeServer(admits=StartAnswer(Verdict((full,)))))
    (reason,) = refused.value.verdict.reasons
    assert "$1" in reason.sentence


def test_a_server_that_is_away() -> None:
    """The session goes on within its own limits, under the key it asked with, to be reported later."""
    found = asked(FakeServer(away=True))
    assert found.record.settings == record().settings
    assert (found.record.server, found.record.server_session, len(found.record.key)) == (SERVER, "", 32)
    assert found.record.start.repository == "acme/widget"
    assert "could not be asked (no route to host). The session keeps the limits it has" in found.said


@pytest.mark.parametrize("block", [True, False])
def test_a_server_that_is_away_may_block(tmp_path: Path, block: bool) -> None:
    """By a parameter, or by the checked-out policy."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "tabstop.yml").write_text("" if block else "server_unreachable: block\n")
    with pytest.raises(NotAdmittedError, match=r"`server_unreachable: block` is set. Try again later. To run without"):
        asked(FakeServer(away=True), record(str(tmp_path)), block=block)


@pytest.mark.parametrize("block", [True, False])
def test_a_login_that_cannot_be_read_is_not_none(tmp_path: Path, block: bool) -> None:
    """Under `block` nobody slips by on a damaged file; else it is said. Who wants no server hears nothing of it."""
    kept = tmp_path / ".config" / "tabstop" / "credentials.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{")
    environ = {"HOME": str(tmp_path), "TABSTOP_SERVER": "", "TABSTOP_TOKEN": ""}
    if block:
        with pytest.raises(NotAdmittedError, match=r"cannot be read, and `server_unreachable: block` is set. Unlock"):
            asked(FakeServer(), environ=environ, block=True)
    else:
        assert asked(FakeServer(), environ=environ).said.startswith("No server can be asked: ")
    assert asked(FakeServer(), environ={**environ, "TABSTOP_SERVER": "off"}, block=block).said == ""


def test_a_question_that_is_not_taken() -> None:
    """A revoked token, say: the server's own words, and the way out."""
    with pytest.raises(
        NotAdmittedError, match=r"did not take the question. Not now. To run without a server, set TABSTOP_SERVER=off"
    ):
        asked(FakeServer(status=401))


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TABSTOP_SERVER": "tabstop.example"}, "which is no address such as"),
        ({"TABSTOP_SERVER": "http://tabstop.example"}, "it has to be https://"),
        ({"TABSTOP_SERVER": "https://[x"}, "which is no address"),
        ({"TABSTOP_REPOSITORY": ""}, "Set TABSTOP_REPOSITORY to its `owner/name`"),
    ],
)
def test_what_cannot_be_asked_says_why(environ: dict[str, str], said: str) -> None:
    """No token is sent anywhere."""
    server = FakeServer()
    with pytest.raises(NotAdmittedError, match=said):
        asked(server, None, environ)
    assert not server.asked


def test_a_token_is_not_shown() -> None:
    """Nor may it be sent on loopback only."""
    access = ServerAccess.from_environ({"TABSTOP_SERVER": "http://127.0.0.1:8000", "TABSTOP_TOKEN": "secret"})
    assert access is not None
    assert not access.problem
    assert "secret" not in repr(access)


def late(name: str, **changes: Any) -> Undelivered:
    """A report that waits; its only call is called as it is."""
    call = Call((name,), "m", Tokens(output=1), at(2))
    start = StartRequest("claude-code", "acme/widget")
    return replace(
        Undelivered(SERVER, start, at(2), EndRequest("finished"), (UsageBatch((call,)),), name, key="k" * 16), **changes
    )


def test_what_could_not_be_told_is_brought_along(tmp_path: Path) -> None:
    """By the next session that reaches the server; another server's, and a workflow run's, are left alone."""
    environ = {"TABSTOP_STATE": str(tmp_path)}
    spool = spool_root(environ)
    put(spool, late("never-admitted", session=""))
    put(spool, late("known", token="t1"))
    put(spool, late("elsewhere", server="https://other.example"))
    put(spool, late("a-run", start=StartRequest("claude-code", "acme/widget", run_id="7001")))
    (spool / "broken.json").write_text("{")
    server = FakeServer()
    thread = bring_along(spool, Server(SERVER, server, lambda _seconds: None), "tabstop_eng_1")
    assert thread is not None
    thread.join()
    assert sorted(server.keys) == ["known", "never-admitted"]
    assert [start.unadmitted_since for start in server.starts] == [at(2)]
    left = {one.undelivered.session for one in pending(spool) if one.undelivered}
    assert left == {"elsewhere", "a-run"}
    assert bring_along(spool, Server("https://third.example", server, lambda _seconds: None), "t") is None


def test_what_is_never_taken_holds_up_no_other(tmp_path: Path) -> None:
    """However many the server refuses, the others have their turn."""
    for number in range(MOST_AT_ONCE + 2):
        os.utime(put(tmp_path, late(f"bad-{number}", session=f"s{number}", token="t")), (1, 1))
    os.utime(put(tmp_path, late("good", session="z", token="t")), (2, 2))  # between them and what was tried just now
    server = FakeServer(refuse=lambda batch: "bad" if batch.calls[0].keys[0].startswith("bad") else "")
    for _ in range(2):
        thread = bring_along(tmp_path, Server(SERVER, server, lambda _seconds: None), "tabstop_eng_1")
        assert thread is not None
        thread.join()
    assert server.keys == ["good"]
    assert len(pending(tmp_path)) == MOST_AT_ONCE + 2


def test_how_far_it_came_is_kept(tmp_path: Path) -> None:
    """The server goes away half-way: the next session goes on from there."""
    put(tmp_path, late("one", session=""))
    put(tmp_path, late("two", session="", begun_at=at(3)))
    server = FakeServer(no_ends=True)
    thread = bring_along(tmp_path, Server(SERVER, server, lambda _seconds: None), "tabstop_eng_1")
    assert thread is not None
    thread.join()
    found = {one.undelivered.session: one.undelivered for one in pending(tmp_path) if one.undelivered}
    assert server.keys == ["one"]
    assert set(found) == {"", "ses_9"}
    assert not found["ses_9"].batches
    assert json.dumps(server.tokens).count("tabstop_eng_1") == 1
    thread = bring_along(tmp_path, Server(SERVER, FakeServer(status=400), lambda _seconds: None), "tabstop_eng_1")
    assert thread is not None
    thread.join()
    assert len(pending(tmp_path)) == 2


def test_an_admission_brings_them_along(tmp_path: Path) -> None:
    """Beside the session."""
    environ = {"TABSTOP_STATE": str(tmp_path)}
    put(spool_root(environ), late("one", session=""))
    server = FakeServer()
    asked(server, None, environ)
    for _ in range(500):
        if not pending(spool_root(environ)):
            break
        time.sleep(0.01)
    assert server.keys == ["one"]
