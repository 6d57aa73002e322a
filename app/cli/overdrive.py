"""`overdrive`: raise one budget, for a time, with a name and a reason."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import click

from app.cli.amounts import COUNT, DOLLARS, SPAN
from app.cli.budget_target import (
    called,
    engineer_budget,
    guest_budget,
    organization_budget,
    repository_budget,
    tab_budget,
)
from app.cli.columns import columns, minute
from app.cli.opening import Opened, OperatorError, opened
from app.cli.session import raise_session
from app.ledger import overdrives
from app.ledger.books import Overdrive
from app.registry import Organization, Transaction
from tabstop.budget import Amount, Budget, show_amount
from tabstop.money import show
from tabstop.quantity import span
from tabstop.quantity import tokens as show_tokens
from tabstop.session import Limits


@click.group()
def overdrive() -> None:
    """Raises of single budgets, and of single sessions' limits."""


@overdrive.command()
@click.option("--organization", "login", metavar="ORG", help="The organization; needed for every budget.")
@click.option("--session", metavar="ID", help="Raise the limits of one session instead of a budget.")
@click.option("--tab", metavar="REPO#PR|REPO@BRANCH", help="Raise what a pull request or branch may spend.")
@click.option("--repository", metavar="REPO", help="Raise a repository's budget.")
@click.option("--guests", metavar="REPO", help="Raise the budget of a repository's bots and outsiders.")
@click.option("--engineer", metavar="LOGIN", help="Raise an engineer's budget.")
@click.option("--organization-budget", is_flag=True, help="Raise the organization's budget.")
@click.option("--amount", type=DOLLARS, default=0, help="By how many dollars: '$20'.")
@click.option("--tokens", type=COUNT, default=0, help="By how many tokens: 5M.")
@click.option("--iterations", type=click.IntRange(1), help="With --session: by how many model calls.")
@click.option("--tool-calls", type=click.IntRange(1), help="With --session: by how many tool calls.")
@click.option("--wall-clock", type=SPAN, help="With --session: by how much time.")
@click.option(
    "--for", "seconds", type=SPAN, help="For how long: 24h.  [until the budget's window ends; a session: 24h]"
)
@click.option("--why", required=True, help="The reason; it stands beside the raise and in the audit log.")
@click.option("--by", default="operator", metavar="LOGIN", help="Who approved it.  [operator]")
def grant(
    login: str | None,
    *,
    session: str | None,
    tab: str | None,
    repository: str | None,
    guests: str | None,
    engineer: str | None,
    organization_budget: bool,
    amount: int,
    tokens: int,
    iterations: int | None,
    tool_calls: int | None,
    wall_clock: int | None,
    seconds: int | None,
    why: str,
    by: str,
) -> None:
    """Raise one budget, or with --session the limits of one session, from now on. The check of a raised tab follows at once."""
    raised = Amount(amount, tokens)
    of_session = Limits(tokens or None, tool_calls, iterations, wall_clock, amount or None)
    if session is not None:
        if any((tab, repository, guests, engineer, organization_budget)):
            raise click.UsageError("Name one session or one budget, not both.")
        if of_session == Limits():
            raise click.UsageError(
                "Say by how much: --amount '$5', --tokens, --iterations, --tool-calls or --wall-clock."
            )
        click.echo(raise_session(session, of_session, seconds, why, by))
        return
    if login is None:
        raise click.UsageError("Missing option '--organization'.")
    if iterations or tool_calls or wall_clock:
        raise click.UsageError(
            "A budget is in dollars and tokens; --iterations, --tool-calls, --wall-clock need --session."
        )
    if raised == Amount():
        raise click.UsageError("Say by how much: --amount '$20', --tokens 5M, or both.")
    targets = {"tab": tab, "repository": repository, "guests": guests, "engineer": engineer}
    given = {name: value for name, value in targets.items() if value}
    if len(given) + organization_budget != 1:
        raise click.UsageError("Name one budget: --tab, --repository, --guests, --engineer or --organization-budget.")
    with opened() as here:
        now = here.now()
        expires_at = now + timedelta(seconds=seconds) if seconds else None
        organization = here.organization(login)
        with here.store.open(organization.id) as books:
            before = _target(books, organization, given, here)
            name = called(books, before.key)
            _must_bind(before, raised, name)
            approver = books.engineer_by_login(by)
            made = overdrives.grant(
                books,
                before,
                raised,
                expires_at=expires_at,
                approver=approver.login if approver else by,
                why=why,
                now=now,
                engineer_id=approver.id if approver else None,
            )
            after = books.budgets_by_id([before.id], now)[before.id]
    click.echo(granted(name, before, after, made, seconds))


