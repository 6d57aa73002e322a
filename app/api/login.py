"""Log in: who proves to GitHub that they belong to an organization gets an engineer token of our own; whose it is; its end."""

from __future__ import annotations

import secrets

from app.api.problems import ApiError
from app.github_api.protocol import GitHubError, RemotePerson
from app.identity.engineer_token import USUAL, digest_of, written
from app.identity.names import is_bot
from app.ledger.books import AuditRow
from app.registry import Engineer, EngineerKind, EngineerToken, Organization
from app.secrets_store import kept_app
from app.world import World
from tabstop.wire_login import LoginAnswer, LoginOffer, LoginRequest, OrganizationToken, WhoAmI

LONGEST_TOKEN = 4096
"""Characters of a GitHub token; they have grown before."""

LONGEST_NAME = 100

MOST_OWNERS = 10
"""Former owners that GitHub is asked about."""


def login_offer(world: World) -> LoginOffer:
    """Where to log in. Raises `ApiError` where the App is not known yet."""
    kept = kept_app(world.store, world.settings.secret_key) or {}
    client_id = kept.get("client_id", "") if kept.get("app_id") == world.settings.github_app_id else ""
    try:
        client_id = client_id or world.github.app().client_id
    except GitHubError as error:
        raise _github_is_away(error) from error
    if not client_id:
        raise ApiError(
            404,
            "This server does not know its App's client id.",
            "People log in through the App, and GitHub did not say its client id.",
            "Ask an operator for a token (`token new`), and set TABSTOP_SERVER and TABSTOP_TOKEN.",
        )
    return LoginOffer(client_id, world.settings.github_url.rstrip("/"))


def log_in(world: World, asked: LoginRequest) -> LoginAnswer:
    """A token for each organization this person is a member of. GitHub's token is asked about once and forgotten.

    Raises `ApiError`.
    """
    if not 0 < len(asked.github_token) <= LONGEST_TOKEN or not asked.github_token.isascii():
        raise ApiError(400, "The body is not what the contract says.", "github_token: expected GitHub's own token")
    person = _person(world, asked.github_token)
    tokens = []
    for organization in _served(world, person, asked.organization):
        try:
            member = world.github.installation(organization.installation_id or 0).is_member(
                organization.login, person.login
            )
        except GitHubError as error:
            raise _github_is_away(error) from error
        if member:
            tokens.append(_token_for(world, organization, person, asked.machine))
    if not tokens:
        raise _not_a_member(person.login, asked.organization)
    return LoginAnswer(person.login, tuple(tokens))


def who_am_i(world: World, token: EngineerToken) -> WhoAmI:
    """Whose token it is."""
    with world.store.look(token.organization_id) as books:
        engineer = books.engineer(token.engineer_id)
        login = engineer.login if engineer else ""
        return WhoAmI(login, books.organization().login, token.scopes, token.name, token.created_at)


def log_out(world: World, token: EngineerToken) -> None:
    """End it. Sessions it started go on; they have tokens of their own."""
    now = world.now()
    with world.store.open(token.organization_id) as books:
        books.revoke_engineer_token(token.id, now)
        books.audit(AuditRow("token.revoked", now, str(token.id), {"by": "logout"}, token.engineer_id))


def _person(world: World, github_token: str) -> RemotePerson:
    try:
        person = world.github.person(github_token)
    except GitHubError as error:
        raise _github_is_away(error) from error
    if person is None or is_bot(person.login):
        raise ApiError(
            401,
            "GitHub does not take this token for a person's who logged in through this App.",
            "It has expired, was revoked, or was made for another App.",
            "Run `tabstop login` again.",
        )
    return person


def _served(world: World, person: RemotePerson, only: str) -> list[Organization]:
    """The organizations whose installation this person can see, through our App: a token of another App sees none of ours."""
    return [
        one
        for one in world.store.organizations()
        if one.active and one.installation_id in person.installations and only.lower() in {"", one.login.lower()}
    ]


def _token_for(world: World, organization: Organization, person: RemotePerson, machine: str) -> OrganizationToken:
    text, now = written(secrets.token_hex(32)), world.now()
    name = "".join(letter for letter in machine if letter.isprintable())[:LONGEST_NAME].strip()
    with world.store.open(organization.id) as books:
        engineer = books.save_engineer(Engineer(0, person.id, person.login, EngineerKind.MEMBER, now))
        made = EngineerToken(books.new_id(), organization.id, engineer.id, digest_of(text), name, USUAL, now)
        books.add_engineer_token(made)
        body = {"name": name, "scopes": list(USUAL), "by": "login"}
        books.audit(AuditRow("token.created", now, str(made.id), body, engineer.id))
        owners = books.former_owners()
    formerly = _given_up(world, organization, owners - {organization.login.lower()})
    return OrganizationToken(organization.login, text, USUAL, formerly)


def _given_up(world: World, organization: Organization, owners: set[str]) -> tuple[str, ...]:
    """Of those that repositories of the organization once had as their owner, the names that are nobody's now: its own, before.

    Whoever gave it a repository is there still. Where GitHub does not tell, a name is not taken for the organization's.
    """
    github = world.github.installation(organization.installation_id or 0)
    found = []
    for owner in sorted(owners)[:MOST_OWNERS]:
        try:
            if github.user(owner) is None:
                found.append(owner)
        except GitHubError:
            break
    return tuple(found)


def _not_a_member(login: str, only: str) -> ApiError:
    return ApiError(
        403,
        f"{login} is no member of {only or 'an organization'} that this server serves.",
        "Members are those GitHub lists as such, who can see at least one repository that the App is installed on.",
        "Accept the organization's invitation, or ask its owners to install the App on a repository you work in.",
    )


def _github_is_away(error: GitHubError) -> ApiError:
    return ApiError(503, "GitHub could not be asked.", str(error), "Try again in a moment.", error.retry_after or 30)
