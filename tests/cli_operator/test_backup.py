"""Backups: whole while others write, restored by putting the file in place, never over something else."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.cli_operator.operator_at_work import AtWork


def test_a_backup_can_be_restored(at_work: AtWork, tmp_path: Path) -> None:
    """What was there when it was made is there again; what came later is not."""
    at_work.with_acme()
    file = tmp_path / "kept.db"
    assert "whole and checked" in at_work.types("backup", str(file)).output
    at_work.types("pause", "acme", "--why", "after the backup")
    elsewhere = tmp_path / "restored"
    elsewhere.mkdir()
    file.rename(elsewhere / "tabstop.db")
    restored = AtWork(elsewhere)
    assert [o.login for o in restored.store().organizations()] == ["acme"]
    assert not restored.store().organizations()[0].paused
    assert restored.types("audit", "recompute").exit_code == 0
    assert restored.types("pause", "acme", "--why", "it can be written to").exit_code == 0


def test_a_backup_while_others_write(at_work: AtWork, tmp_path: Path) -> None:
    """A copy made under load is one state: its ledger and audit log agree with themselves."""
    acme = at_work.with_acme()
    stop = threading.Event()

    def write() -> None:
        store = at_work.store()
        while not stop.is_set():
            with store.open(acme.organization.id) as books:
                books.save_organization(books.organization())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        results = [at_work.types("backup", str(tmp_path / f"{n}.db")) for n in range(5)]
    finally:
        stop.set()
        writer.join()
    assert [result.exit_code for result in results] == [0] * 5
    assert not list(tmp_path.glob("*.part"))


def test_an_existing_file_stays(at_work: AtWork, tmp_path: Path) -> None:
    """Yesterday's backup is not overwritten by a typo, nor is the database itself."""
    file = tmp_path / "kept.db"
    file.write_text("yesterday", encoding="utf-8")
    for target in (file, at_work.folder / "tabstop.db"):
        result = at_work.types("backup", str(target))
        assert result.exit_code == 1
        assert "exists already; name another file" in result.output
    assert file.read_text(encoding="utf-8") == "yesterday"


def test_only_its_owner_reads_it(at_work: AtWork, tmp_path: Path) -> None:
    """The books name people and what they spend."""
    file = tmp_path / "kept.db"
    at_work.types("backup", str(file))
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////nowhere/tabstop.db", "There is no database at /nowhere/tabstop.db"),
        ("postgresql://tabstop:secret@127.0.0.1:1/books", "pg_dump"),
    ],
)
def test_what_cannot_be_copied(at_work: AtWork, tmp_path: Path, url: str, said: str) -> None:
    """What is wrong is said, with pg_dump's own words for PostgreSQL, and never the password."""
    at_work.extra = {"TABSTOP_DATABASE_URL": url}
    result = at_work.types("backup", str(tmp_path / "kept.db"))
    assert result.exit_code == 1
    assert said in result.output
    assert "secret" not in result.output


def test_a_folder_that_is_not_there(at_work: AtWork, tmp_path: Path) -> None:
    """The cause, and that nothing happened to the database."""
    result = at_work.types("backup", str(tmp_path / "none" / "kept.db"))
    assert "There is no folder" in result.output
