"""The sessions API: start, usage, end, and the dry question, as a runner sees them."""

from __future__ import annotations

from typing import Any

import pytest

from app.github_api.protocol import RemoteRun
from app.registry import Repository
from tabstop.budget import Amount, Scope
from tests.web.conftest import WIDGET, Bench, json_of

OWN_CALL = {
    "keys": ["tabstop:rest:ses/claude"],
    "model": "claude-sonnet-4-5",
    "tokens": {"output": 1},
    "occurred_at": "2026-11-21T12:00:00Z",
}


def test_an_admitted_start_comes_with_everything_the_runner_needs(bench: Bench) -> None:
    """201 with the session, its token, its limits, its hold, its prices, and until when it is believed to live."""
    started = bench.start(model="claude-sonnet-4-5", purpose="feature")
    answer = json_of(started)
    assert started.status_code == 201, answer
    assert answer["session"].startswith("ses_")
    assert answer["token"]
    assert answer["allowance"]["limits"]["cost"] == 10_000_000_000
    assert answer["allowance"]["limits"]["iterations"] == 200
    assert answer["allowance"]["hold"] == 2_000_000_000
    assert "claude-sonnet-4-5" in str(answer["allowance"]["price_card"])
    assert answer["verdict"]["findings"]


def test_a_start_tells_what_the_policy_wants_while_the_server_is_away(bench: Bench) -> None:
    """So that a gate can warn of a looser workflow: the effective value, the default where no file says it."""
    assert json_of(bench.start())["server_unreachable"] == "allow"
    bench.organization_policy("server_unreachable: block\n")
    assert json_of(bench.start())["server_unreachable"] == "block"


def test_the_same_key_gives_the_same_answer_and_holds_once(bench: Bench) -> None:
    """A start repeated after a lost answer is the same start."""
    token = bench.token()
    first, again = bench.start(token=token, key="the-same-key"), bench.start(token=token, key="the-same-key")
    assert json_of(first) == json_of(again)
    assert (first.status_code, again.status_code) == (201, 201)


def test_a_key_is_its_repository_s(bench: Bench) -> None:
    """The answer to a key holds a session's token: another repository or person that knows the key starts anew.

    Another run of the same repository gets the same session: it brings in what the first could not deliver.
    """
    with bench.world.store.open(bench.organization.id) as books:
        books.save_repository(Repository(0, 2, "acme/web-app", private=False))
    first = json_of(bench.start(key="the-same-key"))
    later = bench.start(token=bench.token(run_id="7002"), key="the-same-key")
    elsewhere = {"repository": "acme/web-app", "repository_id": "2", "event_name": "push"}
    other = bench.start(token=bench.token(**elsewhere), key="the-same-key")
    laptop = bench.start(token=bench.engineer_token("alice", "start"), key="the-same-key", repository="acme/widget")
    assert json_of(later)["session"] == first["session"]
    assert len({first["session"], json_of(other)["session"], json_of(laptop)["session"]}) == 3


def test_a_person_s_membership_is_looked_up_for_laptops_too(bench: Bench) -> None:
    """A token may be made for somebody nobody has met yet, and outlive a membership: a guest's session is a guest's."""
    token = bench.engineer_token("alice", "start")
    bench.github.members["acme"] = set()
    bench.clock.pass_by(hours=25)
    started = json_of(bench.start(token=token, repository="acme/widget"))
    scopes = [finding["scope"] for finding in started["verdict"]["findings"]]
    assert (Scope.GUEST in scopes, Scope.ENGINEER in scopes) == (True, False)


@pytest.mark.parametrize("number", ["²", "1e3", "x", "9" * 40])
def test_a_pull_request_s_number_is_a_number(bench: Bench, number: str) -> None:
    """Else 400, in words."""
    headers = {"Authorization": f"Bearer {bench.token()}"}
    asked = {"agent": "claude-code", "pull_request": number}
    assert bench.client.get("/api/v1/verdict", query_string=asked, headers=headers).status_code == 400


