"""Ask again: somebody pressed Re-run, so what we posted is posted once more even if nothing changed."""

from __future__ import annotations

from dataclasses import replace

from app.jobs.digest import to_be_sent_again
from app.ledger.books import Job
from app.registry import Repository, Transaction

QUEUE = "gh-readonly-queue/"
"""The branches of merge groups (docs.github.com, managing a merge queue)."""


def is_queue(branch: str | None) -> bool:
    """Whether a branch is a merge group's."""
    return (branch or "").startswith(QUEUE)


def ask_again(db: Transaction, repository: Repository, head_sha: str) -> bool:
    """Have the check on this commit posted again; False when no open pull request has it as its head."""
    found = db.open_pull_requests(repository.id, head_sha)
    for pull_request in found:
        db.note_posted(replace(pull_request, check_digest=to_be_sent_again(pull_request.check_digest)))
        db.enqueue(Job("refresh_tab", str(pull_request.tab_id), {"tab": pull_request.tab_id}))
    return bool(found)


def answer_merge_group(db: Transaction, repository: Repository, head_sha: str) -> None:
    """Have a merge group's head answered."""
    db.enqueue(Job("merge_group", head_sha, {"repository": repository.id, "head_sha": head_sha}))
