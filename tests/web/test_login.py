"""Logging in from a laptop, over real HTTP: the command, GitHub's device flow on loopback, the server's own token, its end."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from app.github_api.protocol import GitHubError, RemotePerson
from app.identity.oidc import OidcVerifier, keys_at
from app.web.application import application
from app.web.metrics import meters
from tabstop.beside.credentials import Credentials
from tabstop.cli.main import main
from tests.support.fake_github_login import PENDING, FakeGitHubLogin, github_login
from tests.support.loopback_app import serving
from tests.web.conftest import Bench

ALICE = RemotePerson(0x616C69636500, "alice", frozenset({777}))

Call = Callable[..., Result]


@pytest.fixture
def github() -> Iterator[FakeGitHubLogin]:
    """GitHub's pages, where people log in."""
    with github_login() as fake:
        yield fake


@pytest.fixture
def url(bench: Bench, github: FakeGitHubLogin) -> Iterator[str]:
    """The server; alice is a member of acme and has logged in through its App."""
    bench.github.client_id = github.client_id
    bench.github.people["ghu_alice"] = ALICE
    settings = replace(bench.world.settings, github_url=github.url)
    bench.world = replace(bench.world, settings=settings)
    verifier = OidcVerifier(settings.oidc_issuer, settings.audience, keys_at(settings.jwks_url))
    with serving(application(bench.world, verifier, meters())) as address:
        yield address


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """The command, on a machine of its own."""
    for name in ("TABSTOP_SERVER", "TABSTOP_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    return lambda *words: CliRunner().invoke(main, words)


def kept(tmp_path: Path) -> Credentials:
    return Credentials(tmp_path / "config" / "tabstop" / "credentials.json")


def tokens_of(bench: Bench) -> list[tuple[str, bool]]:
    with bench.world.store.look(bench.organization.id) as books:
        return [(one.name, one.revoked_at is not None) for one in reversed(books.engineer_tokens())]


def test_in_and_out(bench: Bench, github: FakeGitHubLogin, url: str, call: Call, tmp_path: Path) -> None:
    """The token is the server's own, good for start and read, named, revocable, stored there as a digest; GitHub's is kept nowhere."""
    github.answers = [PENDING, *github.answers]
    done = call("login", "--server", f"{url}/", "--name", "thinkpad")
    assert done.exit_code == 0, done.output
    assert f"Open {github.url}/login/device and type the code WDJB-MJHT" in done.output
    path = tmp_path / "config" / "tabstop" / "credentials.json"
    assert f"Logged in as alice in acme. The token is in {path} (readable by you only)." in done.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    login = kept(tmp_path).find()
    assert login is not None
    assert (login.server, login.organization, login.scopes) == (url, "acme", ("start", "read"))
    assert login.token.startswith("tabstop_eng_")
    database = (tmp_path / "books.db").read_bytes() + path.read_bytes()
    assert b"ghu_alice" not in database
    assert login.token.encode() not in (tmp_path / "books.db").read_bytes()

    shown = call("whoami")
    assert shown.exit_code == 0
    assert f"alice in acme at {url}\n  good for: start, read\n" in shown.output
    assert "named thinkpad" in shown.output

    again = call("login")
    assert again.exit_code == 0, again.output
    assert [revoked for _, revoked in tokens_of(bench)] == [True, False]

    out = call("logout")
    assert f"Logged out of acme at {url}. The token is revoked.\n" in out.output
    assert [revoked for _, revoked in tokens_of(bench)] == [True, True]
    assert not path.exists()
    assert "Nobody is logged in" in call("whoami").output
    assert "nothing was changed" in call("logout").output


def test_each_step_is_audited(bench: Bench, url: str, call: Call) -> None:
    """By the engineer's internal id."""
    call("login", "--server", url, "--name", "thinkpad")
    call("logout")
    with bench.world.store.look(bench.organization.id) as books:
        (token,) = books.engineer_tokens()
        engineer = books.engineer(token.engineer_id)
    assert engineer is not None
    assert (engineer.login, engineer.kind) == ("alice", "member")
    assert token.revoked_at is not None


@pytest.mark.parametrize(
    ("person", "members", "said"),
    [
        (None, {"alice"}, "GitHub does not take this token"),
        (
            replace(ALICE, installations=frozenset({9})),
            {"alice"},
            "alice is no member of an organization that this server",
        ),
        (ALICE, {"bob"}, "alice is no member"),
        (replace(ALICE, login="renovate[bot]"), {"renovate[bot]"}, "GitHub does not take this token"),
    ],
)
def test_strangers(
    bench: Bench, url: str, call: Call, tmp_path: Path, person: RemotePerson | None, members: set[str], said: str
) -> None:
    """A token of another App sees none of our installations; who left the organization is no member; nothing is kept."""
    bench.github.people = {"ghu_alice": person} if person else {}
    bench.github.members["acme"] = members
    done = call("login", "--server", url)
    assert done.exit_code == 1
    assert said in done.output
    assert not kept(tmp_path).logins()
    assert tokens_of(bench) == []


def test_one_organization_only(bench: Bench, url: str, call: Call, tmp_path: Path) -> None:
    """A token for each the person is in, or for the one that is named."""
    bench.world.store.register(2, "umbrella", 778)
    bench.github.install(778, 2, "umbrella")
    bench.github.members["umbrella"] = {"alice"}
    bench.github.people["ghu_alice"] = replace(ALICE, installations=frozenset({777, 778}))
    assert "no member of nobody" in call("login", "--server", url, "--organization", "nobody").output
    assert call("login", "--server", url, "--organization", "Umbrella").exit_code == 0
    assert [one.organization for one in kept(tmp_path).logins()] == ["umbrella"]
    assert call("login").exit_code == 0
    assert [one.organization for one in kept(tmp_path).logins()] == ["acme", "umbrella"]
    out = call("logout", "--organization", "acme")
    assert out.output.count("Logged out") == 1
    assert [one.organization for one in kept(tmp_path).logins()] == ["umbrella"]


def test_github_is_away(bench: Bench, url: str, call: Call) -> None:
    """Nothing is decided then."""
    bench.github.refusals += [GitHubError("GitHub did not answer in time", retry_after=60)] * 9
    answer = httpx.post(f"{url}/api/v1/login", json={"github_token": "ghu_alice"}, trust_env=False)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert tokens_of(bench) == []


def test_an_app_without_a_client_id(bench: Bench, url: str, call: Call) -> None:
    """An operator's token is the way then."""
    bench.github.client_id = ""
    done = call("login", "--server", url)
    assert done.exit_code == 1
    assert "does not know its App's client id" in done.output


@pytest.mark.parametrize("token", ["", "x" * 5_000, "ghu_é"])
def test_what_is_no_token(url: str, token: str) -> None:
    """GitHub is not asked about it."""
    answer = httpx.post(f"{url}/api/v1/login", json={"github_token": token}, trust_env=False)
    assert answer.status_code == 400


def test_a_server_that_is_away(url: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging out says that the token is still good there; logging in says what to check."""
    assert call("login", "--server", url).exit_code == 0
    path = tmp_path / "config" / "tabstop" / "credentials.json"
    rows = json.loads(path.read_text())
    rows["logins"][0]["server"] = "http://127.0.0.1:9"
    path.write_text(json.dumps(rows))
    assert "could not be asked (" in call("whoami").output
    out = call("logout")
    assert "The server could not be reached (" in out.output
    assert "still good there" in out.output
    assert not path.exists()
    done = call("login", "--server", "http://127.0.0.1:9")
    assert "could not be asked: " in done.output
    assert "Say which server" in call("login").output
    assert "it has to be https://" in call("login", "--server", "http://tabstop.example").output
    monkeypatch.setenv("TABSTOP_TOKEN", "tabstop_eng_unknown")
    monkeypatch.setenv("TABSTOP_SERVER", url)
    shown = call("whoami")
    assert shown.exit_code == 1
    assert "unknown or revoked. Log in again with `tabstop login`" in shown.output
