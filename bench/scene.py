"""The organization that is measured: twenty repositories, fifty engineers, branches with sessions on them, starts to come."""

from __future__ import annotations

import itertools
import random
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.identity.session_token import SessionClaim, sign
from app.ledger.admit import Start, admit, allowance
from app.ledger.books import SessionRow
from app.registry import Engineer, EngineerKind, Repository, Store
from bench.threads import seconds_for
from tabstop.admission import Admission
from tabstop.attribution import Confidence
from tabstop.budget import Scope
from tabstop.money import NANO_PER_DOLLAR
from tabstop.policy.model import Cap, Policy, SessionLimits
from tabstop.usage import Billing
from tabstop.window import WindowKind
from tabstop.wire import StartAnswer

REPOSITORIES = 20
ENGINEERS = 50
BRANCHES = 10
"""Branches of each repository that had a session before."""

SECRET = "measured-" + "s" * 40

NEVER_FULL = 10**6 * NANO_PER_DOLLAR

ROOMY = Policy(
    tab=Cap(nano=NEVER_FULL, window=WindowKind.LIFETIME),
    engineer=Cap(nano=NEVER_FULL),
    repository=Cap(nano=NEVER_FULL),
    organization=Cap(nano=NEVER_FULL),
)
"""All four budgets have caps, and nobody is refused."""

_runs = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Scene:
    """Internal ids of what was set up."""

    organization_id: int
    repositories: tuple[int, ...]
    engineers: tuple[int, ...]


def set_up(store: Store) -> Scene:
    """Everybody and everything there is, and one admitted session on each branch."""
    organization = store.register(1, "acme", 777)
    with store.open(organization.id) as books:
        now = datetime.now(UTC)
        repositories = [
            books.save_repository(Repository(0, 100 + n, f"acme/service-{n}")).id for n in range(REPOSITORIES)
        ]
        engineers = [
            books.save_engineer(Engineer(0, 1_000 + n, f"engineer-{n}", EngineerKind.MEMBER, now)).id
            for n in range(ENGINEERS)
        ]
    scene = Scene(organization.id, tuple(repositories), tuple(engineers))
    branches = itertools.product(range(REPOSITORIES), range(BRANCHES))
    admit_all(store, scene, [_start(scene, repository, f"claude/{branch}") for repository, branch in branches])
    return scene


def starts_to_come(scene: Scene, count: int, *, new_tabs: bool = True, seed: int = 1) -> list[Start]:
    """Starts as they come in: three of four on a branch that had a session before, every fourth on a new one."""
    drawn = random.Random(seed)
    return [
        _start(
            scene,
            drawn.randrange(REPOSITORIES),
            f"claude/new-{uuid.uuid4().hex[:8]}"
            if new_tabs and number % 4 == 3
            else f"claude/{drawn.randrange(BRANCHES)}",
        )
        for number in range(count)
    ]


def admit_all(store: Store, scene: Scene, starts: Sequence[Start], threads: int = 1) -> float:
    """Admit them, dealt out to the threads. Seconds. Raises `AssertionError` when one was refused."""
    admitted: list[int] = []

    def work(number: int) -> None:
        mine = starts[number::threads]
        admitted.append(sum(admit_one(store, scene, start) for start in mine))

    def connect(_number: int) -> None:
        with store.look(scene.organization_id):
            pass

    seconds = seconds_for(threads, work, connect)
    assert sum(admitted) == len(starts)
    return seconds


def admit_one(store: Store, scene: Scene, start: Start) -> bool:
    """One start as `app.api.start` asks it, its signed answer included; whether it was admitted."""

    def answer_of(admission: Admission, session: SessionRow | None) -> StartAnswer:
        if session is None:
            return StartAnswer(admission.verdict)
        token = sign(SECRET, SessionClaim(scene.organization_id, session.id), session.lease_until)
        return StartAnswer(admission.verdict, session.id, token, allowance(admission, start, {}), session.lease_until)

    with store.open(scene.organization_id) as books:
        return admit(books, start, datetime.now(UTC), answer_of).status == 201


def tight(cap: int, hold: int) -> Policy:
    """One repository budget that has room for exactly cap ÷ hold sessions (nano-dollars)."""
    return Policy(
        session=SessionLimits(tokens=None, cost=hold),
        tab=Cap(nano=NEVER_FULL, window=WindowKind.LIFETIME),
        engineer=Cap(nano=NEVER_FULL),
        repository=Cap(nano=cap),
        hold=hold,
    )


def _start(scene: Scene, repository: int, branch: str, policy: Policy = ROOMY) -> Start:
    run = str(10_000 + next(_runs))
    engineer = zlib.crc32(f"{repository}{branch}".encode()) % ENGINEERS
    return Start(
        key=uuid.uuid4().hex,
        token_id=str(uuid.uuid4()),
        session_id=f"ses_{uuid.uuid4().hex[:24]}",
        repository_id=scene.repositories[repository],
        branch=branch,
        engineer_id=scene.engineers[engineer],
        person=Scope.ENGINEER,
        policy=policy,
        policy_commit="c" * 40,
        agent="claude-code",
        place_reason="pull request #7, proven by the run's identity token",
        place_confidence=Confidence.PROVEN,
        login=f"engineer-{engineer}",
        model="claude-sonnet-4-5",
        purpose="feature",
        billing=Billing.API,
        billing_evidence="an API key",
        head_sha="a" * 40,
        run_id=run,
        run_attempt="1",
        job_id=run,
        repository_name=f"acme/service-{repository}",
    )
