"""The issuer's tokens verify as GitHub's do, by discovery and JWKS over HTTP."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

import jwt
import pytest

from tests.support.oidc_issuer import OidcIssuer, github_claims, github_context


def ask(url: str, bearer: str) -> dict[str, Any]:
    request = urllib.request.Request(url, headers={"Authorization": f"bearer {bearer}"})  # noqa: S310 (loopback)
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found


def verify(issuer: OidcIssuer, token: str, audience: str) -> dict[str, Any]:
    key = jwt.PyJWKClient(ask(issuer.discovery_url, "")["jwks_uri"]).get_signing_key_from_jwt(token)
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=issuer.issuer)
    return claims


def test_a_job_gets_tokens_for_the_audience_it_asks(oidc_issuer: OidcIssuer) -> None:
    """The runner's two variables are enough to get a verifiable token; each has its own jti; ids are strings."""
    env = oidc_issuer.begin_job(github_claims(event_name="pull_request", pull_request=7, branch="claude/x"))
    url, bearer = env["ACTIONS_ID_TOKEN_REQUEST_URL"], env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    tokens = [ask(f"{url}&audience=tabstop", bearer)["value"] for _ in range(2)]
    first, second = (verify(oidc_issuer, token, "tabstop") for token in tokens)
    assert first["jti"] != second["jti"]
    assert (first["ref"], first["head_ref"], first["base_ref"]) == ("refs/pull/7/merge", "claude/x", "main")
    assert (first["repository_id"], first["run_id"]) == ("1", "7001")
    assert first["exp"] - first["iat"] == 300
    assert verify(oidc_issuer, ask(url, bearer)["value"], "https://github.com/acme")["actor"] == "alice"


def test_an_unknown_bearer_gets_nothing(oidc_issuer: OidcIssuer) -> None:
    """A token of another job's environment is needed, not just the address."""
    env = oidc_issuer.begin_job(github_claims())
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        ask(env["ACTIONS_ID_TOKEN_REQUEST_URL"], "guess")
    refused.value.close()


def test_forged_and_expired_tokens_do_not_verify(oidc_issuer: OidcIssuer) -> None:
    """A signature by another key and an old token are refused by an ordinary verifier."""
    forged = oidc_issuer.token(github_claims(), audience="tabstop", key=oidc_issuer.foreign_key())
    with pytest.raises(jwt.InvalidSignatureError):
        verify(oidc_issuer, forged, "tabstop")
    old = oidc_issuer.token(github_claims(), audience="tabstop", issued_at=int(time.time()) - 3600)
    with pytest.raises(jwt.ExpiredSignatureError):
        verify(oidc_issuer, old, "tabstop")


def test_after_a_rotation_old_and_new_tokens_verify(oidc_issuer: OidcIssuer) -> None:
    """A rotated key is published beside the old one."""
    before = oidc_issuer.token(github_claims(), audience="tabstop")
    oidc_issuer.rotate_key()
    after = oidc_issuer.token(github_claims(), audience="tabstop")
    assert {verify(oidc_issuer, token, "tabstop")["repository"] for token in (before, after)} == {"acme/widget"}


@pytest.mark.parametrize(
    ("event", "ref", "head"),
    [
        ("push", "refs/heads/claude/x", ""),
        ("pull_request", "refs/pull/7/merge", "claude/x"),
        ("pull_request_target", "refs/heads/main", "claude/x"),
        ("issue_comment", "refs/heads/claude/x", ""),
    ],
)
def test_only_pull_request_events_prove_a_pull_request(event: str, ref: str, head: str) -> None:
    """`ref` names the pull request on `pull_request` alone; the `github` context agrees with the claims."""
    claims = github_claims(event_name=event, pull_request=7, branch="claude/x")
    assert (claims["ref"], claims["head_ref"]) == (ref, head)
    assert github_context(claims)["ref"] == ref
    assert all(isinstance(value, str) for value in claims.values())
