"""A runner's identity token: what it proves, and every way it can be refused."""

from __future__ import annotations

import dataclasses
import re
import time

import pytest

from app.identity.oidc import IdentityError, OidcVerifier, RunnerClaims, keys_at
from tests.support.oidc_issuer import OidcIssuer, github_claims

AUDIENCE = "https://tabstop.example"


def verifier(issuer: OidcIssuer) -> OidcVerifier:
    return OidcVerifier(issuer.issuer, AUDIENCE, keys_at(issuer.jwks_url))


def test_a_token_of_the_issuer_gives_its_claims_as_numbers(oidc_issuer: OidcIssuer) -> None:
    """GitHub sends ids as text; we keep them as numbers, and never look at `sub`."""
    claims = verifier(oidc_issuer).verify(
        oidc_issuer.token(github_claims(event_name="pull_request", pull_request=7), audience=AUDIENCE)
    )
    assert isinstance(claims.repository_id, int)
    assert claims.proven_pull_request == 7
    assert claims.event == "pull_request"


def test_a_rotated_key_is_found(oidc_issuer: OidcIssuer) -> None:
    """The issuer may sign with a new key at any time; the next token is accepted without a restart."""
    checks = OidcVerifier(oidc_issuer.issuer, AUDIENCE, keys_at(oidc_issuer.jwks_url, cooldown_seconds=0))
    checks.verify(oidc_issuer.token(github_claims(), audience=AUDIENCE))
    oidc_issuer.rotate_key()
    assert checks.verify(oidc_issuer.token(github_claims(), audience=AUDIENCE)).run_id


def test_a_token_for_another_audience_is_refused(oidc_issuer: OidcIssuer) -> None:
    """A token made for another service must not start sessions here; the refusal says which audience to ask for."""
    with pytest.raises(IdentityError, match=re.escape(f"audience {AUDIENCE}")):
        verifier(oidc_issuer).verify(oidc_issuer.token(github_claims(), audience="https://elsewhere.example"))


def test_an_expired_token_is_refused(oidc_issuer: OidcIssuer) -> None:
    """Tokens live five minutes; half a minute of clock difference is forgiven, an hour is not."""
    old = oidc_issuer.token(github_claims(), audience=AUDIENCE, issued_at=int(time.time()) - 3_600)
    with pytest.raises(IdentityError, match="expired"):
        verifier(oidc_issuer).verify(old)


def test_a_token_signed_by_somebody_else_is_refused(oidc_issuer: OidcIssuer) -> None:
    """A key that is not in the issuer's set proves nothing."""
    forged = oidc_issuer.token(github_claims(), audience=AUDIENCE, key=oidc_issuer.foreign_key())
    with pytest.raises(IdentityError):
        verifier(oidc_issuer).verify(forged)


@pytest.mark.parametrize("text", ["", "abc", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_text_that_is_no_token_is_refused(oidc_issuer: OidcIssuer, text: str) -> None:
    """Anything that is not a signed token is refused with a sentence, never with a crash."""
    with pytest.raises(IdentityError):
        verifier(oidc_issuer).verify(text)


def test_keys_that_cannot_be_fetched_are_our_fault() -> None:
    """When the issuer cannot be reached the caller is told to try again, not that the token is bad."""
    with OidcIssuer.start() as gone:
        token = gone.token(github_claims(), audience=AUDIENCE)
        checks = verifier(gone)
    with pytest.raises(IdentityError) as failure:
        checks.verify(token)
    assert failure.value.unavailable


def some_claims(*, event: str, ref: str) -> RunnerClaims:
    claims = RunnerClaims("jti", 1, "acme/widget", 1, "acme", "9", "1", "", 3, "alice", "push", "", "", "c0ffee")
    return dataclasses.replace(claims, event=event, ref=ref)


@pytest.mark.parametrize(
    ("event", "ref", "pull_request", "branch"),
    [
        ("pull_request", "refs/pull/7/merge", 7, ""),
        ("pull_request_target", "refs/heads/main", None, ""),
        ("pull_request_target", "refs/pull/7/merge", None, ""),
        ("issue_comment", "refs/heads/main", None, "main"),
        ("push", "refs/heads/claude/fix", None, "claude/fix"),
        ("push", "refs/tags/v1", None, ""),
        ("workflow_dispatch", "refs/pull/7/merge", None, ""),
        ("pull_request", "refs/pull/x/merge", None, ""),
        ("schedule", "", None, ""),
        ("merge_group", f"refs/heads/gh-readonly-queue/main/pr-7-{'a' * 40}", 7, ""),
        ("merge_group", f"refs/heads/gh-readonly-queue/release/v3/pr-7-{'a' * 40}", 7, ""),
        ("merge_group", "refs/heads/gh-readonly-queue/main/something-else", None, ""),
        ("push", f"refs/heads/gh-readonly-queue/main/pr-7-{'a' * 40}", None, ""),
    ],
)
def test_what_a_ref_proves(event: str, ref: str, pull_request: int | None, branch: str) -> None:
    """A pull request is proven by `ref` on `pull_request` and `merge_group` events only; a branch by `refs/heads/` on the others,

    but for the merge queue's own, which live for minutes.
    """
    claims = some_claims(event=event, ref=ref)
    assert (claims.proven_pull_request, claims.branch) == (pull_request, branch)
