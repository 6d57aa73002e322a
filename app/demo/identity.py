"""The demo's identity issuer: keys and tokens as GitHub gives them to a running job, on two routes of this process."""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Blueprint, Response, jsonify, request
from jwt.algorithms import RSAAlgorithm

from app.demo import cast

TOKEN_PATH = "/_apis/idtoken"  # noqa: S105 (a path)
KEYS_PATH = "/.well-known/jwks"

LIFETIME_SECONDS, NOT_BEFORE_SECONDS = 300, 600
"""As in GitHub's documented example (docs.github.com, actions/reference/security/oidc)."""


class Issuer:
    """Signs tokens with a key made now, and publishes the key."""

    def __init__(self, address: str) -> None:
        """The address is the issuer's name in its tokens."""
        self.address = address
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._kid = uuid.uuid4().hex
        self._jobs: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def begin_job(self, claims: dict[str, str]) -> dict[str, str]:
        """The two variables a job with `permissions: id-token: write` finds in its environment."""
        bearer = secrets.token_urlsafe(24)
        with self._lock:
            self._jobs[bearer] = claims
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.address}{TOKEN_PATH}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": bearer,
        }

    def routes(self) -> Blueprint:
        """Keys for the server, tokens for jobs."""
        pages = Blueprint("issuer", __name__)

        @pages.get(KEYS_PATH)
        def keys() -> Response:
            public = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
            return jsonify({"keys": [{**public, "kid": self._kid, "use": "sig", "alg": "RS256"}]})

        @pages.get(TOKEN_PATH)
        def token() -> Response | tuple[Response, int]:
            bearer = request.headers.get("Authorization", "").partition(" ")[2]
            with self._lock:
                claims = self._jobs.get(bearer)
            if claims is None:
                return jsonify({"message": "unknown bearer"}), 401
            return jsonify({"value": self._sign(claims, request.args.get("audience", ""))})

        return pages

    def _sign(self, claims: dict[str, str], audience: str) -> str:
        now = int(time.time())
        body: dict[str, Any] = {
            "jti": str(uuid.uuid4()),
            "iss": self.address,
            "aud": audience,
            "iat": now,
            "nbf": now - NOT_BEFORE_SECONDS,
            "exp": now + LIFETIME_SECONDS,
            **claims,
        }
        return jwt.encode(body, self._key, algorithm="RS256", headers={"kid": self._kid})


def job_claims(run_id: int) -> dict[str, str]:
    """What GitHub vouches for in a job on the pull request; every id is a string, as GitHub sends it."""
    ref = f"refs/pull/{cast.NUMBER}/merge"
    workflow = f"{cast.REPOSITORY}/.github/workflows/agent.yml@{ref}"
    return {
        "sub": f"repo:{cast.REPOSITORY}:pull_request",
        "actor": cast.ALICE.login,
        "actor_id": str(cast.ALICE.github_id),
        "base_ref": "main",
        "check_run_id": str(run_id + 100_000),
        "event_name": "pull_request",
        "head_ref": cast.BRANCH,
        "job_workflow_ref": workflow,
        "ref": ref,
        "ref_type": "branch",
        "repository": cast.REPOSITORY,
        "repository_id": str(cast.REPOSITORY_ID),
        "repository_owner": cast.ORGANIZATION,
        "repository_owner_id": str(cast.ORGANIZATION_ID),
        "repository_visibility": "private",
        "run_attempt": "1",
        "run_id": str(run_id),
        "run_number": str(run_id % 1000),
        "runner_environment": "github-hosted",
        "sha": cast.TEST_MERGE,
        "workflow": "agent",
        "workflow_ref": workflow,
    }
