"""A real OIDC issuer on loopback, for tests: discovery, JWKS, and the token endpoint that GitHub gives a running job."""

from __future__ import annotations

import json
import secrets
import threading
import time
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

LIFETIME_SECONDS = 300  # exp - iat and iat - nbf as in GitHub's documented example
NOT_BEFORE_SECONDS = 600


# Claims that the `github` context carries under the same name.
_SHARED = (
    "actor",
    "actor_id",
    "base_ref",
    "event_name",
    "head_ref",
    "ref",
    "ref_type",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "run_attempt",
    "run_id",
    "run_number",
    "sha",
    "workflow",
    "workflow_ref",
)


def github_claims(
    *,
    event_name: str = "push",
    pull_request: int | None = None,
    repository: str = "acme/widget",
    branch: str = "main",
    sha: str = "a" * 40,
    actor: str = "alice",
    **overrides: str,
) -> dict[str, str]:
    """The claims of one job, with GitHub's names; every id is a string, as GitHub sends it.

    With `pull_request`, the ref is the merge ref and `branch` is the head; `sha` is then the merge commit, not the head.
    The default ids are those of the emulated organization (tests/emulators/seed.yaml). Any claim can be overridden.
    Source: docs.github.com, actions/reference/security/oidc.
    """
    owner, name = repository.split("/")
    on_pull_request = pull_request is not None and event_name.startswith("pull_request")
    event = event_name
    ref = f"refs/heads/{branch}"
    if on_pull_request:
        ref = f"refs/pull/{pull_request}/merge" if event == "pull_request" else "refs/heads/main"
    workflow = f"{repository}/.github/workflows/agent.yml@{ref}"
    claims = {
        # Repositories made since July 2026 carry ids in `sub`; nobody may parse it.
        "sub": f"repo:{owner}@1/{name}@1:{'pull_request' if event == 'pull_request' else 'ref:' + ref}",
        "actor": actor,
        "actor_id": "3",
        "base_ref": "main" if on_pull_request else "",
        "check_run_id": "9001",
        "event_name": event,
        "head_ref": branch if on_pull_request else "",
        "job_workflow_ref": workflow,
        "job_workflow_sha": sha,
        "ref": ref,
        "ref_protected": "false",
        "ref_type": "branch",
        "repository": repository,
        "repository_id": "1",
        "repository_owner": owner,
        "repository_owner_id": "1",
        "repository_visibility": "private",
        "run_attempt": "1",
        "run_id": "7001",
        "run_number": "12",
        "runner_environment": "github-hosted",
        "sha": sha,
        "workflow": "agent",
        "workflow_ref": workflow,
        "workflow_sha": sha,
    }
    return claims | overrides


def github_context(claims: Mapping[str, str]) -> dict[str, str]:
    """The `github` context that goes with a job's claims, for `ActionRunner.run(github=…)`."""
    ref_name = claims["ref"].removeprefix("refs/heads/").removeprefix("refs/pull/")
    return {name: claims[name] for name in _SHARED} | {"ref_name": ref_name}


class OidcIssuer:
    """The running issuer. `begin_job` plays the runner's part, `token` skips it."""

    def __init__(self) -> None:
        self._jobs: dict[str, dict[str, Any]] = {}
        self._published: dict[str, rsa.RSAPrivateKey] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self.jwks_url = f"{self.issuer}/.well-known/jwks"
        self.discovery_url = f"{self.issuer}/.well-known/openid-configuration"
        self.jwks_requests = 0
        self._kid = self.rotate_key()

    @classmethod
    def start(cls) -> Self:
        """Starts an issuer with a fresh key on a free port of loopback."""
        issuer = cls()
        threading.Thread(target=issuer._server.serve_forever, args=(0.05,), daemon=True).start()
        return issuer

    def begin_job(self, claims: Mapping[str, Any]) -> dict[str, str]:
        """The two variables a job with `permissions: id-token: write` finds in its environment.

        Each request mints a token with these claims and a `jti` of its own. A job of a fork gets no variables at all.
        """
        bearer = secrets.token_urlsafe(24)
        self._jobs[bearer] = dict(claims)
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.issuer}/_apis/idtoken?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": bearer,
        }

    def token(
        self,
        claims: Mapping[str, Any],
        *,
        audience: str | None = None,
        issued_at: int | None = None,
        expires_in: int = LIFETIME_SECONDS,
        key: rsa.RSAPrivateKey | None = None,
    ) -> str:
        """A signed token (RS256). Without an audience it is the owner's address, as GitHub's default. `key` forges another signature."""
        now = int(time.time()) if issued_at is None else issued_at
        whole = {
            "jti": str(uuid.uuid4()),
            "iss": self.issuer,
            "aud": audience or f"https://github.com/{claims.get('repository_owner', 'acme')}",
            "iat": now,
            "nbf": now - NOT_BEFORE_SECONDS,
            "exp": now + expires_in,
            **claims,
        }
        return jwt.encode(whole, key or self._published[self._kid], algorithm="RS256", headers={"kid": self._kid})

    def rotate_key(self) -> str:
        """Signs with a new key from now on, and keeps publishing the old ones; answers the new key's id."""
        self._kid = uuid.uuid4().hex
        self._published[self._kid] = self.foreign_key()
        return self._kid

    @staticmethod
    def foreign_key() -> rsa.RSAPrivateKey:
        """A key this issuer does not publish."""
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def stop(self) -> None:
        """Stops answering."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answer(self, path: str, bearer: str) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(path)
        if parts.path == "/.well-known/openid-configuration":
            return 200, self._discovery()
        if parts.path == "/.well-known/jwks":
            self.jwks_requests += 1
            return 200, {"keys": [_public(kid, key) for kid, key in self._published.items()]}
        if parts.path == "/_apis/idtoken":
            claims = self._jobs.get(bearer)
            if claims is None:
                return 401, {"message": "unknown bearer"}
            audience = parse_qs(parts.query).get("audience", [None])[0]
            return 200, {"count": 1, "value": self.token(claims, audience=audience)}
        return 404, {"message": "not found"}

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "jwks_uri": self.jwks_url,
            "subject_types_supported": ["public", "pairwise"],
            "response_types_supported": ["id_token"],
            "claims_supported": ["sub", "aud", "exp", "iat", "iss", "jti", "nbf", *github_claims()],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid"],
        }


def _public(kid: str, key: rsa.RSAPrivateKey) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "RS256"}


def _handler(issuer: OidcIssuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            bearer = self.headers.get("Authorization", "").removeprefix("bearer ").removeprefix("Bearer ")
            status, body = issuer._answer(self.path, bearer)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
            """Says nothing: a test's output is its own."""

    return Handler