def test_a_body_nested_too_deep_is_refused(bench: Bench) -> None:
    """400, whoever sends it."""
    headers = {"Authorization": f"Bearer {bench.token()}", "Idempotency-Key": "0123456789"}
    deep = b"[" * 200_000 + b"]" * 200_000
    assert bench.client.post("/api/v1/sessions", data=deep, headers=headers).status_code == 400


def test_a_token_starts_one_session_only(bench: Bench) -> None:
    """Another key with a token that was used is refused: 409, and it says to ask for a fresh token."""
    token = bench.token()
    bench.start(token=token, key="the-first-key")
    other = bench.start(token=token, key="another-key")
    assert other.status_code == 409
    assert "fresh token" in json_of(other)["remedy"]


def test_a_red_tab_refuses_the_next_start_and_says_why(bench: Bench) -> None:
    """403 with the same kind of verdict: which budget, that it is spent, how much of what, and what to do."""
    bench.policy("tab: $0.10\n")
    started = bench.start()
    reported = bench.report(started, bench.a_call("r1", output=10_000))
    assert json_of(reported)["cost"] == 150_000_000
    assert json_of(reported)["orders"] == ["halt"]  # the tab's room was this session's own limit
    refused = bench.start()
    answer = json_of(refused)
    assert refused.status_code == 403
    assert not answer["token"]
    stop = answer["verdict"]["findings"][0]
    assert (stop["scope"], stop["cause"], stop["spent"], stop["cap"]) == ("tab", "spent", 150_000_000, 100_000_000)
    assert stop["remedy"]


def test_usage_sent_twice_counts_once(bench: Bench) -> None:
    """A batch repeated after a lost answer changes nothing."""
    started = bench.start()
    calls = [bench.a_call("r1"), bench.a_call("r2")]
    first, again = bench.report(started, *calls), bench.report(started, *calls)
    assert (json_of(first)["new"], json_of(first)["known"]) == (2, 0)
    assert (json_of(again)["new"], json_of(again)["known"]) == (0, 2)
    assert json_of(first)["cost"] == json_of(again)["cost"] == 30_000_000


def test_a_call_without_a_price_is_counted_as_unpriced_never_as_free(bench: Bench) -> None:
    """The answer says how many calls have no price; the next start is warned."""
    started = bench.start()
    reported = json_of(bench.report(started, bench.a_call("r1", model="house-model")))
    assert (reported["cost"], reported["unpriced"]) == (0, 1)
    findings = json_of(bench.start())["verdict"]["findings"]
    assert any(finding["signal"] == "price" and finding["outcome"] == "warn" for finding in findings)


def test_an_ended_session_answers_its_totals_and_takes_late_usage(bench: Bench) -> None:
    """The end says what it cost; usage that arrives afterwards is still counted."""
    started = bench.start()
    bench.report(started, bench.a_call("r1"))
    ended = json_of(bench.end(started))
    assert (ended["cost"], ended["tab_cost"]) == (15_000_000, 15_000_000)
    assert json_of(bench.report(started, bench.a_call("r2")))["cost"] == 30_000_000
    assert json_of(bench.end(started))["cost"] == 30_000_000


def test_subscription_dollars_are_a_separate_figure(bench: Bench) -> None:
    """A plan's usage is notional: it does not count toward the tab's cap unless the policy says so."""
    started = bench.start(billing="subscription")
    reported = json_of(bench.report(started, bench.a_call("r1")))
    assert (reported["cost"], reported["notional"]) == (0, 15_000_000)


def test_the_dry_question_sets_nothing_aside(bench: Bench) -> None:
    """`GET /api/v1/verdict` answers as a start would, and leaves no trace."""
    asked = bench.client.get("/api/v1/verdict?agent=claude-code", headers={"Authorization": f"Bearer {bench.token()}"})
    assert asked.status_code == 200
    assert json_of(asked)["verdict"]["findings"]
    with bench.world.store.look(bench.organization.id) as books:
        assert books.tab_of_branch(bench.repository.id, "claude/fix") is None
        assert books.engineer_by_login("alice") is None


