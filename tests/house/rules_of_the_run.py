"""Rules of the whole run: no socket but loopback, no skip that goes unnoticed, and settings for hypothesis."""

import ipaddress
import os
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Time limits of single examples say more about the machine than about the code; in CI the examples repeat exactly.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


class OutsideNetworkError(RuntimeError):
    """A test reached for an address that is not this machine's loopback."""


reached: list[str] = []


def is_loopback(host: object) -> bool:
    """True for loopback addresses and names, and for the addresses of families that have no host."""
    if not isinstance(host, str):
        return True  # None asks for the wildcard's numbers only; netlink addresses are integers
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def refuse_outside(event: str, args: tuple[object, ...]) -> None:
    """Audit hook: raises before Python connects, binds, sends or looks a name up outside loopback."""
    if event in {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"}:
        address = args[1]
        host = address[0] if isinstance(address, tuple) and address else None  # AF_UNIX has a path
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = args[0]
        host = host.decode() if isinstance(host, bytes) else host
    else:
        return
    if not is_loopback(host):
        reached.append(f"{event} {host!r}")
        raise OutsideNetworkError(f"{event} to {host!r}: tests talk to 127.0.0.1, ::1 and localhost only")


sys.addaudithook(refuse_outside)


@pytest.fixture(autouse=True)
def only_loopback() -> Iterator[None]:
    """Fails a test that reached outside even where the code under test swallowed the refusal."""
    reached.clear()
    yield
    assert not reached, f"reached outside this machine: {reached}"


def skipped_reasons(reporter: pytest.TerminalReporter | None) -> Counter[str]:
    """How many tests were skipped, by reason."""
    reports = reporter.stats.get("skipped", []) if reporter else []
    return Counter(
        str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr).removeprefix("Skipped: ")
        for report in reports
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Ends the run by saying what was skipped and why."""
    skipped = skipped_reasons(terminalreporter)
    if not skipped:
        return
    terminalreporter.section("not run")
    for reason, count in skipped.most_common():
        terminalreporter.line(f"{count} skipped: {reason}")
    if os.environ.get("CI") == "true":
        terminalreporter.line("CI=true: a skipped test fails the run.", red=True)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CI=true a run that skipped anything has failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and skipped_reasons(reporter) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
