"""The spool: nothing undelivered is lost, strangers' files do no harm, and only this user reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.beside.spool import LONGEST_FILE, Undelivered, pending, put
from tabstop.usage import Billing, Grain, Tokens, ToolCall
from tabstop.wire import Call, ClientTotal, EndRequest, StartRequest, UsageBatch

BEGUN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def undelivered(**changed: object) -> Undelivered:
    usual: dict[str, object] = {
        "server": "https://tabstop.acme.example",
        "start": StartRequest(agent="claude-code", repository="acme/widget"),
        "begun_at": BEGUN,
        "end": EndRequest("finished", skipped={"half-written": 1}),
        "session": "s1",
        "token": "secret-token",
    }
    return Undelivered(**{**usual, **changed})  # type: ignore[arg-type]


counts = st.integers(0, 10**9)
letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")  # what the wire may hold
moments = st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
calls = st.builds(
    Call,
    keys=st.lists(st.text(letters, min_size=1, max_size=20), min_size=1, max_size=2).map(tuple),
    model=st.text(letters, max_size=20),
    tokens=st.builds(Tokens, counts, counts, counts, counts, counts),
    occurred_at=moments,
    grain=st.sampled_from(Grain),
    cache_split_known=st.booleans(),
    tool_calls=st.lists(
        st.builds(ToolCall, st.text(letters, max_size=9), st.text(letters, max_size=9), st.booleans()), max_size=2
    ).map(tuple),
)
batches = st.builds(
    UsageBatch,
    calls=st.lists(calls, max_size=3).map(tuple),
    client_totals=st.lists(
        st.builds(ClientTotal, st.text(letters), st.text(letters), st.builds(Tokens, counts)), max_size=2
    ).map(tuple),
    billing=st.none() | st.sampled_from(Billing),
)


@given(st.lists(batches, max_size=3).map(tuple), moments, st.text(letters, max_size=200))
def test_what_is_kept_comes_back(
    tmp_path_factory: pytest.TempPathFactory, sent: tuple[UsageBatch, ...], begun: datetime, session: str
) -> None:
    """Every count, key and time survives the file, whatever the session is called."""
    folder = tmp_path_factory.mktemp("spool")
    kept = undelivered(batches=sent, begun_at=begun, session=session)
    path = put(folder, kept)
    assert path.parent == folder
    [found] = pending(folder)
    assert found.undelivered == kept


def test_only_this_user_reads_it(tmp_path: Path) -> None:
    """The folder and the file are private, and no draft stays behind."""
    path = put(tmp_path / "state" / "spool", undelivered())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert list(path.parent.iterdir()) == [path]


def test_one_session_has_one_file(tmp_path: Path) -> None:
    """Kept again, it replaces what was there."""
    put(tmp_path, undelivered())
    put(tmp_path, undelivered(why="Connection refused"))
    [found] = pending(tmp_path)
    assert found.undelivered is not None
    assert found.undelivered.why == "Connection refused"


def test_the_oldest_comes_first_from_whatever_folder(tmp_path: Path) -> None:
    """An unpacked artifact is a folder of its own; order is by when the session began."""
    put(tmp_path / "b", undelivered(session="s2", begun_at=BEGUN.replace(hour=13)))
    put(tmp_path / "z", undelivered(session="s1"))
    assert [one.undelivered.session for one in pending(tmp_path) if one.undelivered] == ["s1", "s2"]


def test_what_cannot_be_read_is_named_and_left(tmp_path: Path) -> None:
    """Half a file, a link, a foreign JSON, one that is too long: each has its reason, none stops the others."""
    good = put(tmp_path / "good", undelivered())
    (tmp_path / "a.json").write_text('{"server": "x"')
    (tmp_path / "b.json").write_text('{"server": "x"}')
    (tmp_path / "c.json").symlink_to(good)
    (tmp_path / "d.json").write_text("[" * 100_000)
    with (tmp_path / "e.json").open("wb") as stream:
        stream.truncate(LONGEST_FILE + 1)
    (tmp_path / "f.txt").write_text("not looked at")
    reasons = {one.path.name: one.problem for one in pending(tmp_path)}
    assert reasons.pop(good.name) == ""
    assert reasons == {
        "a.json": "not JSON",
        "b.json": "not in the spool's form: start: missing",
        "c.json": "not a plain file",
        "d.json": "not JSON",
        "e.json": "too long",
    }


def test_no_folder_is_an_empty_spool(tmp_path: Path) -> None:
    """Nothing kept, nothing waits."""
    assert pending(tmp_path / "none") == ()


def test_without_its_token_it_is_fit_for_strangers(tmp_path: Path) -> None:
    """What an artifact of a public repository may hold."""
    path = put(tmp_path, undelivered().without_token())
    assert "secret-token" not in path.read_text()
    assert "secret-token" not in repr(undelivered())
