"""Post: send a check or a comment to GitHub if it differs from what GitHub has, and remember what was sent.

Sent first, remembered after: a crash in between sends once more, into the same check run or comment, never a second one
(a comment is looked for by its marker before the first is made).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.github_api.protocol import CheckRun, GitHubError, GitHubInstallation
from app.jobs.digest import check_digest, digest_of, to_be_sent_again
from app.jobs.tab_facts import TabFacts
from app.registry import PullRequest
from app.render.check import render_check
from app.render.comment import render_comment
from app.world import World


def post_check(world: World, organization_id: int, github: GitHubInstallation, facts: Sequence[TabFacts]) -> None:
    """Post the one check of a commit, made of the worst of its tabs' facts, which come first."""
    if not facts:
        return
    check = render_check(facts[0])
    before = _posted_on(check.head_sha, facts)
    digest = check_digest(check)
    if before is not None and all(f.pull_request.check_digest == digest for f in facts):
        return
    full_name = facts[0].repository.full_name
    check_run_id = _send_check(github, full_name, check, before)
    with world.store.open(organization_id) as db:
        for each in facts:
            seen = each.pull_request
            now = db.pull_request(seen.repository_id, seen.number)
            if now is not None and now.head_sha == check.head_sha:
                # Somebody who pressed Re-run while this was on its way cleared the digest, and is answered once more.
                kept = digest if now.check_digest == seen.check_digest else to_be_sent_again(digest)
                db.note_posted(replace(now, check_run_id=check_run_id, check_sha=check.head_sha, check_digest=kept))


def post_comment(world: World, organization_id: int, github: GitHubInstallation, facts: TabFacts) -> None:
    """Create or update the pull request's one comment, if there is something to say."""
    body = render_comment(facts)
    if body is None:
        return
    seen = facts.pull_request
    digest = digest_of(body)
    if seen.comment_id is not None and seen.comment_digest == digest:
        return
    comment_id = _send_comment(github, facts, body)
    with world.store.open(organization_id) as db:
        now = db.pull_request(seen.repository_id, seen.number)
        if now is not None:
            db.note_posted(replace(now, comment_id=comment_id, comment_digest=digest))


def _posted_on(head_sha: str, facts: Sequence[TabFacts]) -> PullRequest | None:
    """A pull request that knows the check run on this commit."""
    known = [f.pull_request for f in facts if f.pull_request.check_run_id and f.pull_request.check_sha == head_sha]
    return known[0] if known else None


def _send_check(github: GitHubInstallation, full_name: str, check: CheckRun, before: PullRequest | None) -> int:
    """Update the commit's check run, or make one; a new one also where its annotations have to change."""
    if before is None or before.check_run_id is None:
        return github.create_check_run(full_name, check)
    marked = before.check_digest.partition(".")[2]
    marks = check_digest(check).partition(".")[2]
    if marked and marks != marked:
        return github.create_check_run(full_name, check)
    try:
        github.update_check_run(full_name, before.check_run_id, check if not marked else replace(check, annotations=()))
    except GitHubError as error:
        if error.status != 404:
            raise
        return github.create_check_run(full_name, check)
    return before.check_run_id


def _send_comment(github: GitHubInstallation, facts: TabFacts, body: str) -> int:
    full_name, seen = facts.repository.full_name, facts.pull_request
    if seen.comment_id is not None and github.update_comment(full_name, seen.comment_id, body):
        return seen.comment_id
    found = github.find_comment(full_name, seen.number, facts.marker)
    if found is not None and github.update_comment(full_name, found, body):
        return found
    return github.create_comment(full_name, seen.number, body)