@pytest.mark.parametrize(
    ("change", "status", "title"),
    [
        ({"repository_owner_id": "999"}, 403, "Tabstop is not installed on acme."),
        ({"repository_id": "999"}, 403, "Tabstop is not installed on acme/widget."),
    ],
)
def test_who_is_not_installed_is_told_so(bench: Bench, change: dict[str, str], status: int, title: str) -> None:
    """Ids decide; the answer says what to install."""
    refused = bench.start(token=bench.token(**change))
    assert (refused.status_code, json_of(refused)["title"]) == (status, title)
    assert json_of(refused)["remedy"]


@pytest.mark.parametrize("authorization", ["", "Basic abc", "Bearer ", "Bearer nonsense", "Bearer tabstop_eng_unknown"])
def test_without_a_good_token_nothing_is_answered(bench: Bench, authorization: str) -> None:
    """401, with what to do."""
    refused = bench.client.post(
        "/api/v1/sessions",
        json={"agent": "codex"},
        headers={"Authorization": authorization, "Idempotency-Key": "k" * 8},
    )
    assert refused.status_code == 401
    assert json_of(refused)["title"]


def test_a_session_token_is_good_for_its_own_session_only(bench: Bench) -> None:
    """403 on another session's path, and the identity token is no session token."""
    first, second = json_of(bench.start()), json_of(bench.start())
    stolen = bench.client.post(
        f"/api/v1/sessions/{second['session']}/usage",
        json={"calls": []},
        headers={"Authorization": f"Bearer {first['token']}"},
    )
    assert stolen.status_code == 403
    outside = bench.client.post(
        f"/api/v1/sessions/{second['session']}/usage",
        json={"calls": []},
        headers={"Authorization": f"Bearer {bench.token()}"},
    )
    assert outside.status_code == 401


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"calls": [{"keys": ["k"]}]}, "calls[0].model: missing"),
        ({"calls": [OWN_CALL]}, "calls[0].keys: keys that begin with 'tabstop:' are the server's own"),
        ({"calls": "x"}, "calls: found 'x', expected a list"),
        ({"calls": [], "billing": "free"}, "billing: found 'free'"),
    ],
)
def test_a_wrong_body_is_explained_with_every_problem(bench: Bench, body: dict[str, object], said: str) -> None:
    """400 with the path, what was found and what is expected; nothing is stored."""
    answer = json_of(bench.start())
    wrong = bench.client.post(
        f"/api/v1/sessions/{answer['session']}/usage",
        json=body,
        headers={"Authorization": f"Bearer {answer['token']}"},
    )
    assert wrong.status_code == 400
    assert said in json_of(wrong)["detail"]


def test_a_start_needs_an_idempotency_key(bench: Bench) -> None:
    """Without one a repeated request would be a second session."""
    refused = bench.client.post(
        "/api/v1/sessions", json={"agent": "codex"}, headers={"Authorization": f"Bearer {bench.token()}"}
    )
    assert refused.status_code == 400
    assert "Idempotency-Key" in json_of(refused)["title"]


def test_a_member_s_figures_stay_out_of_the_job_log(bench: Bench) -> None:
    """Engineer and organization budgets appear as a state only: a job log is read by everybody in the repository."""
    findings = json_of(bench.start())["verdict"]["findings"]
    engineer = next(finding for finding in findings if finding["scope"] == "engineer")
    assert (engineer["cap"], engineer["spent"], engineer["held"]) == (None, 0, 0)
    tab = next(finding for finding in findings if finding["scope"] == "tab")
    assert tab["cap"] == 50_000_000_000


