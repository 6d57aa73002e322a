"""`jobs`: those that failed for good, and another try for them."""

from __future__ import annotations

import json

import click

from app.cli.columns import columns
from app.cli.opening import Opened, OperatorError, opened
from app.ledger.books import Job
from app.registry import WaitingJob


@click.group()
def jobs() -> None:
    """Jobs that failed for good. The others are done or tried again by themselves."""


@jobs.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_jobs(as_json: bool) -> None:
    """List jobs that failed for good, with their last error."""
    with opened() as here:
        dead = here.store.dead_jobs()
        names = {o.id: o.login for o in here.store.organizations()}
    if as_json:
        for job, error in dead:
            click.echo(
                json.dumps(
                    {
                        "id": job.id,
                        "organization": names.get(job.organization_id or 0),
                        "kind": job.kind,
                        "key": job.key,
                        "attempts": job.attempts,
                        "error": error,
                    }
                )
            )
    elif not dead:
        click.echo("No job has failed for good.")
    else:
        rows = [
            (str(job.id), names.get(job.organization_id or 0, ""), job.kind, job.key, str(job.attempts), error)
            for job, error in dead
        ]
        click.echo(columns(("id", "organization", "kind", "key", "tries", "last error"), rows))


@jobs.command()
@click.argument("job_ids", metavar="[ID]...", nargs=-1, type=int)
@click.option("--all", "every", is_flag=True, help="Every job that failed for good.")
def retry(job_ids: tuple[int, ...], every: bool) -> None:
    """Try jobs again, at once and as often as new ones. Every job is safe to repeat."""
    if every == bool(job_ids):
        raise click.UsageError("Give the ids that `jobs list` shows, or --all.")
    with opened() as here:
        dead = {job.id: job for job, _ in here.store.dead_jobs()}
        unknown = [str(job_id) for job_id in job_ids if job_id not in dead]
        if unknown:
            raise OperatorError(f"Not among the jobs that failed for good: {', '.join(unknown)}. Nothing was changed.")
        chosen = list(dead.values()) if every else [dead[job_id] for job_id in job_ids]
        for job in chosen:
            _again(here, job)
    click.echo(f"{len(chosen)} will be tried again." if chosen else "No job has failed for good.")


def _again(here: Opened, job: WaitingJob) -> None:
    again = Job(job.kind, job.key, dict(job.payload))
    if job.organization_id is None:
        here.store.enqueue([again])
        return
    with here.store.open(job.organization_id) as books:
        books.enqueue(again)
