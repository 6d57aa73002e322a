"""`make demo`, run as people run it: the story comes true, the page shows what was posted, and the end is clean."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.demo.process import DemoProcess
from tests.support.golden import expect
from tests.support.server import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class Played:
    """One demo that stays, seen early and at its end, while another with `--once` ran beside it."""

    demo: DemoProcess
    early: str
    page: str
    headers: dict[str, str]
    once: DemoProcess


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Two demos at the same time, each with its own port."""
    folder = tmp_path_factory.mktemp("demo")
    demo, once = DemoProcess.start(folder, free_port()), None
    try:
        demo.wait_to_say("installs the App")
        early = demo.page().text
        once = DemoProcess.start(folder, free_port(), "--once")
        demo.wait_to_say("Ctrl-C ends")
        page = demo.page()
        once.wait()
        yield Played(demo, early, page.text, dict(page.headers), once)
    finally:
        demo.gone()
        if once is not None:
            once.gone()


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_the_story_is_told(played: Played) -> None:
    """The terminal tells it step by step, every figure from the server; two that run at once tell the same."""
    said = re.sub(r"localhost:\d+", "localhost:PORT", played.once.said)
    said = re.sub(r"until \d{4}-\d\d-\d\d \d\d:\d\d UTC", "until TOMORROW", said)
    said = re.sub(r"ends in [0-9a-f]{12}", "ends in HASH", said)
    expect("demo/story.txt", said)
    assert played.once.process.returncode == 0


def test_the_check_goes_from_green_to_red_and_back(played: Played) -> None:
    """The page keeps every state the check went through, with the figures of that moment."""
    history = played.page.partition("How this check stood so far")[2].partition("Merge queue")[0]
    assert re.findall(r'<summary><span class="dot (\w+)"', history) == ["green"] * 3 + [
        "amber",
        "red",
        "green",
        "green",
    ]
    assert "116 %" in text_of(history)


def test_there_is_one_comment(played: Played) -> None:
    """It was updated in place, and says what the tab came to."""
    assert played.page.count('class="comment"') == 1
    comment = text_of(played.page.partition('class="comment"')[2].partition("</article>")[0])
    assert re.search(r"updated in place \d+ times", comment)
    assert "$0.52 of $1.00 spent" in comment
    assert "tabstop:budget" not in comment


def test_slack_hears_of_the_step_of_red_and_of_the_refusal(played: Played) -> None:
    """One message each, and no other."""
    slack = played.page.partition('id="slack"')[2].partition("</section>")[0]
    assert slack.count('class="message"') == 3
    assert [word in text_of(slack) for word in ("past 75 %", "is spent", "Start refused")] == [True] * 3


def test_the_refusal_explains_itself(played: Played) -> None:
    """Annotation, job summary and log of the refused run are on the page; no token is."""
    refused = text_of(played.page.partition('id="refused"')[2].partition("</section>")[0])
    assert "failed with exit code 1; the agent never ran" in refused
    assert "$0.47 spent of $0.40" in refused
    assert "Ask carol for a raise" in refused
    assert "eyJ" not in played.page


def test_the_audit_log_is_shown(played: Played) -> None:
    """Sealed rows with what was decided: the cap, the refusal, the raise."""
    audit = text_of(played.page.partition('id="audit"')[2].partition("</section>")[0])
    assert all(kind in audit for kind in ("policy.changed", "start.refused", "overdrive.granted"))
    assert "audit log verified" in audit


def test_the_page_can_be_looked_at_while_it_runs(played: Played) -> None:
    """From the first step on, and it says that it keeps up."""
    assert "this page keeps up by itself" in played.early
    assert "Ctrl-C in the terminal ends the demo" in played.page


def test_the_page_loads_nothing_from_elsewhere(played: Played) -> None:
    """No script, style, image or font but its own, and the browser is told so."""
    assert not re.findall(r"<(?:img|link|iframe|object|embed)\b|\bsrc=|@import|url\(", played.page)
    policy = played.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    (nonce,) = set(re.findall(r"'nonce-([^']+)'", policy))
    assert re.findall(r"<(style|script) nonce=\"([^\"]+)\"", played.page) == [("style", nonce), ("script", nonce)]
    assert not re.findall(r"<[^>]+\sstyle=", played.page)


def test_links_lead_back_to_the_page(played: Played) -> None:
    """What people would follow to GitHub leads to the part of the page that shows it."""
    for path, anchor in (
        ("/github/acme/widget/pull/7/checks", "/#pull-request"),
        ("/github/acme/widget/blob/main/.github/tabstop.yml", "/#policy"),
        ("/github/acme/widget/actions/runs/84000105", "/#refused"),
    ):
        assert played.demo.page(path).headers["location"] == anchor


def test_the_server_behind_it_is_the_real_one(played: Played) -> None:
    """Its own routes answer beside the page."""
    assert played.demo.page("/readyz").json() == {"status": "ready"}
    assert "tabstop_starts_total" in played.demo.page("/metrics").text


def test_ctrl_c_ends_it_cleanly(played: Played) -> None:
    """Exit code 0, a word of goodbye, and no file left behind; the port is free again."""
    assert played.demo.end() == 0
    assert played.demo.said.endswith("Ended; nothing is left behind.\n")
    assert list(played.demo.temp.iterdir()) == []
    assert list(played.once.temp.iterdir()) == []
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", played.demo.port))


def test_it_can_be_ended_in_the_middle(tmp_path: Path) -> None:
    """SIGTERM while a session runs: the same clean end."""
    demo = DemoProcess.start(tmp_path, free_port())
    try:
        demo.wait_to_say("pull request #7 opens")
        assert demo.end(signal.SIGTERM) == 0
        assert "Traceback" not in demo.said
        assert list(demo.temp.iterdir()) == []
    finally:
        demo.gone()


def test_a_taken_port_is_said_clearly(tmp_path: Path) -> None:
    """Before anything starts, with what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = DemoProcess.start(tmp_path, port)
        assert demo.wait() == 2
    assert demo.said == (
        f"Port {port} cannot be used: Address already in use. "
        "Stop what listens there, or choose another port with PORT=8001.\n"
    )


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_port_that_is_none_is_said_clearly(port: str, tmp_path: Path) -> None:
    """What was found, and what is allowed."""
    demo = DemoProcess.start(tmp_path, port)
    assert demo.wait() == 2
    assert demo.said == f"PORT is {port!r}; it has to be a number from 1 to 65535, such as PORT=8001.\n"


def test_an_unknown_word_is_said_clearly(tmp_path: Path) -> None:
    """A mistyped option does not start a server."""
    demo = DemoProcess.start(tmp_path, free_port(), "--onze")
    assert demo.wait() == 2
    assert demo.said.startswith("usage: python -m app.demo [--once]")
