"""A laptop whose clone has not followed when the default branch was renamed: its sessions lie as if they had named none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.registry import PullRequest
from tests.support.otlp import a_body, a_call
from tests.web.conftest import Bench, json_of
from tests.web.test_otlp import WIDGET, post, usages


@pytest.fixture(params=[False, True], ids=["led nowhere", "has its own pull request since"])
def has_pull_request(bench: Bench, request: pytest.FixtureRequest) -> bool:
    """`trunk` is the default branch for an hour, `main` was before. Whether that has a pull request of its own."""
    now = bench.clock.now
    with bench.world.store.open(bench.organization.id) as books:
        repository = books.save_repository(replace(bench.repository, default_branch="trunk"))
        bench.clock.pass_by(hours=1)
        books.keep_former_default(repository.id, "main", now)
        if request.param:
            tab = books.open_tab(repository.id, "main", now)
            where = (repository.id, 8, tab.id, "a" * 40, "main", "trunk", None)
            books.save_pull_request(PullRequest(0, *where, "Main", "open", False, now))
    return bool(request.param)


def test_a_session_that_is_asked_for(bench: Bench, *, has_pull_request: bool) -> None:
    """Of the former name there is no tab to hold money on, but for a pull request's."""
    token = bench.engineer_token("alice", "start")
    asked = bench.start(token=token, repository="acme/widget", branch="main", thread="s-1")
    with bench.world.store.look(bench.organization.id) as books:
        session = books.session(json_of(asked)["session"])
        assert session is not None
        assert (session.tab_id is not None, session.repository_id) == (has_pull_request, bench.repository.id)


def test_a_session_that_telemetry_tells_of(bench: Bench, *, has_pull_request: bool) -> None:
    """Likewise."""
    post(bench, a_body(a_call(bench.clock.now), **WIDGET | {"vcs__ref__head__name": "main"}))
    place = ("main", "claimed") if has_pull_request else ("", "repository only")
    assert [found[1:] for found in usages(bench)] == [("acme/widget", *place)]
