"""The proxy beside an agent, and alone: what it tells, keeps, and goes on with."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import httpx
import pytest

from tabstop.beside import hook_socket
from tabstop.beside.control import tell
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.journal import Journal, JournalBusyError
from tabstop.beside.pricing import Pricer
from tabstop.beside.proxy import alone, attached
from tabstop.beside.proxy.alone import serve
from tabstop.beside.proxy.attached import ProxyAttachment
from tabstop.beside.proxy.pointing import address_of, listen
from tabstop.beside.proxy.routes import Upstreams
from tabstop.beside.proxy.running import RunningProxy, running_proxy
from tabstop.beside.session_folder import Record, SessionFolder, create
from tabstop.beside.working_tree import TreeWatch
from tabstop.beside.wrapper.opening import NotOpenedError, Opened, Wanted
from tabstop.governor.facts import Raised
from tabstop.governor.orders import Event
from tabstop.governor.settings import Settings
from tabstop.session import Limits
from tabstop.wire import StartRequest
from tests.beside.proxy.scene import CARD, answer, request, scene
from tests.beside.short_folder import short_folder
from tests.support.fake_llm import FakeLlm


def now() -> datetime:
    return datetime.now(UTC)


def folder_of(root: Path, limits: Limits) -> tuple[SessionFolder, Record]:
    settings = Settings(session="s1", limits=limits)
    record = Record("s1", now(), StartRequest(agent=""), settings, CARD.to_json(), cwd="/own", hmac_key="00" * 32)
    return create(root, record), record


class Alone:
    """A proxy run by `serve` in a thread; `ask` is one call through it."""

    def __init__(
        self, root: Path, limits: Limits, url: str, environ: dict[str, str] | None = None, tree: str = ""
    ) -> None:
        self.folder, self.record = folder_of(root, limits)
        self.over = threading.Event()
        self.ready = threading.Event()
        self.events: list[Event] = []
        self.warnings: list[str] = []
        self.environ = environ or {}
        self.tree = tree
        self.upstreams = Upstreams(url, url, url, url)
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        opened = Opened(self.folder, self.record, "from options")
        begin = (self.upstreams, listen(), self.events.append, self.warnings.append, self.began, self.over)
        serve(opened, Wanted(), self.environ, now, *begin, folder=self.tree)

    def began(self, proxy: RunningProxy, governed: GovernedSession, _opened: Opened) -> None:
        self.proxy, self.governed = proxy, governed
        self.ready.set()

    def __enter__(self) -> Self:
        self.thread.start()
        assert self.ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def ask(self, headers: dict[str, str] | None = None) -> httpx.Response:
        url = f"{self.proxy.base('anthropic')}/v1/messages"
        return httpx.post(url, json=request("anthropic"), headers=headers, trust_env=False)


def test_alone_it_keeps_its_totals_and_takes_an_overdrive(tmp_path: Path) -> None:
    """Ended and started again it goes on; a raise reaches it through its socket, as `tabstop overdrive` sends it."""
    with FakeLlm(plan=lambda _seen: answer()) as fake:
        with Alone(tmp_path, Limits(iterations=2), fake.url) as one:
            assert [one.ask().status_code for _ in range(3)] == [200, 200, 400]
            assert one.governed.settings.can_summarize
            with pytest.raises(JournalBusyError):
                Alone(tmp_path, Limits(), fake.url).run()
        with Alone(tmp_path, Limits(iterations=2), fake.url) as one:
            assert one.ask().status_code == 400
            assert tell(one.folder, Raised(now(), Limits(iterations=1)), now).watched
            assert one.ask().status_code == 200
            assert one.governed.state.totals.iterations == 3
            kinds = [json.loads(line)["kind"] for line in one.folder.events.read_text().splitlines()]
            assert "stop" in kinds
            assert "raise" in kinds
        assert len(fake.calls()) == 3


def test_alone_the_wall_clock_stands_still_while_nobody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on with the next call."""
    monkeypatch.setattr(alone, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(alone, "IDLE_SECONDS", 0.3)
    with FakeLlm(plan=lambda _seen: answer()) as fake, Alone(tmp_path, Limits(iterations=9), fake.url) as one:
        assert one.ask().status_code == 200
        wait_until(lambda: one.governed.state.totals.paused)
        assert one.ask().status_code == 200
        wait_until(lambda: not one.governed.state.totals.paused)


@pytest.mark.parametrize("told", ["", "by a client", "by an option"])
def test_alone_it_looks_at_the_working_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    """The one that is given, else the one a client says it works in, else the session's own."""
    monkeypatch.setattr(alone, "TICK_SECONDS", 0.02)
    looked: list[str] = []
    monkeypatch.setattr(TreeWatch, "nudge", lambda watch: looked.append(watch._folder))
    workspaces = {"x-codex-turn-metadata": json.dumps({"workspaces": {"/client": {}}})}
    headers = workspaces if told else {}
    tree = "/option" if told == "by an option" else ""
    with (
        FakeLlm(plan=lambda _seen: answer()) as fake,
        Alone(tmp_path, Limits(iterations=9), fake.url, tree=tree) as one,
    ):
        wait_until(lambda: looked)
        assert one.ask(headers).status_code == 200
        found = {"": "/own", "by a client": "/client", "by an option": "/option"}[told]
        wait_until(lambda: looked[-1] == found)


def test_alone_what_hooks_tell_too_counts_once(tmp_path: Path) -> None:
    """Gemini CLI's hooks tell its usage under keys of their own: once it asks through the proxy, that is heard there alone."""
    asked = {"llm_request": {"model": "dear", "messages": [{"content": "hello"}]}}
    used = {"llm_response": {"usageMetadata": {"promptTokenCount": 70, "totalTokenCount": 100}}}
    body = json.dumps({"session_id": "g", "cwd": "/", "timestamp": "2026-11-02T09:00:00Z", **asked, **used}).encode()
    words = ("gemini", "AfterModel", "s1")
    with (
        short_folder() as folder,
        FakeLlm(plan=lambda _seen: answer(input=70, output=30)) as fake,
        Alone(folder, Limits(iterations=9), fake.url) as one,
    ):
        assert hook_socket.ask(one.folder.socket, "hook", words, body)
        assert one.governed.state.totals.iterations == 1  # it may not go through here
        url = f"{one.proxy.base('google')}/v1beta/models/dear:generateContent"
        headers = {"User-Agent": "GeminiCLI/0.61.0/gemini-2.5-pro (linux; x64)"}
        assert httpx.post(url, json=request("gemini"), headers=headers, trust_env=False).status_code == 200
        assert one.governed.state.totals.iterations == 2
        later = body.replace(b"hello", b"and then")
        assert hook_socket.ask(one.folder.socket, "hook", words, later) == b"0 0.000 0\n"
        assert one.governed.state.totals.iterations == 2
        assert hook_socket.ask(one.folder.socket, "hook", ("codex", "SessionStart", "s1"), body)


def wait_until(happens: object) -> None:
    for _ in range(200):
        if happens():  # type: ignore[operator]
            return
        threading.Event().wait(0.02)
    raise AssertionError("it did not happen")


def test_beside_an_agent_that_is_run(tmp_path: Path) -> None:
    """Its environment leads it here; Codex's command line does, since it reads no address from there."""
    folder, record = folder_of(tmp_path, Limits(iterations=9))
    with FakeLlm(plan=lambda _seen: answer()) as fake, Journal(folder.journal) as journal:
        governed = GovernedSession(record.settings, Pricer(CARD), now, journal=journal)
        attachment = ProxyAttachment({"ANTHROPIC_BASE_URL": fake.url})
        address = address_of(attachment.listener)
        assert attachment.command(("claude", "-p", "x")) == ("claude", "-p", "x")
        with attachment(governed, folder) as environ:
            assert environ["ANTHROPIC_BASE_URL"].startswith(address)
            got = httpx.post(f"{environ['ANTHROPIC_BASE_URL']}/v1/messages", json=request("anthropic"), trust_env=False)
            assert got.status_code == 200
        assert governed.state.totals.iterations == 1
    with pytest.raises(httpx.ConnectError):
        httpx.post(address, trust_env=False)


def test_beside_codex(tmp_path: Path) -> None:
    """Its arguments stand where nothing overrides them; its calls go where its own configuration sends them."""
    (tmp_path / "config.toml").write_text(
        'model_provider = "gateway"\n[model_providers.gateway]\nbase_url = "https://gateway.example/v1"\n'
    )
    environ = {"CODEX_HOME": str(tmp_path), "OPENAI_API_KEY": "sk-own"}
    attachment = ProxyAttachment.beside(("codex",), environ)
    with closing(attachment.listener) as listener:
        address = address_of(listener)
        argv = attachment.command(("/usr/bin/codex", "exec", "--", "-x"))
        assert (argv[:2], argv[-2:]) == (("/usr/bin/codex", "exec"), ("--", "-x"))
        assert f'model_providers.gateway.base_url="{address}/openai/v1"' in argv
        assert Upstreams.from_environ(attachment.environ).openai == "https://gateway.example"
    with closing(ProxyAttachment.beside(("claude",), environ).listener):
        pass
    with pytest.raises(NotOpenedError, match=r"The agent was not started\. --oss"):
        ProxyAttachment.beside(("codex", "--oss"), environ)


def test_calls_under_way_when_it_ends_are_settled() -> None:
    """Never as nothing."""

    def ask() -> None:
        with pytest.raises(httpx.HTTPError):
            on.ask()

    with scene(think=5) as on:
        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: on.proxy.meter.held.iterations)
        governed = on.governed
    asking.join()
    assert governed.state.totals.assumed == 1


