"""Which session a run belongs to: the one it names, the gate's, the one it goes on with, else a new one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tabstop.agents.command_line import Invocation
from tabstop.beside.session_folder import Record, create
from tabstop.beside.wrapper.opening import NotOpenedError, Opened, Place, Wanted, admitted, open_session
from tabstop.governor.settings import Settings
from tabstop.session import Limits
from tabstop.wire import StartRequest
from tests.governor.builders import BEGUN

CLIENTS = "11111111-1111-4111-8111-111111111111"


def opened(root: Path, wanted: Wanted | None = None, invocation: Invocation | None = None, **environ: str) -> Opened:
    place = Place(root, str(root), environ, BEGUN, b"12345678")
    return open_session(wanted or Wanted(), "claude", invocation, "claude-code", place)


def session(root: Path, name: str, server_session: str = "", agent_session: str = "") -> None:
    settings = Settings(session=name, limits=Limits(tokens=1_000))
    start = StartRequest("claude-code", run_id="7001" if server_session else "")
    create(root, Record(name, BEGUN, start, settings, server_session=server_session, agent_session=agent_session))


def test_in_a_job_the_gates_session_is_taken_up(tmp_path: Path) -> None:
    """By name where the gate left it, else the admitted one; what cannot be read, and what nobody admitted, is passed over."""
    session(tmp_path, "unadmitted")
    session(tmp_path, "broken")
    (tmp_path / "broken" / "record.json").write_text("{")
    assert opened(tmp_path, RUNNER_TEMP=str(tmp_path)).is_new
    session(tmp_path, "admitted", "ses_1")
    found = opened(tmp_path, RUNNER_TEMP=str(tmp_path))
    assert (found.record.id, found.source) == ("admitted", "from the gate")
    assert opened(tmp_path, TABSTOP_SESSION="unadmitted").record.id == "unadmitted"


def test_options_only_tighten_what_the_server_gave(tmp_path: Path) -> None:
    """Of a session of one's own they change nothing, and the refusal says what does."""
    session(tmp_path, "admitted", "ses_1")
    session(tmp_path, "own")
    found = opened(tmp_path, Wanted("admitted", {"tokens": 500, "tool_calls": 9}))
    assert (found.record.settings.limits, found.source) == (Limits(500, 9), "as it began, tightened by options")
    assert opened(tmp_path, Wanted("admitted", {"tokens": 5_000})).record.settings.limits == Limits(1_000)
    with pytest.raises(NotOpenedError, match="tabstop overdrive own"):
        opened(tmp_path, Wanted("own", {"tokens": 500}))
    with pytest.raises(NotOpenedError, match="`tabstop sessions` lists them"):
        opened(tmp_path, Wanted("nobody"))


def test_an_agent_that_goes_on_keeps_its_session(tmp_path: Path) -> None:
    """By the client's own id; one that is not known begins anew."""
    resumed = Invocation("claude-code", ("claude", "--resume", CLIENTS), headless=True, session=CLIENTS, resumed=True)
    assert opened(tmp_path, invocation=resumed).is_new
    session(tmp_path, "earlier", agent_session=CLIENTS)
    assert opened(tmp_path / "sessions", invocation=resumed).is_new
    assert opened(tmp_path, invocation=resumed).record.agent_session == CLIENTS


def test_a_server_that_is_not_asked_as_it_should(tmp_path: Path) -> None:
    """An earlier session stays for another try; of a new one nothing stays."""
    session(tmp_path, "own")
    wrong = {"TABSTOP_SERVER": "http://tabstop.example", "TABSTOP_TOKEN": "t"}
    for wanted, left in ((Wanted("own"), True), (Wanted(), False)):
        found = opened(tmp_path, wanted)
        with pytest.raises(NotOpenedError, match=r"not started\. TABSTOP_SERVER is"):
            admitted(found, wanted, wrong, BEGUN)
        assert found.folder.path.exists() is left


def test_a_server_that_is_away_leaves_its_limits_as_they_are(tmp_path: Path) -> None:
    """And says so; without a server nothing changes."""
    away = {"TABSTOP_SERVER": "http://127.0.0.1:9", "TABSTOP_TOKEN": "t", "TABSTOP_REPOSITORY": "acme/widget"}
    found = opened(tmp_path)
    assert admitted(found, Wanted(), {}, BEGUN) == found
    after = admitted(found, Wanted(), away, BEGUN)
    assert (after.source, after.record.settings) == (found.source, found.record.settings)
    assert "could not be asked" in after.said
    assert found.folder.record() == after.record


def test_one_that_goes_on_without_its_server_is_told_to_nobody(tmp_path: Path) -> None:
    """`off` is off for a session that began at one, too; a gate's stays the gate's."""
    session(tmp_path, "gates", "ses_1")
    session(tmp_path, "own", agent_session=CLIENTS)
    known = opened(tmp_path, Wanted("own"))
    known.folder.write_record(
        replace(known.record, server="https://tabstop.example", server_session="ses_2", token="t")
    )
    for name, server in (("own", ""), ("gates", "ses_1")):
        found = admitted(opened(tmp_path, Wanted(name)), Wanted(name), {"TABSTOP_SERVER": "off"}, BEGUN)
        assert found.folder.record() == found.record
        assert (found.record.server_session, found.record.token) == (server, "")
        assert found.record.settings == known.record.settings or name == "gates"
