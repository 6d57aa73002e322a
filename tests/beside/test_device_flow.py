"""The device flow, against GitHub's answers as its docs and RFC 8628 have them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tabstop.beside.device_flow import DeviceFlow, DeviceFlowError
from tabstop.beside.transport import NoAnswerError, Request, Response
from tests.support.fake_github_login import GIVEN, PENDING

CODE = {
    "device_code": "d" * 40,
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://evil.example/",
    "interval": 5,
    "expires_in": 60,
}


class GitHub:
    """Answers what it is given; `slept` has every wait, and is the clock."""

    def __init__(self, *answers: dict[str, Any] | Exception | Response) -> None:
        self.answers = list(answers)
        self.slept: list[float] = []
        self.asked: list[Request] = []

    def send(self, request: Request, timeout: float) -> Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Response) else Response(200, json.dumps(answer).encode())

    @property
    def flow(self) -> DeviceFlow:
        return DeviceFlow("https://github.example", "Iv1.x", self, self.slept.append, lambda: sum(self.slept))


def test_a_person_types_the_code() -> None:
    """The page is GitHub's own, whatever the answer names; polls keep GitHub's pace, and go slower when told so."""
    github = GitHub(CODE, PENDING, {"error": "slow_down", "interval": 12}, NoAnswerError("no route"), PENDING, GIVEN)
    code = github.flow.code()
    assert (code.page, code.user_code) == ("https://github.example/login/device", "WDJB-MJHT")
    assert github.flow.token(code) == "ghu_alice"
    assert github.slept == [5, 5, 12, 12, 12]
    assert [one.url for one in github.asked[:2]] == [
        "https://github.example/login/device/code", "https://github.example/login/oauth/access_token",
    ]  # fmt: skip
    assert "d" * 40 not in repr(code)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": "expired_token"}, "The code has expired"),
        ({"error": "access_denied"}, "You declined"),
        ({"error": "incorrect_device_code"}, "gave no token .incorrect_device_code."),
        ({"error": "\x1b[2J"}, "something unexpected"),
        ({}, "something unexpected"),
        (PENDING, "The code has expired"),
    ],
)
def test_no_token(answer: dict[str, Any], said: str) -> None:
    """Each with what to do; who never types it does not wait for ever."""
    github = GitHub(CODE, answer)
    with pytest.raises(DeviceFlowError, match=said):
        github.flow.token(github.flow.code())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": "device_flow_disabled"}, "Enable Device Flow"),
        (Response(404, b"Not Found"), "does not know the App"),
        (Response(200, b"<html>"), "HTTP 200"),
        (Response(503), "could not be asked .HTTP 503."),
        (NoAnswerError("no route"), "could not be asked .no route."),
        ({**CODE, "user_code": "\x1b[2J"}, "something unexpected"),
    ],
)
def test_no_code(answer: Any, said: str) -> None:
    """The App may not allow it, or GitHub is away."""
    with pytest.raises(DeviceFlowError, match=said):
        GitHub(answer).flow.code()
