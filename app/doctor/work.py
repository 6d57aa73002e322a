"""Whether the work gets done: jobs that failed for good, policies that cannot be read, the audit log's seal, pauses, disputed calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from app.doctor.diagnosis import Diagnosis, ok, problem, warning
from app.registry import Organization, PolicyFile, WaitingJob
from app.store.unsealed import Unsealed
from tabstop.quantity import plural, span

SEAL_LATE = timedelta(minutes=30)
"""The seal is due every five minutes; so late, nobody does jobs, or the seal fails."""

MOST_SHOWN = 10


def dead_jobs(dead: Sequence[tuple[WaitingJob, str]]) -> list[Diagnosis]:
    """Jobs that failed for good, each with its last error."""
    if not dead:
        return [ok("jobs", "None has failed for good.")]
    found = [
        problem(
            "job",
            f"{job.kind} {job.key} failed for good after {plural(job.attempts, 'try', 'tries')}: {error}",
            f"Mend the cause, then `python -m app.cli jobs retry {job.id}`.",
        )
        for job, error in dead[:MOST_SHOWN]
    ]
    if len(dead) > MOST_SHOWN:
        more = f"{len(dead) - MOST_SHOWN} more jobs have failed for good."
        found.append(
            problem("job", more, "`python -m app.cli jobs list` shows all, `jobs retry --all` tries them again.")
        )
    return found


def policies(files: Sequence[tuple[str, PolicyFile]]) -> list[Diagnosis]:
    """Policy files that do not count, each with where it lies."""
    bad = [(name, file) for name, file in files if file.state in {"invalid", "unreadable"}]
    if not bad:
        valid = sum(file.state == "valid" for _, file in files)
        return [ok("policies", f"{plural(valid, 'file')}, all valid." if valid else "No files: the defaults hold.")]
    return [_policy(name, file) for name, file in bad]


def _policy(name: str, file: PolicyFile) -> Diagnosis:
    if file.state == "unreadable":
        return warning(
            "policy",
            f"{name}: the file could not be read since {file.seen_at:%Y-%m-%d %H:%M} UTC"
            f"{': ' + file.problems[0] if file.problems else ''}. The last valid one stays in force.",
            "Usually passes by itself; if not, check that the App may read the repository's contents.",
        )
    return warning(
        "policy",
        f"{name}: {plural(len(file.problems), 'problem')} at {file.commit[:12]}; the last valid one stays in force.",
        "Tell those who wrote it. Their pull request's check says the same, and so does `tabstop policy check`.",
        file.problems[:MOST_SHOWN],
    )


def seal(waiting: Sequence[Unsealed], now: datetime) -> list[Diagnosis]:
    """Audit rows that should be in the chain by now."""
    late = [one for one in waiting if now - one.oldest > SEAL_LATE]
    if not late:
        return [ok("audit log", "Sealed up to the last few minutes.")]
    return [
        warning(
            "audit log",
            f"{one.login}: {plural(one.rows, 'row')} not sealed, the oldest for {span(int((now - one.oldest).total_seconds()))}.",
            "Is anybody doing jobs? Start `serve` with TABSTOP_WORKERS=1, or a `worker`.",
        )
        for one in late
    ]


def pauses(known: Sequence[Organization]) -> list[Diagnosis]:
    """Organizations whose starts an operator refuses."""
    return [
        warning(
            "pause",
            f"New sessions of {o.login} are refused: an operator paused it.",
            f"`python -m app.cli resume {o.login}` ends it.",
        )
        for o in known
        if o.paused and o.active
    ]


def disputes(sessions: Mapping[str, int]) -> list[Diagnosis]:
    """Calls that several sources tell differently. sessions: how many of each session of the last seven days, by its id."""
    if not sessions:
        return []
    most = sorted(sessions.items(), key=lambda one: (-one[1], one[0]))
    calls, among = plural(sum(sessions.values()), "call"), plural(len(sessions), "session")
    return [
        warning(
            "sources",
            f"{calls} in {among} of the last 7 days: reports contradict each other, or say what they may not.",
            "The audit log's `usage.disagreement` rows have every call with what was told and what is charged. Update the agents and their hooks; where a row has `refused_from`, see what that session is.",
            tuple(f"{session_id}: {plural(count, 'call')}" for session_id, count in most[:MOST_SHOWN]),
        )
    ]