def test_an_engineer_with_their_own_token_sees_their_own_figures(bench: Bench) -> None:
    """A laptop names repository and branch; the answer shows the engineer their own budget, which a job log does not."""
    token = bench.engineer_token("alice", "start")
    answer = json_of(bench.start(token=token, repository="acme/widget", branch="claude/fix"))
    engineer = next(finding for finding in answer["verdict"]["findings"] if finding["scope"] == "engineer")
    assert (engineer["subject"], engineer["cap"]) == ("alice", 1_000_000_000_000)
    with bench.world.store.look(bench.organization.id) as books:
        tab = books.tab_of_branch(bench.repository.id, "claude/fix")
        assert tab is not None
        assert len(books.sessions_of_tab(tab.id)) == 1


def test_an_engineer_token_without_the_scope_or_revoked_is_refused(bench: Bench) -> None:
    """Scopes are kept, and a revoked token is good for nothing from that moment."""
    reading = bench.engineer_token("alice", "read")
    assert bench.start(token=reading, repository="acme/widget").status_code == 403
    token = bench.engineer_token("bob", "start")
    with bench.world.store.open(bench.organization.id) as books:
        books.revoke_engineer_token(books.engineer_tokens()[0].id, bench.clock.now)
    assert bench.start(token=token, repository="acme/widget").status_code == 401


def test_a_session_nobody_asked_for_is_taken_in_after_the_fact(bench: Bench) -> None:
    """The server was away: the usage counts when it happened, nothing is held, and no red budget turns it away."""
    bench.organization_policy("tab: $0.10\nengineer: {cap: $100, window: day}\n")
    first = bench.start()
    bench.report(first, bench.a_call("r1", output=10_000))
    bench.end(first)
    assert bench.start().status_code == 403
    began = bench.clock.now
    bench.clock.pass_by(days=2)
    started = bench.start(run_id="7001", unadmitted_since=began.isoformat())
    assert started.status_code == 201
    answer = json_of(started)
    assert answer["allowance"] is None
    assert answer["verdict"]["findings"][0]["scope"] == "unadmitted"
    late = bench.a_call("late", occurred_at=began.isoformat())
    reported = json_of(bench.report(started, late, bench.a_call("now")))
    assert reported["cost"] == 30_000_000
    bench.end(started)
    with bench.world.store.look(bench.organization.id) as books:
        alice = books.engineer_by_login("alice")
        assert alice is not None
        then = books.budget_in_window(Scope.ENGINEER, alice.id, began)
        now = books.budget_in_window(Scope.ENGINEER, alice.id, bench.clock.now)
    assert then is not None
    assert now is not None
    assert (then.spent.nano, now.spent.nano) == (165_000_000, 15_000_000)
    assert then.held == now.held == Amount()


def test_copies_of_a_late_report_are_one_session(bench: Bench) -> None:
    """Two runs bring in the same report, one from a machine's spool, one from its artifact: the second changes nothing."""
    since, answers = bench.clock.now.isoformat(), []
    total = {"thread": "t", "model": "claude-sonnet-4-5", "tokens": {"output": 5_000}, "web_searches": 0}
    bench.github.runs["acme/widget", 7001] = RemoteRun(
        7001, "pull_request", "head", "claude/fix", "completed", "success", 3, "alice", 1, WIDGET, WIDGET
    )
    for run in ("7002", "7003"):
        token, known = bench.token(run_id=run), {"branch": "claude/fix", "run_id": "7001", "run_attempt": "1"}
        started = bench.start(token=token, key="key-of-the-gate", unadmitted_since=since, **known)
        bench.report(started, bench.a_call("r1", output=1_000), client_totals=[total])
        answers.append(json_of(started)["session"])
        assert json_of(bench.end(started))["tab_cost"] == 75_000_000
    assert answers[0] == answers[1]