@overdrive.command("list")
@click.option("--organization", "login", metavar="ORG", help="Only of this one.")
@click.option("--all", "ended", is_flag=True, help="Those that ended too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_overdrives(login: str | None, ended: bool, as_json: bool) -> None:
    """List raises, newest first."""
    with opened() as here:
        rows = [row for found in here.organizations(login) for row in _rows(here, found, ended=ended)]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
    elif not rows:
        click.echo("There are no overdrives." if ended else "No overdrive is in force. --all shows those that ended.")
    else:
        headings = ("id", "organization", "budget", "raised by", "granted", "until", "state", "approved by", "why")
        keys = ("id", "organization", "budget", "raised_by", "granted", "until", "state", "approver", "why")
        click.echo(columns(headings, [[str(row[key]) for key in keys] for row in rows]))


@overdrive.command()
@click.argument("overdrive_id", metavar="ID", type=int)
@click.option("--why", default="revoked by an operator", help="Shown in the audit log.")
def revoke(overdrive_id: int, why: str) -> None:
    """End the raise ID at once. Spend that it allowed stays, and may then be past the cap."""
    with opened() as here:
        name = next(filter(None, (_revoke(here, o, overdrive_id, why) for o in here.store.organizations())), "")
    if not name:
        raise OperatorError(f"There is no overdrive {overdrive_id}. `overdrive list --all` shows them.")
    click.echo(f"Overdrive {overdrive_id} is revoked: it does not raise {name} any more.")


def granted(name: str, before: Budget, after: Budget, made: Overdrive, seconds: int | None) -> str:
    """What the operator reads after a grant: old and new ceiling, what is free, until when, how to end it."""
    ceilings = []
    if made.amount.nano and before.nano_ceiling is not None and after.nano_ceiling is not None:
        ceilings.append(f"{show(before.nano_ceiling)} → {show(after.nano_ceiling)}")
    if made.amount.tokens and before.token_ceiling is not None and after.token_ceiling is not None:
        ceilings.append(f"{show_tokens(before.token_ceiling)} → {show_tokens(after.token_ceiling)} tokens")
    if made.expires_at is not None:
        until = f"until {minute(made.expires_at)} ({span(seconds or 0)})"
    elif after.key.window.end is not None:
        until = f"until its window ends, {minute(after.key.window.end)}"
    else:
        until = "for as long as the tab is open"
    lines = [f"Raised {name}: {', '.join(ceilings)}, {until}."]
    if after.nano_ceiling is not None:
        lines.append(_standing(after, "usd"))
    if after.token_ceiling is not None and (made.amount.tokens or after.nano_ceiling is None):
        lines.append(_standing(after, "tokens"))
    lines.append(f"Overdrive {made.id}; `overdrive revoke {made.id}` ends it.")
    return "\n".join(lines)


def _revoke(here: Opened, organization: Organization, overdrive_id: int, why: str) -> str:
    """What the raised budget is called; empty when this organization has no such raise."""
    with here.store.open(organization.id) as books:
        one = books.overdrive(overdrive_id)
        if one is None:
            return ""
        now = here.now()
        budget = books.budgets_by_id([one.budget_id], now)[one.budget_id]
        overdrives.revoke(books, one, budget, why=why, now=now)
        return called(books, budget.key)


def _standing(budget: Budget, unit: str) -> str:
    in_tokens = unit == "tokens"
    room = (budget.token_room if in_tokens else budget.nano_room) or 0
    amounts = (budget.spent, budget.unplaced, budget.held)
    spent, unplaced, held = (one.tokens if in_tokens else one.nano for one in amounts)
    left = show_amount(abs(room), unit)
    free = f"{left} free" if room > 0 else f"{left} over: new sessions are still refused"
    none, kept = (show_amount(one, unit).removesuffix(" tokens") for one in (unplaced, held))
    of_it = f" ({none} of it on no pull request or branch)" if unplaced else ""
    return f"Spent {show_amount(spent, unit)}{of_it}, held {kept}: {free}."


def _target(books: Transaction, organization: Organization, given: dict[str, str], here: Opened) -> Budget:
    now = here.now()
    match given:
        case {"tab": target}:
            return tab_budget(books, organization, target, now)
        case {"repository": name}:
            return repository_budget(books, organization, name, now)
        case {"guests": name}:
            return guest_budget(books, organization, name, now)
        case {"engineer": login}:
            return engineer_budget(books, login, now)
        case _:
            return organization_budget(books, organization, now)


def _must_bind(budget: Budget, raised: Amount, name: str) -> None:
    if raised.nano and budget.cap_nano is None:
        raise OperatorError(f"{name} has no cap in dollars, so there is nothing to raise.")
    if raised.tokens and budget.cap_tokens is None:
        raise OperatorError(f"{name} has no cap in tokens, so there is nothing to raise.")


def _rows(here: Opened, organization: Organization, *, ended: bool) -> list[dict[str, Any]]:
    now = here.now()
    with here.store.look(organization.id) as books:
        found = books.overdrives(in_force_at=None if ended else now)
        budgets = books.budgets_by_id({one.budget_id for one in found}, now)
        return [_row(books, organization, one, budgets[one.budget_id], one.in_force(now)) for one in found]


def _row(books: Transaction, organization: Organization, one: Overdrive, budget: Budget, binds: bool) -> dict[str, Any]:
    parts = [show(one.amount.nano)] if one.amount.nano else []
    parts += [f"{show_tokens(one.amount.tokens)} tokens"] if one.amount.tokens else []
    state = "revoked" if one.revoked_at else "in force" if binds else "ended"
    return {
        "id": one.id,
        "organization": organization.login,
        "budget": called(books, budget.key),
        "raised_by": ", ".join(parts),
        "nano": one.amount.nano,
        "tokens": one.amount.tokens,
        "granted": minute(one.granted_at),
        "until": minute(one.expires_at or budget.key.window.end) or "the tab ends",
        "state": state,
        "approver": one.approver,
        "why": one.why,
    }
