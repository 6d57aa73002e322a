"""Whose session it is at the server's door: bots of runs, other accounts of a person, and telemetry."""

from __future__ import annotations

from typing import Any

from app.github_api.protocol import RemotePullRequest, RemoteUser
from app.registry import Engineer
from tabstop.budget import Scope
from tests.web.conftest import Bench, json_of
from tests.web.test_gauges import a_reading, read

ALIASES = "aliases: {alice: ['renovate[bot]', alice-at-home], zoe: [zoe-at-home]}\n"


def whose(bench: Bench, started: Any) -> Engineer:
    """The engineer of a session."""
    with bench.world.store.look(bench.organization.id) as books:
        session = books.session(json_of(started)["session"])
        assert session
        engineer = books.engineer(session.engineer_id or 0)
    assert engineer
    return engineer


def audited(bench: Bench) -> list[str]:
    """How the engineers of admitted sessions are known, as the audit log has it."""
    bench.world.store.seal_audit(bench.organization.id, b"k")
    with bench.world.store.look(bench.organization.id) as books:
        rows = [sealed.row for sealed in books.audit_rows()]
    return [row.body.get("engineer_by", "") for row in rows if row.kind == "start.admitted"]


def test_a_bot_s_run_is_the_author_s_of_its_pull_request(bench: Bench) -> None:
    """With that person's budget; without anybody known it is the bot's, and draws on the guests'."""
    bot = {"actor": "claude[bot]", "actor_id": "209"}
    alone = bench.start(token=bench.token(**bot, event_name="push", branch="claude/own"))
    bench.github.put(
        "acme/widget",
        RemotePullRequest(
            7, "Fix", "open", False, "a" * 40, "claude/fix", 1, "acme", "main", 3, "alice", False, bench.clock.now
        ),
    )
    for_alice = bench.start(token=bench.token(**bot))
    assert [whose(bench, one).login for one in (alone, for_alice)] == ["claude[bot]", "alice"]
    scopes = [{finding["scope"] for finding in json_of(one)["verdict"]["findings"]} for one in (alone, for_alice)]
    assert [Scope.GUEST in found for found in scopes] == [True, False]
    assert audited(bench) == ["", "author of pull request #7"]


def test_aliases_count_for_runs_laptops_and_gauges(bench: Bench) -> None:
    """What another account starts is its person's; so are the windows it reads."""
    bench.organization_policy(ALIASES)
    alice = bench.engineer_token("alice", "start", "read")
    home = bench.engineer_token("alice-at-home", "start", "read")
    bench.github.users["alice"] = RemoteUser(int.from_bytes(b"alice", "big"), "alice")
    run = bench.start(token=bench.token(actor="renovate[bot]", actor_id="601", event_name="push", branch="renovate/x"))
    laptop = bench.start(token=home, repository="acme/widget", branch="fix")
    assert {whose(bench, one).login for one in (run, laptop)} == {"alice"}
    assert audited(bench) == ["the policy's `aliases`", ""]
    bench.report(laptop, gauges=[a_reading(bench)])
    assert json_of(read(bench, alice)) == json_of(read(bench, home))
    assert json_of(read(bench, home))["gauges"]


def test_a_person_nobody_has_met_is_asked_for(bench: Bench) -> None:
    """Where GitHub has nobody of that login, or cannot say, the account stays itself."""
    bench.organization_policy(ALIASES)
    token = bench.engineer_token("zoe-at-home", "start")
    first = bench.start(token=token, repository="acme/widget", branch="fix")
    bench.github.users["zoe"] = RemoteUser(77, "zoe")
    second = bench.start(token=token, repository="acme/widget", branch="fix")
    assert [whose(bench, one).login for one in (first, second)] == ["zoe-at-home", "zoe"]
