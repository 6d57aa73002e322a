"""same_people: what an account used becomes its person's, once the organization's policy lists it under `aliases`. payload: nothing.

Accounts are all that is known of the past: an address is turned into a login as it arrives and not kept, so what an address
or a name in git told before it was listed stays where it lies. Taking an alias away holds for what comes later. A session
that still runs is looked at again on the day after.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from app.api.people import draws_on, engineer_of
from app.github_api.protocol import GitHubInstallation, RemoteUser
from app.jobs.asking_github import asking_github, installed
from app.ledger.hand_over import hand_over
from app.ledger.rows import NO_REPOSITORY
from app.registry import Engineer, Organization, Transaction
from app.world import World
from tabstop.policy.model import Policy

WHY = "The policy's `aliases` say whose account this is."

log = structlog.get_logger()


@asking_github()
def run(world: World, organization_id: int | None, _payload: Mapping[str, Any]) -> None:
    """Of one organization, or of all; one short transaction for each session that changes hands."""
    wanted = [organization_id] if organization_id is not None else [o.id for o in world.store.organizations()]
    for each in wanted:
        _look_through(world, each)


def _look_through(world: World, organization_id: int) -> None:
    with world.store.look(organization_id) as db:
        organization = db.organization()
        accounts = _accounts(db, db.policy_in_force(NO_REPOSITORY).policy)
        found = db.all_sessions() if accounts else []
    sessions = [session for session in found if session.engineer_id in accounts and session.ended_at is not None]
    github = installed(world, organization)
    if github is None or not sessions:
        return

    whose = {login: _person(world, organization, github, login) for login in sorted(set(accounts.values()))}

    for session in sessions:
        person = whose[accounts[session.engineer_id or 0]]
        if person is not None:
            _hand_over(world, organization_id, session.id, person)


def _accounts(db: Transaction, policy: Policy) -> dict[int, str]:
    """The login that each known account stands for, by the account's own engineer."""
    listed = ((alias, login) for login, aliases in policy.aliases for alias in aliases)
    return {account.id: login for alias, login in listed if (account := db.engineer_by_login(alias)) is not None}


def _person(world: World, organization: Organization, github: GitHubInstallation, login: str) -> Engineer | None:
    """The engineer of this login; None where GitHub has nobody of it."""
    with world.store.look(organization.id) as db:
        account = db.engineer_by_login(login)
    found = RemoteUser(account.github_id, account.login) if account is not None else github.user(login)
    if found is None:
        log.warning("an alias of nobody", organization=organization.id)
        return None
    person = engineer_of(world, found.id, found.login, organization, github)
    with world.store.open(organization.id) as db:
        return db.save_engineer(person)


def _hand_over(world: World, organization_id: int, session_id: str, person: Engineer) -> None:
    with world.store.open(organization_id) as db:
        session = db.session(session_id)
        if session is not None and session.ended_at is not None and session.engineer_id != person.id:
            hand_over(db, session, person, draws_on(person), WHY, world.now())