def test_a_lost_admission_is_found_again(bench: Bench) -> None:
    """The gate's answer never arrived, or its token was not kept: the report of whichever run goes to that session."""
    first = bench.start(key="key-of-the-gate")
    since = bench.clock.now.isoformat()
    for run in ("7001", "7002"):
        token = bench.token(run_id=run)
        late = bench.start(token=token, key="key-of-the-gate", unadmitted_since=since)
        assert json_of(late)["session"] == json_of(first)["session"]
    other = bench.start(key="a-guessed-key", unadmitted_since=since)
    assert json_of(other)["session"] != json_of(first)["session"]


def limits_told(bench: Bench) -> list[list[tuple[str, str]]]:
    bench.world.store.seal_audit(bench.organization.id, b"key")
    with bench.world.store.look(bench.organization.id) as books:
        rows = [sealed.row for sealed in books.audit_rows() if sealed.row.kind == "session.limit"]
    return [[(limit["scope"], limit["outcome"]) for limit in row.body["limits"]] for row in rows]


def test_a_limit_is_on_record_when_it_is_reached(bench: Bench) -> None:
    """Near, then reached, once each; a run that is killed never says its end, and the row is there all the same."""
    bench.policy("session: {cost: $0.10}\n")
    started = bench.start()
    for key, output in (("r1", 1_000), ("r2", 5_000), ("r2", 5_000), ("r3", 2_000), ("r4", 1_000)):
        bench.report(started, bench.a_call(key, output=output))
    assert limits_told(bench) == [[("cost", "warn")], [("cost", "stop")]]
    bench.clock.pass_by(hours=2)
    bench.end(started)
    assert limits_told(bench)[2:] == [[("wall_clock_seconds", "stop")]]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"tokens": {"output": -1}}, "calls[0].tokens: counts must be from 0 to 10,000,000,000"),
        (
            {"tokens": {"output": 10_000_000_001}, "grain": "aggregate"},
            "calls[0].tokens: counts must be from 0 to 10,000,000,000",
        ),
        ({"web_searches": 100_001}, "calls[0].web_searches: found 100001, expected 0 to 100,000"),
        ({"model": "half \ud800"}, "calls[0].model: found 'half \\ud800', expected text without NUL"),
        ({"thread": "a\x00b"}, "calls[0].thread: found 'a\\x00b', expected text without NUL"),
    ],
)
def test_what_no_ledger_can_hold_is_refused(bench: Bench, call: dict[str, Any], said: str) -> None:
    """With its place in the body, as a mistake of the caller; nothing of the batch is stored."""
    started = bench.start()
    answer = bench.report(started, bench.a_call("fine"), calls=[bench.a_call("r1", **call)])
    assert answer.status_code == 400
    assert said in json_of(answer)["detail"]
    assert json_of(bench.end(started))["tokens"] == 0


def test_totals_are_bounded_too(bench: Bench) -> None:
    """A client's own totals are numbers of the same kind."""
    total = {"thread": "t", "model": "claude-sonnet-4-5", "tokens": {"input": -1}, "web_searches": 0}
    answer = bench.report(bench.start(), client_totals=[total])
    assert answer.status_code == 400
    assert "client_totals[0].tokens" in json_of(answer)["detail"]


def test_the_session_s_token_is_not_in_the_database(bench: Bench) -> None:
    """A copy of the database speaks for no session; the repeated answer is signed anew, and equal."""
    token = bench.token()
    first = json_of(bench.start(token=token, key="kept-answer"))
    with bench.world.store.look(bench.organization.id) as books:
        attempt = books.attempt(f"repository {bench.repository.id}:kept-answer", "")
    assert attempt is not None
    assert first["token"] not in str(attempt)
    assert json_of(bench.start(token=token, key="kept-answer")) == first


def test_texts_that_name_nothing_are_refused(bench: Bench) -> None:
    """What a start says is kept and shown, so a text longer than any branch name is a mistake, and is named."""
    refused = bench.start(agent="a" * 100_000, purpose="p" * 256)
    assert refused.status_code == 400
    assert json_of(refused)["detail"] == "agent: 100000 characters, at most 255; purpose: 256 characters, at most 255"
