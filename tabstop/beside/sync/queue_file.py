"""The queue's file: its tables, and how it is opened. What is not readable, or another version's, begins anew."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

_VERSION = 2
_TABLES = """
create table files (path text primary key, seen text not null, unread integer not null);
create table folders (folder text primary key, repositories text not null);
create table calls (
    key text primary key, agent text not null, session text not null, repository text not null, at real not null,
    model text not null, counts text not null, searches integer not null, cost integer, wire text not null,
    sent integer not null);
create index calls_of_session on calls (agent, session);
create index calls_to_send on calls (repository, sent);
create table told (
    id text primary key, kind text not null, agent text not null, session text not null, repository text not null,
    at real not null, wire text not null, sent integer not null);
create table totals (
    agent text not null, session text not null, after real not null, counts text not null, told text not null,
    primary key (agent, session));
create table sessions (
    agent text not null, session text not null, repository text not null, ended real not null,
    primary key (agent, session, repository));
create table deferred (
    agent text not null, session text not null, repository text not null, primary key (agent, session, repository));
create table gauges (organization text not null, gauge text not null, wire text not null, primary key (organization, gauge));
"""


def opened(path: Path) -> sqlite3.Connection:
    """The file, made where there is none, readable by this user only. Raises `OSError`, `sqlite3.Error`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return _opened(path)
    except sqlite3.DatabaseError:
        path.unlink()
        return _opened(path)


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path)
    try:
        (version,) = db.execute("pragma user_version").fetchone()
        if version != _VERSION:
            if version or db.execute("select count(*) from sqlite_master").fetchone()[0]:
                raise sqlite3.DatabaseError("another version's")
            db.executescript(f"{_TABLES} pragma user_version = {_VERSION};")
    except sqlite3.Error:
        db.close()
        raise
    return db
