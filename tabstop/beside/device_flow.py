"""GitHub's device flow: a person types a short code on GitHub's page, and this machine gets a user token of the App.

Source: GitHub's docs, apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app,
"Using the device flow"; errors as in RFC 8628, section 3.5.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tabstop.beside.transport import NoAnswerError, Request, Transport

TIMEOUT = 15.0
SLOWER_BY = 5
"""Seconds added at each `slow_down` (RFC 8628, 3.5)."""

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_WHY = {
    "expired_token": "The code has expired. Run `tabstop login` again, and type it within a quarter of an hour.",
    "access_denied": "You declined on GitHub's page. Nothing was changed.",
    "device_flow_disabled": "The App does not allow this way to log in. Ask its owner to tick “Enable Device Flow” in the App's settings.",
    "incorrect_client_credentials": "GitHub does not know the App that the server names. Tell the people who run the server.",
}


class DeviceFlowError(Exception):
    """No token was given; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What GitHub gave. user_code: what the person types at `page`. interval, expires_in: seconds."""

    user_code: str
    page: str
    device_code: str = field(repr=False)
    interval: int = 5
    expires_in: int = 900


@dataclass(frozen=True, slots=True)
class DeviceFlow:
    """Of one App, at one GitHub (`https://github.com`). sleep takes seconds, clock gives them."""

    github: str
    client_id: str
    transport: Transport
    sleep: Callable[[float], None]
    clock: Callable[[], float]

    def code(self) -> DeviceCode:
        """Ask for a code. Raises `DeviceFlowError`."""
        try:
            data = self._post("/login/device/code", client_id=self.client_id)
        except NoAnswerError as error:
            raise DeviceFlowError(f"{self.github} could not be asked ({error}). Try again later.") from error
        user_code, device_code = data.get("user_code"), data.get("device_code")
        if not (isinstance(user_code, str) and isinstance(device_code, str) and user_code.isprintable()):
            raise DeviceFlowError(_why(data.get("error")))
        # The page is where GitHub's own docs say it is: an address from an answer could lead anywhere.
        page = f"{self.github}/login/device"
        return DeviceCode(
            user_code, page, device_code, _seconds(data, "interval", 5), _seconds(data, "expires_in", 900)
        )

    def token(self, code: DeviceCode) -> str:
        """Wait until the person has typed it; GitHub's user token. Raises `DeviceFlowError`."""
        wait, until = code.interval, self.clock() + code.expires_in
        while self.clock() < until:
            self.sleep(wait)
            try:
                data = self._post(
                    "/login/oauth/access_token",
                    client_id=self.client_id,
                    device_code=code.device_code,
                    grant_type=_GRANT,
                )
            except NoAnswerError:
                continue  # the network may be back before the code expires
            token, error = data.get("access_token"), data.get("error")
            if isinstance(token, str) and token:
                return token
            if error == "slow_down":
                wait = max(wait + SLOWER_BY, _seconds(data, "interval", 0))
            elif error != "authorization_pending":
                raise DeviceFlowError(_why(error))
        raise DeviceFlowError(_why("expired_token"))

    def _post(self, path: str, **values: str) -> dict[str, Any]:
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(values).encode()
        answer = self.transport.send(Request("POST", self.github + path, headers, body), TIMEOUT)
        if answer.status in {429, 500, 502, 503, 504}:
            raise NoAnswerError(f"HTTP {answer.status}")
        try:
            data = json.loads(answer.body)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            # GitHub answers an unknown client id with a page.
            return {"error": "incorrect_client_credentials" if answer.status == 404 else f"HTTP {answer.status}"}
        return data


def _why(error: object) -> str:
    if isinstance(error, str) and error in _WHY:
        return _WHY[error]
    said = str(error)[:100] if isinstance(error, str) and error.isprintable() else "something unexpected"
    return f"GitHub gave no token ({said}). Run `tabstop login` again."


def _seconds(data: dict[str, Any], name: str, usual: int) -> int:
    found = data.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 < found <= 3600 else usual
