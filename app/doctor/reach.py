"""Whether others are reached: this server by its public address, the issuer's keys; and whether the clock is right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from app.doctor.diagnosis import Diagnosis, ok, problem, warning
from app.identity.oidc import LEEWAY_SECONDS
from app.settings import Settings
from app.web.setup_state import is_local

CLOCK_WARNING_SECONDS = 10


class NoAnswerError(Exception):
    """An address did not answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address answered. at: its own clock, from the header `Date`."""

    status: int
    text: str
    at: datetime | None = None


def public_url(settings: Settings, answer: Answer | NoAnswerError) -> Diagnosis:
    """Whether `/healthz` answers at the public address, asked from this machine."""
    url = settings.page("/healthz")
    if is_local(settings.public_url):
        return warning(
            "public address",
            f"{settings.public_url} leads nowhere from GitHub: no webhook can arrive, and links work on this machine only.",
            "Set TABSTOP_PUBLIC_URL to the address under which GitHub and people reach this server.",
        )
    if isinstance(answer, NoAnswerError):
        return warning(
            "public address",
            f"{url} does not answer from here: {answer}",
            "Is `serve` running, and the proxy or tunnel before it? If this machine cannot see its own public address, "
            "open it from elsewhere.",
        )
    if answer.status == 200 and _object(answer.text).get("status") == "ok":
        return ok("public address", f"{url} answers.")
    return problem(
        "public address",
        f"{url} answers {answer.status}, and not as this server would.",
        "Something else listens there: check TABSTOP_PUBLIC_URL and where the proxy sends requests.",
    )


def issuer_keys(settings: Settings, answer: Answer | NoAnswerError) -> Diagnosis:
    """Whether runners' identity tokens can be checked."""
    url = settings.jwks_url
    remedy = "Every start from a workflow is refused until this works. Check the network and TABSTOP_OIDC_JWKS_URL."
    if isinstance(answer, NoAnswerError):
        return problem("identity keys", f"{url} does not answer: {answer}", remedy)
    keys = _object(answer.text).get("keys")
    if answer.status == 200 and isinstance(keys, list) and keys:
        return ok("identity keys", f"{url} has {len(keys)}.")
    return problem("identity keys", f"{url} answers {answer.status} without any key.", remedy)


def clock(settings: Settings, now: datetime, answer: Answer | NoAnswerError) -> Diagnosis:
    """Whether this machine's clock agrees with GitHub's."""
    if isinstance(answer, NoAnswerError) or answer.at is None:
        return ok("clock", f"Not compared: {settings.github_api_url} did not tell the time.")
    apart = round((now - answer.at).total_seconds())
    found = f"{abs(apart)} s {'ahead of' if apart > 0 else 'behind'} GitHub's."
    if abs(apart) > LEEWAY_SECONDS:
        return problem(
            "clock",
            found,
            f"Set this machine's clock (NTP): from {LEEWAY_SECONDS} s on, valid identity tokens are refused, and GitHub "
            "refuses ours from 60 s on.",
        )
    if abs(apart) > CLOCK_WARNING_SECONDS:
        return warning("clock", found, "Set this machine's clock (NTP) before it drifts further.")
    return ok("clock", "Agrees with GitHub's.")


def _object(text: str) -> dict[str, object]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
