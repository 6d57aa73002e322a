"""Where a session's cost lies, as its end answers: each part with its reason and confidence, and nothing that its reader may not see."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

from app.jobs.runner import Runner
from app.jobs.table import HANDLERS
from app.ledger.assign import Word, assign
from app.ledger.books import Tab
from app.ledger.by_hand import Target
from app.ledger.unplaced import unplaced
from app.registry import PullRequest, Repository
from tests.web.conftest import Bench, json_of


def a_run(bench: Bench) -> TestResponse:
    """A run on the default branch that names no pull request."""
    started = bench.start(token=bench.token(event_name="schedule", branch="main"))
    assert started.status_code == 201, started.text
    return started


def ended(bench: Bench, started: TestResponse) -> dict[str, Any]:
    """What its end answers; the parts are always its totals."""
    answer: dict[str, Any] = json_of(bench.end(started))
    for name in ("cost", "notional", "tokens", "unpriced"):
        assert sum(part[name] for part in answer["placements"]) == answer[name]
    return answer


def places(answer: dict[str, Any]) -> list[tuple[str, str, int | None, str]]:
    """(repository, branch, pull request, confidence) of each part, in the order told."""
    return [(one["repository"], one["branch"], one["pull_request"], one["confidence"]) for one in answer["placements"]]


def site(bench: Bench) -> Repository:
    """Another repository of the organization."""
    with bench.world.store.open(bench.organization.id) as books:
        return books.save_repository(Repository(0, 2, "acme/site", "trunk"))


def by_hand(bench: Bench, started: TestResponse, to: Target) -> None:
    """An operator assigns the whole session."""
    with bench.world.store.open(bench.organization.id) as books:
        session = books.session(json_of(started)["session"])
        assert session is not None
        assign(books, session, to, Word("carol asked for it"), bench.clock.now)


def a_pull_request(bench: Bench, tab: Tab, number: int, state: str) -> None:
    """One that adopted this tab."""
    with bench.world.store.open(bench.organization.id) as books:
        books.save_pull_request(
            PullRequest(
                0,
                tab.repository_id,
                number,
                tab.id,
                "f" * 40,
                tab.branch,
                "main",
                None,
                "Fix",
                state,
                draft=False,
                updated_at=bench.clock.now,
            )
        )


def test_a_pull_requests_run_lies_on_it(bench: Bench) -> None:
    """Also before a webhook told of the pull request; nothing is left to be asked."""
    started = bench.start()
    bench.report(started, bench.a_call("1"))
    answer = ended(bench, started)
    assert places(answer) == [("acme/widget", "claude/fix", 7, "proven")]
    assert answer["placements"][0]["reason"] == "pull request #7, proven by the run's identity token"
    assert answer["may_move"] is False


def test_nothing_used_lies_nowhere(bench: Bench) -> None:
    """There is no part of nothing."""
    assert ended(bench, bench.start())["placements"] == []


def test_a_run_without_a_pull_request_says_what_it_lies_on(bench: Bench) -> None:
    """The dearest part first: the repository only, and the branch it told of, which may yet turn out to have a pull request."""
    started = a_run(bench)
    bench.report(started, bench.a_call("1", 1_000, branch="mine"), bench.a_call("2", 9_000, model="mystery-9"))
    bench.report(started, bench.a_call("3", 5_000, repository="acme/elsewhere", branch="main"))
    answer = ended(bench, started)
    assert [one[-1] for one in places(answer)] == ["repository only", "claimed", "inferred"]
    assert places(answer)[:2] == [
        ("acme/widget", "", None, "repository only"),
        ("acme/widget", "mine", None, "claimed"),
    ]
    assert [one["unpriced"] for one in answer["placements"]] == [0, 0, 1]
    assert answer["placements"][0]["reason"]
    assert answer["may_move"] is True


def test_the_pull_request_of_a_branch_is_the_open_one(bench: Bench) -> None:
    """A tab keeps those that were closed before."""
    started = a_run(bench)
    bench.report(started, bench.a_call("1", branch="mine"))
    with bench.world.store.look(bench.organization.id) as books:
        tab = books.tab_of_branch(bench.repository.id, "mine")
    assert tab is not None
    a_pull_request(bench, tab, 8, "open")
    a_pull_request(bench, tab, 9, "closed")
    assert places(ended(bench, started)) == [("acme/widget", "mine", 8, "claimed")]


def test_another_repository_is_not_named_on_a_jobs_page(bench: Bench) -> None:
    """Nor what the operator wrote: everybody in the run's repository reads that page."""
    other = site(bench)
    started = a_run(bench)
    bench.report(started, bench.a_call("1", branch="mine"))
    by_hand(bench, started, Target(None, other.id))
    answer = ended(bench, started)
    assert places(answer) == [("", "", None, "manual")]
    assert answer["placements"][0]["elsewhere"] is True
    assert answer["placements"][0]["reason"] == "assigned by hand"
    assert answer["may_move"] is False


def test_what_a_runs_log_names_is_not_on_its_page(bench: Bench) -> None:
    """The reason is, once for all the names; operators have them."""
    site(bench)
    started = a_run(bench)
    bench.report(
        started,
        bench.a_call("1", repository="acme/site", branch="fix"),
        bench.a_call("2", repository="globex/secret", branch="fix"),
    )
    Runner(bench.world, HANDLERS).drain(100)
    (part,) = ended(bench, started)["placements"]
    assert part["reason"] == "a run speaks for its own repository only; its log names another"
    with bench.world.store.look(bench.organization.id) as books:
        reasons = {row.reason.rpartition(" ")[2] for row in unplaced(books).rows}
    assert reasons == {"acme/site", "globex/secret"}


def test_an_engineer_is_told_of_every_repository(bench: Bench) -> None:
    """Their own token's answer is theirs alone; what is in none of the organization's is said to be theirs only."""
    other = site(bench)
    token = bench.engineer_token("alice", "start")
    started = bench.start(token=token, repository="acme/widget", branch="fix")
    bench.report(
        started,
        bench.a_call("1", 2_000, repository=other.full_name, branch="fix"),
        bench.a_call("2", 1_000, repository="alice/dotfiles", branch="main"),
    )
    Runner(bench.world, HANDLERS).drain(100)
    assert places(ended(bench, started)) == [("acme/site", "fix", None, "claimed"), ("", "", None, "engineer only")]
