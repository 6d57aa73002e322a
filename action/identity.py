"""Who this job is: the OIDC token GitHub gives a running job, made out to the server.

Source: docs.github.com, actions/reference/security/oidc. Every call gives a fresh token, good for some minutes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from urllib.parse import quote

from tabstop.beside.server import NoTokenError
from tabstop.beside.transport import NoAnswerError, Request, Transport

URL, BEARER = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"

_PAUSES = (1.0, 3.0)
_TIMEOUT = 10.0


class IdentityError(NoTokenError):
    """This job cannot prove who it is."""


class NoIdentityError(IdentityError):
    """GitHub gave the job no right to ask: `permissions: id-token: write` is missing, or the run is a fork's."""


class IdentityUnavailableError(IdentityError):
    """GitHub's token service did not give one; later may be better."""


def oidc_token(
    environ: Mapping[str, str], transport: Transport, sleep: Callable[[float], None], *, audience: str
) -> str:
    """A fresh token for `audience`. Raises `IdentityError`."""
    url, bearer = environ.get(URL, ""), environ.get(BEARER, "")
    if not url or not bearer:
        raise NoIdentityError("GitHub gave this job no way to ask for an identity")
    address = f"{url}{'&' if '?' in url else '?'}audience={quote(audience, safe='')}"
    request = Request("GET", address, {"Authorization": f"Bearer {bearer}", "Accept": "application/json"})
    for pause in (*_PAUSES, None):
        try:
            response = transport.send(request, _TIMEOUT)
        except NoAnswerError as error:
            failed = str(error)
        else:
            if response.status == 200 and (token := _value(response.body)):
                return token
            failed = f"HTTP {response.status}"
        if pause is not None:
            sleep(pause)
    raise IdentityUnavailableError(f"GitHub's token service gave no identity: {failed}")


def _value(body: bytes) -> str:
    try:
        value = json.loads(body)["value"]
    except (ValueError, TypeError, KeyError):
        return ""
    return value if isinstance(value, str) else ""
