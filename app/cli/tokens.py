"""`token`: engineers' own tokens, for agents that run outside of GitHub Actions."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict

import click

from app.cli.columns import columns, minute
from app.cli.opening import Opened, OperatorError, opened
from app.identity.engineer_token import SCOPES, USUAL, digest_of, written
from app.ledger.books import AuditRow
from app.registry import Engineer, EngineerToken, Organization, Transaction


@click.group()
def token() -> None:
    """Tokens of engineers, for laptops: made here, shown once, revocable."""


@token.command()
@click.option("--organization", required=True, metavar="ORG", help="The organization it is for.")
@click.option("--engineer", "login", required=True, metavar="LOGIN", help="Whose sessions and budget.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What it is good for; may be repeated.  [start, read]",
)
@click.option("--name", default="", help="To tell it from others: `laptop`.")
@click.option("--github-id", type=int, help="The engineer's id on GitHub, if Tabstop has not met them yet.")
def new(organization: str, login: str, scopes: tuple[str, ...], name: str, github_id: int | None) -> None:
    """Make a token and print it, once. Only its digest is stored."""
    chosen = tuple(scope for scope in SCOPES if scope in scopes) or USUAL
    text = written(secrets.token_hex(32))
    with opened() as here:
        found = here.organization(organization)
        with here.store.open(found.id) as books:
            engineer = _engineer(books, found, login, github_id)
            made = EngineerToken(books.new_id(), found.id, engineer.id, digest_of(text), name, chosen, here.now())
            books.add_engineer_token(made)
            body = {"name": name, "scopes": list(chosen)}
            books.audit(AuditRow("token.created", made.created_at, str(made.id), body, engineer.id))
    click.echo(text)
    click.echo(
        f"Token {made.id} of {engineer.login} in {found.login}, good for: {', '.join(chosen)}. It is shown this once; "
        f"`token revoke {made.id}` ends it.",
        err=True,
    )


@token.command("list")
@click.option("--organization", metavar="ORG", help="Only of this one.")
@click.option("--all", "ended", is_flag=True, help="Revoked ones too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_tokens(organization: str | None, ended: bool, as_json: bool) -> None:
    """List tokens, newest first. Their text is nowhere."""
    with opened() as here:
        rows = [
            (found, one, login)
            for found in here.organizations(organization)
            for one, login in _tokens(here, found)
            if ended or one.revoked_at is None
        ]
    if as_json:
        for found, one, login in rows:
            click.echo(json.dumps({"organization": found.login, "engineer": login} | _shown(one)))
        return
    if not rows:
        click.echo("There are no tokens.")
        return
    click.echo(
        columns(
            ("id", "organization", "engineer", "good for", "created", "revoked", "name"),
            [
                (
                    str(one.id),
                    found.login,
                    login,
                    ", ".join(one.scopes),
                    minute(one.created_at),
                    minute(one.revoked_at),
                    one.name,
                )
                for found, one, login in rows
            ],
        )
    )


@token.command()
@click.argument("token_id", metavar="ID", type=int)
def revoke(token_id: int) -> None:
    """End the token ID at once. Sessions it started go on; they have tokens of their own."""
    with opened() as here:
        if not any(_revoke(here, found, token_id) for found in here.store.organizations()):
            raise OperatorError(f"There is no token {token_id}. `token list --all` shows them.")
    click.echo(f"Token {token_id} is revoked.")


def _revoke(here: Opened, organization: Organization, token_id: int) -> bool:
    """Whether the token is this organization's; revoked then, whether or not it was before."""
    with here.store.open(organization.id) as books:
        one = next((t for t in books.engineer_tokens() if t.id == token_id), None)
        if one is not None and one.revoked_at is None:
            books.revoke_engineer_token(token_id, here.now())
            books.audit(AuditRow("token.revoked", here.now(), str(token_id), {}, one.engineer_id))
        return one is not None


def _engineer(books: Transaction, organization: Organization, login: str, github_id: int | None) -> Engineer:
    found = books.engineer_by_login(login)
    if found is not None and github_id in {None, found.github_id}:
        return found
    if found is not None:
        raise OperatorError(
            f"{login} has the id {found.github_id} here, not {github_id}. Leave --github-id out, or check the login."
        )
    if github_id is None:
        raise OperatorError(
            f"Tabstop has not met {login} in {organization.login} yet. Check the spelling, or give their id on GitHub: "
            f"--github-id N (`gh api users/{login} --jq .id` prints it)."
        )
    return books.save_engineer(Engineer(0, github_id, login))


def _tokens(here: Opened, organization: Organization) -> list[tuple[EngineerToken, str]]:
    with here.store.look(organization.id) as books:
        people = {one.engineer_id: books.engineer(one.engineer_id) for one in books.engineer_tokens()}
        return [
            (one, engineer.login if (engineer := people[one.engineer_id]) else "") for one in books.engineer_tokens()
        ]


def _shown(one: EngineerToken) -> dict[str, object]:
    data = asdict(one)
    del data["digest"], data["organization_id"]
    for name in ("created_at", "revoked_at"):
        data[name] = data[name].isoformat() if data[name] else None
    return data
