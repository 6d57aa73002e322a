"""`audit`: is the log of decisions whole, and do the ledger's entries add up to what budgets and sessions show?"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from app.cli.opening import Opened, OperatorError, opened
from app.jobs.seal_audit import seal_key
from app.ledger.books import Head
from app.ledger.recompute import Difference, recompute
from app.registry import Organization
from app.store.audit_chain import BEFORE_THE_FIRST, Flaw
from app.store.audit_chain import verify as verify_chain
from tabstop.quantity import plural

PART = 1_000
"""Rows checked at a time."""

_KEPT = re.compile(r"^(?P<login>\S+)\s+(?P<seq>[0-9]+)\s+(?P<hash>[0-9a-f]{64})$")


@dataclass(frozen=True, slots=True)
class Verified:
    """An organization's chain: where it ends, and its first flaw."""

    login: str
    head: Head
    flaw: Flaw | None


@click.group()
def audit() -> None:
    """Prove the audit log and the ledger."""


@audit.command()
@click.option("--organization", "login", metavar="ORG", help="Only of this one.")
@click.option(
    "--head",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Heads that were kept: FILE has the lines an earlier `verify` printed.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def verify(login: str | None, file: Path | None, as_json: bool) -> None:
    """Check that no sealed row was changed, removed or moved, and print each chain's head.

    Keep what it prints where this server's operators cannot write: with --head, rows cut off at the end are found too.
    Exit code 1 when a chain has a flaw.
    """
    kept = read_heads(file) if file else {}
    with opened() as here:
        found = [verified(here, o, kept.get(o.login.lower())) for o in here.organizations(login)]
    missing = sorted(set(kept) - {one.login.lower() for one in found}) if login is None else []
    for one in found:
        click.echo(as_line(one, as_json=as_json))
    for gone in missing:
        click.echo(f"{gone}: a head was kept, but there is no such organization any more.", err=True)
    if not found and not as_json:
        click.echo("There is no organization yet.")
    sys.exit(1 if missing or any(one.flaw for one in found) else 0)


def verified(here: Opened, organization: Organization, kept: Head | None) -> Verified:
    """Check one chain, part by part, each in a short transaction of its own."""
    key = seal_key(here.settings.secret_key)
    last = Head(0, BEFORE_THE_FIRST)
    while True:
        with here.store.look(organization.id) as books:
            rows = books.audit_rows(after=last.seq, limit=PART)
            stored = books.audit_head()
        ends = len(rows) < PART
        inside = kept is not None and (ends or last.seq <= kept.seq <= rows[-1].seq)
        flaw = verify_chain(rows, key, kept if inside else None, start=last)
        if flaw is not None:
            return Verified(organization.login, last, flaw)
        if inside and rows and kept is not None and kept.seq <= rows[-1].seq:
            kept = None
        last = Head(rows[-1].seq, rows[-1].hash) if rows else last
        if ends:
            break
    if stored is not None and stored.seq > last.seq:
        cut = f"the chain ends at row {last.seq}, but the stored head is row {stored.seq}: rows were cut off"
        return Verified(organization.login, last, Flaw(last.seq + 1, cut))
    return Verified(organization.login, last, None)


def as_line(one: Verified, *, as_json: bool) -> str:
    """`acme 120 HASH`, which is what `--head` reads; or what is wrong."""
    if as_json:
        flaw = {"row": one.flaw.seq, "what": one.flaw.what} if one.flaw else None
        return json.dumps({"organization": one.login, "rows": one.head.seq, "hash": one.head.hash, "flaw": flaw})
    if one.flaw:
        return f"{one.login}: NOT WHOLE: {one.flaw.what}."
    return f"{one.login} {one.head.seq} {one.head.hash}"


def read_heads(file: Path) -> dict[str, Head]:
    """Heads by login, lower case. Raises `OperatorError`."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{file} cannot be read: {error}") from error
    heads = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _KEPT.match(line.strip())
        if not found:
            raise OperatorError(
                f"{file}:{number}: {line!r} is no head; a line is `ORG ROW HASH`, as `verify` prints it."
            )
        heads[found["login"].lower()] = Head(int(found["seq"]), found["hash"])
    return heads


@audit.command("recompute")
@click.option("--organization", "login", metavar="ORG", help="Only of this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def recompute_totals(login: str | None, as_json: bool) -> None:
    """Add up the ledger's entries anew and compare with what budgets and sessions show. Changes nothing.

    Exit code 1 when something differs: that is a mistake in Tabstop, please report it with this output.
    """
    differs = False
    with opened() as here:
        for organization in here.organizations(login):
            with here.store.look(organization.id) as books:
                found = recompute(books, here.now())
                counted = (len(books.all_budgets(here.now())), len(books.all_sessions()))
            differs = differs or bool(found)
            click.echo(_compared(organization.login, found, *counted, as_json=as_json))
    sys.exit(1 if differs else 0)


def _compared(login: str, found: Sequence[Difference], budgets: int, sessions: int, *, as_json: bool) -> str:
    if as_json:
        told = {"organization": login, "budgets": budgets, "sessions": sessions, "differences": [str(d) for d in found]}
        return json.dumps(told)
    looked_at = f"{plural(budgets, 'budget')} and {plural(sessions, 'session')}"
    if not found:
        return f"{login}: {looked_at} equal the ledger."
    return "\n".join([f"{login}: {plural(len(found), 'difference')} in {looked_at}:", *(f"  {d}" for d in found)])
