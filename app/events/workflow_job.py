"""`workflow_job`: a completed job ends its own sessions while other jobs of the run go on."""

from __future__ import annotations

from app.events.arrival import Arrival
from app.events.workflow_run import end_unheard
from app.registry import Transaction


def handle(db: Transaction, arrival: Arrival) -> None:
    """End the job's sessions. A job's id is the check run id that its identity token carries."""
    if arrival.action != "completed":
        return
    job = arrival.body["workflow_job"]
    for session in db.live_sessions(run_id=str(job["run_id"])):
        if session.job_id and session.job_id == str(job["id"]):
            end_unheard(db, arrival, session, "workflow job", job.get("conclusion") or "")
