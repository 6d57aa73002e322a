"""The outbox's runner: takes jobs that are due, does them, and says what became of each."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from app.logs import redacted
from app.registry import WaitingJob
from app.world import GiveUpError, JobHandler, NotYetError, RetryLaterError, World
from tabstop.beside.stop_signal import Stop

BACKOFF_SECONDS = (2, 10, 30, 120, 600, 1_800, 3_600, 7_200)
"""Delays after a failed attempt; a job that has used them all is buried."""

OUTAGE_SECONDS = (*BACKOFF_SECONDS, 10_800, 14_400, 21_600, 21_600)
"""The same while others are away, about a day in all. They may name a longer delay, never a shorter one: an outage of an
hour must not use up the attempts in minutes."""

IDLE_SECONDS = 0.5
"""How long the runner sleeps when nothing is due."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Cron:
    """Work that is due once per slot of `every`, on one worker. It becomes a job like any other."""

    name: str
    every: timedelta
    fire: Callable[[World, datetime], None]


def slot_of(now: datetime, every: timedelta) -> datetime:
    """The slot that holds `now`: multiples of `every` since the epoch."""
    seconds = int(every.total_seconds())
    return datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, tz=now.tzinfo)


@dataclass
class Runner:
    """Does jobs one at a time until told to stop. Several runners, in threads or processes, share one outbox."""

    world: World
    handlers: Mapping[str, JobHandler]
    crons: tuple[Cron, ...] = ()
    count: Callable[[str, str], None] = lambda _kind, _outcome: None
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}")

    def run(self, stop: Stop) -> None:
        """Work until `stop` is set; the job in hand is finished first."""
        while not stop.is_set():
            try:
                self.tick()
                busy = self.step()
            except Exception:
                log.exception("the outbox could not be used")
                stop.wait(5)
                continue
            if not busy:
                stop.wait(IDLE_SECONDS)

    def tick(self) -> None:
        """Fire the crons whose slot nobody has claimed."""
        now = self.world.now()
        for cron in self.crons:
            if self.world.store.claim_slot(cron.name, slot_of(now, cron.every)):
                cron.fire(self.world, now)

    def step(self) -> bool:
        """Do one job that is due; False when none is."""
        job = self.world.store.take_job(self.name, self.world.now())
        if job is None:
            return False
        outcome = self._do(job)
        self.count(job.kind, outcome)
        return True

    def drain(self, most: int = 10_000) -> int:
        """Do everything that is due now; answers how many jobs. For tests and the demo."""
        done = 0
        while done < most and self.step():
            done += 1
        return done

    def _do(self, job: WaitingJob) -> str:
        store = self.world.store
        try:
            self.handlers.get(job.kind, _nobody)(self.world, job.organization_id, job.payload)
        except NotYetError as error:
            store.retry_job(job, error.at, str(error), firm=True)
            return "early"
        except RetryLaterError as error:
            return self._again(job, str(error), OUTAGE_SECONDS, error.after)
        except GiveUpError as error:
            return self._bury(job, str(error))
        except Exception as error:
            log.exception("job failed", kind=job.kind, key=job.key, attempt=job.attempts)
            return self._again(job, redacted(f"{type(error).__name__}: {error}"), BACKOFF_SECONDS)
        store.finish_job(job, self.world.now())
        return "done"

    def _again(self, job: WaitingJob, reason: str, delays: tuple[int, ...], after: int | None = None) -> str:
        if job.attempts > len(delays):
            return self._bury(job, reason)
        ours = delays[job.attempts - 1]
        seconds = max(after or 0, ours)
        # Somebody's Retry-After holds even when the job is asked for again; our own backoff does not.
        firm = after is not None and after >= ours
        self.world.store.retry_job(job, self.world.now() + timedelta(seconds=seconds), reason, firm=firm)
        log.warning("job postponed", kind=job.kind, key=job.key, seconds=seconds, reason=reason)
        return "postponed"

    def _bury(self, job: WaitingJob, reason: str) -> str:
        self.world.store.bury_job(job, reason, self.world.now())
        log.error("job failed for good", kind=job.kind, key=job.key, reason=reason)
        return "dead"


def _nobody(_world: World, _organization_id: int | None, _payload: Mapping[str, Any]) -> None:
    raise GiveUpError("nothing here does this kind of job; the server may be older than the job")
