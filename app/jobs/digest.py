"""Digests of what was posted, so that an unchanged text is not sent again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from app.github_api.protocol import CheckRun
from app.registry import PullRequest


def digest_of(text: str) -> str:
    """Of a comment."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def check_digest(check: CheckRun) -> str:
    """Of a check, in two parts `SEEN.MARKS`: everything people see, and its annotations, which GitHub only ever adds to."""
    seen = {key: value for key, value in asdict(check).items() if key not in {"head_sha", "annotations"}}
    marks = [asdict(annotation) for annotation in check.annotations]
    return f"{digest_of(json.dumps(seen, sort_keys=True))}.{digest_of(json.dumps(marks)) if marks else ''}"


def marks_of(digest: str) -> str:
    """The part about annotations; empty when none were posted."""
    return digest.partition(".")[2]


def to_be_sent_again(digest: str) -> str:
    """A digest that no check has, which still knows the annotations that are there."""
    return f".{marks_of(digest)}"


def is_answered(pull_request: PullRequest) -> bool:
    """Whether its head commit has our check, and nobody asked for it again since."""
    return pull_request.check_sha == pull_request.head_sha and bool(pull_request.check_digest.partition(".")[0])
