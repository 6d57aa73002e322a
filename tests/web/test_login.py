"""Logging in from a laptop, over real HTTP: the command, GitHub's device flow on loopback, the server's own token, its end."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from app.github_api.protocol import GitHubError, RemotePerson, RemoteUser
from app.identity.oidc import OidcVerifier, keys_at
from app.web.application import application
from app.web.metrics import meters
from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.server import Server, UnreachableError
from tabstop.cli.main import main
from tabstop.wire_login import LoggedOut
from tests.beside.full_disk import full_disk
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


def test_the_code_is_not_typed_in(github: FakeGitHubLogin, url: str, call: Call, tmp_path: Path) -> None:
    """GitHub's own reason is said, and nothing is kept."""
    github.answers = [{"error": "access_denied"}]
    done = call("login", "--server", url)
    assert done.exit_code == 1
    assert "Error: " in done.output
    assert not kept(tmp_path).logins()


def test_a_server_that_names_no_safe_github(bench: Bench, call: Call, github: FakeGitHubLogin) -> None:
    """A person is never sent to a page without TLS to type a code there."""
    bench.github.client_id = github.client_id
    settings = replace(bench.world.settings, github_url="http://github.example")
    world = replace(bench.world, settings=settings)
    verifier = OidcVerifier(settings.oidc_issuer, settings.audience, keys_at(settings.jwks_url))
    with serving(application(world, verifier, meters())) as address:
        done = call("login", "--server", address)
    assert done.exit_code == 1
    assert "The server's GitHub is 'http://github.example'" in done.output
    assert "Tell the people who run the server." in done.output
    assert "type the code" not in done.output


def test_nowhere_to_keep_the_token(url: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says where it could be kept."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    done = call("login", "--server", url)
    assert done.exit_code == 1
    assert "The token cannot be kept: " in done.output
    assert "Set XDG_CONFIG_HOME to a folder of yours" in done.output


def test_logging_in_again(bench: Bench, url: str, call: Call, tmp_path: Path) -> None:
    """Ends the earlier token of that organization and no other; one that was ended already, or is out of reach, is no hindrance."""
    bench.world.store.register(2, "umbrella", 778)
    bench.github.install(778, 2, "umbrella")
    bench.github.members["umbrella"] = {"alice"}
    bench.github.people["ghu_alice"] = replace(ALICE, installations=frozenset({777, 778}))
    assert call("login", "--server", url).exit_code == 0
    umbrella = kept(tmp_path).find(url, "umbrella")
    assert umbrella is not None
    assert call("login", "--organization", "acme").exit_code == 0
    assert [revoked for _, revoked in tokens_of(bench)] == [True, False]
    assert kept(tmp_path).find(url, "umbrella") == umbrella
    with bench.world.store.open(bench.organization.id) as books:
        for one in books.engineer_tokens():
            books.revoke_engineer_token(one.id, bench.clock.now)
    again = call("login", "--organization", "acme")
    assert (again.exit_code, again.stderr) == (0, "")
    in_a_keyring(tmp_path)
    locked = call("login", "--organization", "acme")
    assert (locked.exit_code, locked.stderr) == (0, "")


def test_an_earlier_token_that_cannot_be_ended(
    url: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new one counts; where the old one is to be found is said."""
    call("login", "--server", url)
    first = kept(tmp_path).find()

    def away(server: Server, *, token: str) -> LoggedOut:
        raise UnreachableError("no answer in time")

    monkeypatch.setattr(Server, "logout", away)
    done = call("login")
    assert done.exit_code == 0
    assert "earlier token could not be ended; `token list` on the server shows it." in done.stderr
    assert kept(tmp_path).find() != first


def in_a_keyring(tmp_path: Path) -> None:
    """Say of every login that its token is in the keyring: here there is none."""
    path = kept(tmp_path).path
    assert path is not None
    rows = json.loads(path.read_text())
    path.write_text(json.dumps({"logins": [{**row, "in_keyring": True, "token": ""} for row in rows["logins"]]}))


def test_a_keyring_that_gives_nothing(url: str, call: Call, tmp_path: Path) -> None:
    """Whoever it is, is told to unlock it; logging out forgets the login and says that its token is still good."""
    call("login", "--server", url)
    in_a_keyring(tmp_path)
    shown = call("whoami")
    assert shown.exit_code == 1
    assert f"{url}: the keyring does not give the token. Unlock it, or run `tabstop login` again." in shown.output
    out = call("logout")
    assert "The keyring did not give the token, so it could not be revoked. It is removed here" in out.output
    assert not kept(tmp_path).logins()


def test_logging_out_of_what_is_ended_already(
    bench: Bench, url: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Says so; a token in the environment goes on to count, which is said too."""
    call("login", "--server", url)
    with bench.world.store.open(bench.organization.id) as books:
        (token,) = books.engineer_tokens()
        books.revoke_engineer_token(token.id, bench.clock.now)
    monkeypatch.setenv("TABSTOP_TOKEN", "tabstop_eng_other")
    out = call("logout")
    assert out.exit_code == 0
    assert "The token was revoked already." in out.output
    assert out.stderr == "TABSTOP_TOKEN is set and goes on to count.\n"


def test_logging_out_on_a_full_disk(call: Call, tmp_path: Path) -> None:
    """What cannot be forgotten is said, and stays."""
    for name in ("acme", "umbrella"):
        kept(tmp_path).keep(Login("http://127.0.0.1:9", name, "alice", "tabstop_eng_x"))
    with full_disk():
        out = call("logout", "--organization", "acme")
    assert out.exit_code == 1
    assert "credentials.json cannot be changed: " in out.output
    assert [one.organization for one in kept(tmp_path).logins()] == ["umbrella", "acme"]


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


class Silent(dict[str, RemoteUser]):
    """Accounts of a GitHub that does not tell them now."""

    def get(self, *_: object) -> Any:
        raise GitHubError("GitHub did not answer in time")


def test_a_renamed_organizations_clones_are_known(bench: Bench, url: str, call: Call, tmp_path: Path) -> None:
    """By the name it had before, which is nobody's now. Who gave it a repository keeps their own; in doubt no name is taken."""
    with bench.world.store.open(bench.organization.id) as books:
        for name in ("carol/widget", "umbrella/widget", "acme/wodget"):
            books.keep_former_name(bench.repository.id, name)
    bench.github.users["carol"] = RemoteUser(7, "carol")
    assert call("login", "--server", url).exit_code == 0
    assert [one.formerly for one in kept(tmp_path).logins()] == [("umbrella",)]
    bench.github.users = Silent()
    assert call("login").exit_code == 0
    assert [one.formerly for one in kept(tmp_path).logins()] == [()]
