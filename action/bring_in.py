"""Bring-in: what runs could not report is fetched from this repository's artifacts, delivered, and deleted once it arrived."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from action import bring_in_page as page
from action.backlog import ARTIFACT, Backlog, send_backlog
from action.bring_in_archive import LONGEST_ZIP, ArchiveError, unpack
from action.bring_in_artifacts import Artifact, Artifacts, ArtifactsError, NotAllowedError
from action.bring_in_page import BroughtIn, Stays
from action.identity import BEARER, URL, oidc_token
from action.inputs import Inputs
from action.job import job_of
from action.runner import Runner
from action.when_away import blocked, heard_here
from action.world import World
from tabstop.beside.server import Server

DONE, MISCONFIGURED, AWAY = 0, 2, 3
"""Exit codes: 2 the job lacks a permission; 3 reports wait and the workflow says `block`."""

MOST_LISTED = 5_000
"""Artifacts looked at: 50 requests of the 1,000 an hour that `GITHUB_TOKEN` has for a repository."""

MOST_AT_ONCE = 100
"""Artifacts one step opens, those that expire first; the rest wait for the next."""


def bring_in(world: World, inputs: Inputs, artifacts: Artifacts) -> int:
    """Bring in what waits and say what stays; answers the step's exit code. Never raises for what the world does."""
    return _BringIn(world, inputs, artifacts).run()


class _BringIn:
    def __init__(self, world: World, inputs: Inputs, artifacts: Artifacts) -> None:
        self._world = world
        self._inputs = inputs
        self._artifacts = artifacts
        self._runner = Runner(world.environ, world.out)
        self._job = job_of(world.environ)
        self._blocked = blocked(heard_here(inputs, world.environ))

    def run(self) -> int:
        """List, deliver, delete, tell."""
        try:
            listed = self._artifacts.newest(MOST_LISTED)
        except NotAllowedError as error:
            self._runner.fail(page.not_allowed(str(error)))
            return MISCONFIGURED
        except ArtifactsError as error:
            said = page.github_away(str(error))
            if not self._blocked:
                self._runner.warn(said)
                return DONE
            self._runner.fail(said)
            return AWAY
        waiting = ours(listed)
        if waiting and not (self._world.environ.get(URL) and self._world.environ.get(BEARER)):
            self._runner.fail(page.no_identity(len(waiting)))
            return MISCONFIGURED
        return self._tell(self._bring(waiting, cut_at=MOST_LISTED if len(listed) >= MOST_LISTED else 0))

    def _bring(self, waiting: list[Artifact], *, cut_at: int) -> BroughtIn:
        """The folder holds session tokens, so it lives no longer than this."""
        stays = [Stays(artifact, "waits for the next run") for artifact in waiting[MOST_AT_ONCE:]]
        with tempfile.TemporaryDirectory(dir=self._world.environ.get("RUNNER_TEMP") or None) as name:
            folder = Path(name)
            fetched = []
            for artifact in waiting[:MOST_AT_ONCE]:
                if why := self._fetch(artifact, folder):
                    stays.append(Stays(artifact, why))
                else:
                    fetched.append(artifact)
            backlog = self._deliver(folder)
        for artifact in fetched:
            if stay := _why_it_stays(artifact, backlog):
                stays.append(stay)
            elif why := self._delete(artifact):
                stays.append(Stays(artifact, why, empty=True))
        return BroughtIn(backlog.delivered, tuple(sorted(stays, key=lambda stay: _expiry(stay.artifact))), cut_at)

    def _fetch(self, artifact: Artifact, folder: Path) -> str:
        """Download and unpack; answers what is wrong, empty for nothing."""
        if artifact.size > LONGEST_ZIP:
            return f"it is longer than {LONGEST_ZIP:,} bytes"
        try:
            unpack(self._artifacts.download(artifact, LONGEST_ZIP), _folder_of(artifact, folder))
        except (ArtifactsError, ArchiveError) as error:
            return str(error)
        except OSError as error:
            return f"this runner could not unpack it: {error.strerror}"
        return ""

    def _deliver(self, folder: Path) -> Backlog:
        server = Server(self._inputs.server, self._world.transport, self._world.sleep, agent="tabstop-action")
        return send_backlog(folder, server, self._identity, self._job.repository)

    def _identity(self) -> tuple[str, str]:
        world = self._world
        token = oidc_token(world.environ, world.transport, world.sleep, audience=self._inputs.audience)
        self._runner.mask(token)
        return token, world.random(16).hex()

    def _delete(self, artifact: Artifact) -> str:
        try:
            self._artifacts.delete(artifact)
        except ArtifactsError as error:
            return f"its reports arrived, but it was not deleted: {error}"
        return ""

    def _tell(self, brought: BroughtIn) -> int:
        self._runner.output("brought-in", str(len(brought.arrived)))
        self._runner.output("spool-left", str(len(brought.waiting)))
        self._runner.summarize(page.summary(brought, self._world.now()))
        self._runner.log(page.headline(brought))
        for stay in brought.stays:
            self._runner.log(page.line(stay))
        if brought.waiting and self._blocked:
            self._runner.fail(page.annotation(brought))
            return AWAY
        if brought.waiting:
            self._runner.warn(page.annotation(brought))
        elif brought.arrived:
            self._runner.note(page.annotation(brought))
        return DONE


def ours(listed: Iterable[Artifact]) -> list[Artifact]:
    """The artifacts that hold reports of this repository's own runs, those that expire first before the others.

    A fork's pull request runs workflows too, and could upload an artifact of this name.
    """
    found = [
        artifact
        for artifact in listed
        if artifact.name.startswith(ARTIFACT)
        and not artifact.expired
        and artifact.repository is not None
        and artifact.head_repository == artifact.repository
    ]
    return sorted(found, key=_expiry)


def _expiry(artifact: Artifact) -> tuple[float, int]:
    return (artifact.expires_at.timestamp() if artifact.expires_at else float("inf"), artifact.id)


def _folder_of(artifact: Artifact, folder: Path) -> Path:
    return folder / str(artifact.id)


def _why_it_stays(artifact: Artifact, backlog: Backlog) -> Stays | None:
    """None when everything in it arrived. What only a job elsewhere can bring in is nobody's task here."""
    left = [why for path, why in backlog.left if path.parent.name == str(artifact.id)]
    elsewhere = [why for path, why in backlog.elsewhere if path.parent.name == str(artifact.id)]
    reasons = "; ".join(dict.fromkeys([*left, *elsewhere]))
    return Stays(artifact, reasons, elsewhere=not left) if reasons else None