def test_a_fault_at_its_beginning_is_raised_here() -> None:
    """Not lost in its thread."""
    listener = listen()
    listener.close()
    governed = GovernedSession(Settings(), Pricer(CARD), now)
    with pytest.raises((OSError, ValueError)), running_proxy(governed, listener=listener):
        raise AssertionError("it runs")


def test_where_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said with what to do, before anything is started."""
    monkeypatch.setattr(attached, "find_spec", lambda _name: None)
    with pytest.raises(NotOpenedError, match="pip install 'tabstop\\[proxy\\]'"):
        ProxyAttachment({})


def test_what_the_proxy_says_is_in_the_sessions_log(tmp_path: Path) -> None:
    """Beside the governor's own events."""
    folder, record = folder_of(tmp_path, Limits(iterations=9))
    said: list[Event] = []
    with FakeLlm(plan=lambda _seen: answer()) as fake:
        governed = GovernedSession(record.settings, Pricer(CARD), now)
        with ProxyAttachment({"OPENAI_BASE_URL": fake.url}, said.append)(governed, folder) as environ:
            body = request("responses", tools=[{"type": "web_search"}])
            httpx.post(f"{environ['OPENAI_BASE_URL']}/responses", json=body, trust_env=False)
    (event,) = said
    assert event.finding is not None
    assert event.finding.sentence in folder.events.read_text()
