"""Engineers' tokens: shown once, stored as a digest, listed, revoked, audited."""

from __future__ import annotations

import json
import re

import pytest

from app.identity.engineer_token import USUAL, digest_of
from tests.cli_operator.operator_at_work import AtWork


def new(at_work: AtWork, *more: str, login: str = "alice") -> str:
    """Make a token; answers its text."""
    result = at_work.types("token", "new", "--organization", "acme", "--engineer", login, *more)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_a_token_is_printed_once_and_stored_as_a_digest(at_work: AtWork) -> None:
    """What is printed opens the door; nothing stored contains it."""
    acme = at_work.with_acme()
    text = new(at_work, "--scope", "start", "--scope", "read", "--name", "laptop")
    assert re.fullmatch(r"tabstop_eng_[0-9a-f]{64}", text)
    stored = at_work.store().engineer_token(digest_of(text))
    assert stored is not None
    assert (stored.engineer_id, stored.scopes, stored.name) == (acme.alice.id, ("start", "read"), "laptop")
    assert text.encode() not in (at_work.folder / "tabstop.db").read_bytes()
    assert text not in at_work.types("token", "list", "--all", "--json").output


def test_without_scopes_it_is_good_for_everything(at_work: AtWork) -> None:
    """The scopes have to be given only to leave some out."""
    at_work.with_acme()
    stored = at_work.store().engineer_token(digest_of(new(at_work)))
    assert stored is not None
    assert stored.scopes == USUAL


def test_list_and_revoke(at_work: AtWork) -> None:
    """A revoked token leaves the list at once; `--all` still shows it. Revoking it again is no error."""
    at_work.with_acme()
    text = new(at_work, "--name", "laptop")
    [shown] = [json.loads(line) for line in at_work.types("token", "list", "--json").stdout.splitlines()]
    assert (shown["engineer"], shown["organization"], shown["name"]) == ("alice", "acme", "laptop")
    assert "laptop" in at_work.types("token", "list", "--organization", "ACME").output
    for _ in range(2):
        assert at_work.types("token", "revoke", str(shown["id"])).exit_code == 0
    stored = at_work.store().engineer_token(digest_of(text))
    assert stored is not None
    assert stored.revoked_at is not None
    assert at_work.types("token", "list").output == "There are no tokens.\n"
    assert "laptop" in at_work.types("token", "list", "--all").output


def test_somebody_nobody_met_is_named_by_id(at_work: AtWork) -> None:
    """A token can be made before an engineer's first session, if their id on GitHub is given; a typo cannot."""
    at_work.with_acme()
    refused = at_work.types("token", "new", "--organization", "acme", "--engineer", "bob")
    assert refused.exit_code == 1
    assert "has not met bob" in refused.output
    assert "--github-id" in refused.output
    assert new(at_work, "--github-id", "502", login="bob").startswith("tabstop_eng_")
    conflict = at_work.types("token", "new", "--organization", "acme", "--engineer", "alice", "--github-id", "9")
    assert "alice has the id 501 here, not 9" in conflict.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("token", "revoke", "12"), "There is no token 12"),
        (("token", "list", "--organization", "acne"), "There is no organization acne. Known: acme."),
        (("token", "new", "--organization", "acme", "--engineer", "alice", "--scope", "all"), "'all' is not one of"),
    ],
)
def test_what_does_not_exist_is_said(at_work: AtWork, words: tuple[str, ...], said: str) -> None:
    """Errors name what was given and what there is."""
    at_work.with_acme()
    result = at_work.types(*words)
    assert result.exit_code != 0
    assert said in result.output


def test_tokens_leave_audit_rows(at_work: AtWork) -> None:
    """Who may act for whom is a decision: made and revoked are in the log, by internal id."""
    acme = at_work.with_acme()
    new(at_work)
    [shown] = [json.loads(line) for line in at_work.types("token", "list", "--json").stdout.splitlines()]
    at_work.types("token", "revoke", str(shown["id"]))
    store = at_work.store()
    store.seal_audit(acme.organization.id, b"k")
    with store.look(acme.organization.id) as books:
        rows = [(r.row.kind, r.row.subject, r.row.engineer_id) for r in books.audit_rows()]
    assert rows[-2:] == [
        ("token.created", str(shown["id"]), acme.alice.id),
        ("token.revoked", str(shown["id"]), acme.alice.id),
    ]
