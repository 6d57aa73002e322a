"""The same jobs with the real client: githubkit, App authentication, real HTTP, the emulated GitHub."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app.github_api.kit import KitApp
from app.github_api.pace import Pace
from app.jobs.tab_facts import CHECK_NAME, MARKER, POLICY_PATH
from app.ledger.books import Job
from tests.jobs.town import Town
from tests.support.emulator import Emulators, PullRequest

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def emulators(start_emulators: Callable[[str], Emulators]) -> Emulators:
    """GitHub, whose webhooks go nowhere: these tests ask for what a webhook would have asked for."""
    return start_emulators("http://127.0.0.1:9/")


@pytest.fixture
def real(town: Town, emulators: Emulators) -> Iterator[Town]:
    """A town with the real client."""
    env = emulators.env
    kit = KitApp(str(env.app_id), env.private_key, env.github_url, pace=Pace(every=0))
    object.__setattr__(town.world, "github", kit)
    yield town
    kit.close()


def look(town: Town) -> None:
    """Everything is looked at, as after an installation."""
    town.store.enqueue([Job("sync_installations", "test")])
    town.settle(minutes=4)
    assert town.dead() == []
    (organization,) = town.store.organizations()
    town.account = organization.github_id
    with town.store.look(organization.id) as db:
        (town.widget,) = (r.github_id for r in db.repositories() if r.full_name == "acme/widget")


def shown(emulators: Emulators, pull: PullRequest) -> tuple[str, str]:
    """(conclusion, summary) of the newest check on a pull request's head."""
    check = emulators.check_runs(pull.head_sha, name=CHECK_NAME)[-1]
    return check["conclusion"], check["output"]["summary"]


def test_open_pull_requests_are_answered(real: Town, emulators: Emulators) -> None:
    """One that only changes code, and one that breaks the policy."""
    code = emulators.open_pull_request("feature-1")
    broken = emulators.open_pull_request("policy-1", files={POLICY_PATH: "tab:\n  cpa: $5\n"})
    look(real)
    assert shown(emulators, code)[0] == "success"
    assert shown(emulators, broken)[0] == "failure"
    assert "cpa" in shown(emulators, broken)[1]
    assert len(emulators.check_runs(broken.head_sha, name=CHECK_NAME)) == 1


def test_spending_becomes_a_check_and_one_comment(real: Town, emulators: Emulators) -> None:
    """From a session's usage to what people see, edited in place as it grows."""
    pull = emulators.open_pull_request("feature-2")
    look(real)
    session = real.start("feature-2")
    for cost in ("10", "40"):
        real.spend(session, cost)
        real.settle()
    assert shown(emulators, pull)[0] == "failure"
    (comment,) = emulators.comments(pull.number)
    assert comment["user"]["login"] == emulators.env.bot_login
    assert MARKER in comment["body"]
    assert "$50.00" in comment["body"]
