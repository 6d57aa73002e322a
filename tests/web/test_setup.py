"""`/setup` end to end, with GitHub's answers as its documentation shows them: the emulator has no manifest flow."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.github_api.manifest import EVENTS, PERMISSIONS
from app.secrets_store import kept_app
from tests.support.golden import expect
from tests.web.setup_server import CONVERTED, SETTINGS, SetupServer

BASE = SETTINGS.public_url


def get(browser: FlaskClient, path: str) -> TestResponse:
    """Open a page at the server's public address."""
    return browser.get(path, base_url=BASE)


def form(page: TestResponse) -> tuple[str, str]:
    """Where the form that creates the App goes, and the manifest in it."""
    action = re.search(r'<form method="post" action="([^"]+)"', page.text)
    manifest = re.search(r'name="manifest" value="([^"]+)"', page.text)
    assert action
    assert manifest
    return html.unescape(action[1]), html.unescape(manifest[1])


def begun(browser: FlaskClient) -> str:
    """Go as far as the button; answers the `state` that goes along."""
    action, _ = form(get(browser, "/setup?organization=acme"))
    return parse_qs(urlsplit(action).query)["state"][0]


def words(page: TestResponse) -> str:
    """What a reader of the page reads, line by line; links with where they lead."""
    body = page.text.partition("<body>")[2]
    body = re.sub(r"</t[hd]><t[hd][^>]*>", " | ", body)
    body = re.sub(r'<a [^>]*href="([^"]+)"[^>]*>(.*?)</a>', r"[\2](\1)", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]*>", "", body)
    lines = [line.strip() if "  " not in line[:2] else line.rstrip() for line in html.unescape(body).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def test_the_door_needs_the_token() -> None:
    """Without the token nothing is offered; with it the browser is let in and the token leaves the address bar."""
    server = SetupServer()
    browser = server.browser(inside=False)
    for path in ("/setup", "/setup?token=", "/setup?token=wrong", "/setup/created?code=x&state=y"):
        page = get(browser, path)
        assert page.status_code == 403
        assert "manifest" not in page.text
    assert server.asked == []
    entered = get(browser, "/setup?token=let-me-in")
    assert (entered.status_code, entered.headers["Location"]) == (303, "/setup")
    assert get(browser, "/setup").status_code == 200


def test_the_token_can_be_typed() -> None:
    """Somebody with the token but not the link gets in by the form."""
    browser = SetupServer().browser(inside=False)
    assert browser.post("/setup", data={"token": "nope"}, base_url=BASE).status_code == 403
    assert browser.post("/setup", data={"token": " let-me-in "}, base_url=BASE).status_code == 303
    assert get(browser, "/setup").status_code == 200


def test_without_a_token_it_is_closed() -> None:
    """An empty setting opens nothing: not for an empty token, not for a cookie of earlier."""
    browser = SetupServer().running_with(setup_token="").browser(inside=False)
    for path in ("/setup", "/setup?token="):
        page = get(browser, path)
        assert page.status_code == 403
        assert "This page is closed" in page.text


def test_a_new_token_ends_old_visits() -> None:
    """The cookie is worth nothing once the server was started with another token."""
    old = SetupServer().browser()
    cookie = old.get_cookie("tabstop_setup", path="/setup", domain=urlsplit(BASE).hostname or "")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.secure
    assert "let-me-in" not in cookie.value
    new = SetupServer().running_with(setup_token="another").browser(inside=False)
    new.set_cookie("tabstop_setup", cookie.value, path="/setup", domain=urlsplit(BASE).hostname or "")
    assert get(new, "/setup").status_code == 403


def test_the_button_brings_exactly_what_is_needed() -> None:
    """The manifest asks for the table's permissions and events, and names our addresses; the form goes to the organization."""
    action, manifest = form(get(SetupServer().browser(), "/setup?organization=acme"))
    assert action.startswith("https://github.com/organizations/acme/settings/apps/new?state=")
    asked = json.loads(manifest)
    assert asked["default_permissions"] == {p.key: p.access for p in PERMISSIONS}
    assert asked["default_events"] == [event.name for event in EVENTS]
    assert asked["hook_attributes"] == {"url": f"{BASE}/webhooks/github", "active": True}
    assert (asked["redirect_url"], asked["setup_url"]) == (f"{BASE}/setup/created", f"{BASE}/setup/next")
    assert asked["public"] is False
    assert asked["name"] == "Tabstop acme"


def test_a_personal_account_and_an_enterprise_server() -> None:
    """Without an organization the App belongs to the person; the form goes to the GitHub that is configured."""
    server = SetupServer().running_with(github_url="https://ghe.acme.example:8443/")
    page = get(server.browser(), "/setup?personal=1")
    action, _ = form(page)
    assert action.startswith("https://ghe.acme.example:8443/settings/apps/new?state=")
    assert "form-action 'self' https://ghe.acme.example:8443;" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("login", ["acme/../evil", "a b", '"><script>', "-acme", "https://github.com/acme"])
def test_what_is_no_login_never_reaches_the_form(login: str) -> None:
    """The organization becomes part of an address, so only a login is taken."""
    page = SetupServer().browser().get("/setup", query_string={"organization": login}, base_url=BASE)
    assert page.status_code == 400
    assert 'name="manifest"' not in page.text
    assert "<script" not in page.text


@pytest.mark.parametrize(
    "address", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000", "http://0.0.0.0"]
)
def test_an_address_that_github_cannot_reach(address: str) -> None:
    """GitHub refuses such an App, so the page says first what to do."""
    browser = SetupServer().running_with(public_url=address).browser(inside=False)
    browser.get("/setup?token=let-me-in", base_url=address)
    page = browser.get("/setup?organization=acme", base_url=address)
    assert "GitHub cannot reach this server yet" in page.text
    assert 'name="manifest"' not in page.text


def test_the_return_keeps_the_keys_and_goes_on_to_the_install_page() -> None:
    """The code is exchanged once, the credentials are sealed, the server is asked to take them up, people go on."""
    server = SetupServer()
    browser = server.browser()
    state = begun(browser)
    page = get(browser, f"/setup/created?code=a180b1a3&state={state}")
    assert (page.status_code, page.headers["Location"]) == (
        303,
        "https://github.com/apps/tabstop-acme/installations/new",
    )
    [request] = server.asked
    assert (request.method, request.url.path) == ("POST", "/app-manifests/a180b1a3/conversions")
    assert "Authorization" not in request.headers
    kept = kept_app(server.secrets, SETTINGS.secret_key)
    assert kept is not None
    assert (kept["app_id"], kept["private_key"], kept["webhook_secret"]) == (
        "4711", CONVERTED["pem"], CONVERTED["webhook_secret"],
    )  # fmt: skip
    assert CONVERTED["pem"].encode() not in server.secrets.kept["github-app"]
    page.close()
    assert server.renewed == 1


def test_a_reload_of_the_return_does_nothing_twice() -> None:
    """A `state` is good for one return; afterwards the page leads on instead of alarming people."""
    server = SetupServer()
    browser = server.browser()
    path = f"/setup/created?code=a180b1a3&state={begun(browser)}"
    get(browser, path)
    again = get(browser, path)
    assert (again.status_code, again.headers["Location"]) == (303, "/setup")
    assert len(server.asked) == 1


@pytest.mark.parametrize("state", ["", "&state=", "&state=stolen"])
def test_a_return_that_did_not_begin_here(state: str) -> None:
    """Nobody can make this server take up an App of theirs by sending an operator a link."""
    server = SetupServer()
    browser = server.browser()
    begun(browser)
    page = get(browser, f"/setup/created?code=theirs{state}")
    assert page.status_code == 400
    assert "did not begin here" in page.text
    assert server.asked == []
    assert server.secrets.kept == {}


def test_the_code_cannot_leave_its_place_in_the_address() -> None:
    """What comes as a code is one segment of the path, whatever is in it."""
    server = SetupServer()
    browser = server.browser()
    state = begun(browser)
    browser.get("/setup/created", query_string={"code": "../../user?x=", "state": state}, base_url=BASE)
    assert server.asked[0].url.raw_path == b"/app-manifests/..%2F..%2Fuser%3Fx%3D/conversions"


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (httpx.Response(404, json={"message": "Not Found"}), 400, "unknown, older than an hour, or was used already"),
        (httpx.Response(422, json={}), 400, "unknown, older than an hour, or was used already"),
        (httpx.Response(503), 502, "may do better in a minute"),
        (httpx.Response(403, json={"message": "rate limit"}), 502, "may do better in a minute"),
        (httpx.Response(201, json={**CONVERTED, "pem": None}), 400, "not what its API promises"),
        (httpx.Response(201, text="<html>"), 400, "not what its API promises"),
        (httpx.ConnectError("refused"), 502, "could not be reached (ConnectError)"),
    ],
)
def test_github_does_not_give_the_keys(answer: httpx.Response | Exception, status: int, said: str) -> None:
    """Each reason says whether reloading helps; nothing is stored, and no secret of a half answer is shown."""

    def answers(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    server = SetupServer(answer=answers)
    browser = server.browser()
    page = get(browser, f"/setup/created?code=a180b1a3&state={begun(browser)}")
    assert page.status_code == status
    assert said in html.unescape(page.text)
    assert str(CONVERTED["webhook_secret"]) not in page.text
    assert server.secrets.kept == {}
    assert ("Start again" in page.text) is (status == 400)


def test_a_failed_exchange_can_be_tried_again() -> None:
    """After an outage, reloading the page works: the `state` is still there."""
    server = SetupServer(answer=lambda _request: httpx.Response(503))
    browser = server.browser()
    path = f"/setup/created?code=a180b1a3&state={begun(browser)}"
    assert get(browser, path).status_code == 502
    server.answer = lambda _request: httpx.Response(201, json=CONVERTED)
    assert get(browser, path).status_code == 303


def test_keys_that_cannot_be_stored_are_shown() -> None:
    """They exist only once, so a broken database does not lose them."""
    server = SetupServer()
    server.secrets.broken = True
    browser = server.browser()
    page = get(browser, f"/setup/created?code=a180b1a3&state={begun(browser)}")
    assert page.status_code == 500
    assert server.renewed == 0
    text = html.unescape(page.text)
    assert str(CONVERTED["pem"]) in text
    assert f"TABSTOP_GITHUB_WEBHOOK_SECRET={CONVERTED['webhook_secret']}" in text


def test_where_only_a_restart_helps_the_page_says_so() -> None:
    """Without a way to renew itself the server says that it has to be started again before the App is installed."""
    server = SetupServer(can_renew=False)
    browser = server.browser()
    page = get(browser, f"/setup/created?code=a180b1a3&state={begun(browser)}")
    assert page.headers["Location"] == "/setup"
    assert "does not use the App's keys yet" in get(browser, "/setup").text
    restarted = server.running_with(github_app_id="4711").browser()
    assert "the running server uses them" in " ".join(get(restarted, "/setup").text.split())


def test_what_is_left_to_do_is_open_and_tells_no_secret() -> None:
    """Whoever installs the App later is sent there by GitHub without a token."""
    server = SetupServer()
    browser = server.browser()
    get(browser, f"/setup/created?code=a180b1a3&state={begun(browser)}")
    page = get(server.running_with(github_app_id="4711").browser(inside=False), "/setup/next")
    assert page.status_code == 200
    assert not [v for k, v in CONVERTED.items() if k in {"client_secret", "webhook_secret", "pem"} and v in page.text]
    assert "again=1" not in page.text


def test_credentials_from_the_environment() -> None:
    """There is nothing to set up; the page says where the keys come from and offers no replacement it could not keep."""
    page = get(SetupServer().running_with(github_app_id="12").browser(), "/setup")
    assert "in the server's environment" in html.unescape(page.text)
    assert "again=1" not in page.text


def test_another_app_replaces_the_first() -> None:
    """An App deleted on GitHub is no dead end: the old keys stay until the new ones are there."""
    server = SetupServer()
    browser = server.browser()
    get(browser, f"/setup/created?code=a180b1a3&state={begun(browser)}")
    action, _ = form(get(browser, "/setup?again=1&organization=acme"))
    server.answer = lambda _request: httpx.Response(201, json={**CONVERTED, "id": 5000, "slug": "tabstop-2"})
    get(browser, f"/setup/created?code=new&state={parse_qs(urlsplit(action).query)['state'][0]}")
    kept = kept_app(server.secrets, SETTINGS.secret_key)
    assert kept is not None
    assert kept["app_id"] == "5000"


@pytest.mark.parametrize(
    "path", ["/setup", "/setup?organization=acme", "/setup/next", "/setup/created?code=1&state=2", "/setup?token=no"]
)
def test_pages_load_and_run_nothing(path: str) -> None:
    """Every page forbids scripts, frames and foreign assets, and has none."""
    page = get(SetupServer().browser(), path)
    rules = page.headers["Content-Security-Policy"]
    assert rules.startswith("default-src 'none'; style-src 'nonce-")
    assert "frame-ancestors 'none'" in rules
    nonce = re.search(r"'nonce-([^']+)'", rules)
    assert nonce
    assert f'<style nonce="{nonce[1]}">' in page.text
    assert not re.search(r"<script|<img|<link|style=\"|onclick", page.text)
    assert '<html lang="en">' in page.text


def test_what_people_read() -> None:
    """The words of each page, as somebody reads them."""
    server = SetupServer()
    outside, browser = server.browser(inside=False), server.browser()
    pages = {
        "door": get(outside, "/setup?token=old"),
        "owner": get(browser, "/setup"),
        "button": get(browser, "/setup?organization=acme"),
        "before": get(outside, "/setup/next"),
    }
    get(browser, f"/setup/created?code=a180b1a3&state={begun(browser)}")
    pages["next"] = get(replace(server, settings=replace(SETTINGS, github_app_id="4711")).browser(), "/setup")
    for name, page in pages.items():
        expect(f"operator-setup/{name}.txt", words(page))
