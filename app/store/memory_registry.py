"""Organizations, repositories, people, pull requests and policies in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.registry import (
    FORK,
    Engineer,
    EngineerToken,
    InForce,
    Organization,
    PolicyFile,
    PullRequest,
    Repository,
    SlackMember,
)
from app.store.memory_tables import MemoryPart
from app.store.policy_files import COUNTING, FileState, in_force
from app.store.sql_pull_requests import with_seen
from app.store.sql_registry import merged_engineer


class MemoryRegistry(MemoryPart):
    """`app.registry.Registry` besides tabs, sessions and budgets."""

    timezone: str
    _tokens: dict[str, EngineerToken]
    """Of all organizations, by digest."""

    def organization(self) -> Organization:
        """See `Registry`."""
        return self._t.organization

    def save_organization(self, organization: Organization) -> None:
        """See `Registry`."""
        self._put(vars(self._t), "organization", organization)
        self.timezone = organization.timezone

    def repository(self, repository_id: int) -> Repository | None:
        """See `Registry`."""
        return self._t.repositories.get(repository_id)

    def repository_by_github_id(self, github_id: int) -> Repository | None:
        """See `Registry`."""
        return next((found for found in self._t.repositories.values() if found.github_id == github_id), None)

    def repository_by_name(self, full_name: str) -> Repository | None:
        """See `Registry`."""
        named = [r for r in self._t.repositories.values() if r.full_name.lower() == full_name.lower()]
        if named or not full_name:
            return max(named, key=lambda found: (found.active, found.id), default=None)
        were = [(at, of) for at, (of, name) in self._t.former_names.items() if name == full_name.lower()]
        return self.repository(max(were)[1]) if were else None

    def former_names(self, repository_id: int) -> list[str]:
        """See `Registry`."""
        names = [name for _, (of, name) in sorted(self._t.former_names.items(), reverse=True) if of == repository_id]
        return [name for name in names if not name.startswith(FORK)]

    def former_owners(self) -> set[str]:
        """See `Registry`."""
        names = (name for _, name in self._t.former_names.values())
        return {name.partition("/")[0] for name in names if not name.startswith(FORK)}

    def keep_former_name(self, repository_id: int, full_name: str) -> None:
        """See `Registry`."""
        one = (repository_id, full_name.lower())
        for at in [at for at, known in self._t.former_names.items() if known == one]:
            self._drop(self._t.former_names, at)
        self._put(self._t.former_names, self.new_id(), one)

    def repositories(self) -> list[Repository]:
        """See `Registry`."""
        return sorted(self._t.repositories.values(), key=lambda found: (found.full_name, found.id))

    def save_repository(self, repository: Repository) -> Repository:
        """See `Registry`."""
        stored = self.repository_by_github_id(repository.github_id)
        kept = replace(repository, id=stored.id if stored else repository.id or self.new_id())
        if stored and kept.full_name.lower() != stored.full_name.lower():
            self.keep_former_name(kept.id, stored.full_name)
        again = (kept.id, kept.default_branch)
        if stored and kept.default_branch != stored.default_branch and again in self._t.former_defaults:
            self._drop(self._t.former_defaults, again)
        self._put(self._t.repositories, kept.id, kept)
        return kept

    def former_defaults(self, repository_id: int) -> dict[str, datetime]:
        """See `Registry`."""
        return {name: ended_at for (of, name), ended_at in self._t.former_defaults.items() if of == repository_id}

    def keep_former_default(self, repository_id: int, branch: str, ended_at: datetime) -> None:
        """See `Registry`."""
        one = (repository_id, branch)
        self._put(self._t.former_defaults, one, min(ended_at, self._t.former_defaults.get(one, ended_at)))

    def engineer(self, engineer_id: int) -> Engineer | None:
        """See `Registry`."""
        return self._t.engineers.get(engineer_id)

    def engineer_by_login(self, login: str) -> Engineer | None:
        """See `Registry`."""
        named = [e for e in self._t.engineers.values() if login and e.login.lower() == login.lower()]
        return max(named, key=lambda found: found.id, default=None)

    def save_engineer(self, engineer: Engineer) -> Engineer:
        """See `Registry`."""
        stored = next((e for e in self._t.engineers.values() if e.github_id == engineer.github_id), None)
        kept = merged_engineer(stored, engineer, self.new_id)
        self._put(self._t.engineers, kept.id, kept)
        return kept

    def slack_members(self) -> list[SlackMember]:
        """See `Registry`."""
        return [member for _, member in sorted(self._t.slack_members.items())]

    def slack_member(self, engineer_id: int) -> SlackMember | None:
        """See `Registry`."""
        return self._t.slack_members.get(engineer_id)

    def keep_slack_member(self, member: SlackMember) -> None:
        """See `Registry`."""
        self._put(self._t.slack_members, member.engineer_id, member)

    def add_engineer_token(self, token: EngineerToken) -> None:
        """See `Registry`."""
        if token.digest in self._tokens:
            raise ValueError("this token is stored already")
        self._put(self._tokens, token.digest, replace(token, organization_id=self.organization_id))

    def engineer_tokens(self) -> list[EngineerToken]:
        """See `Registry`."""
        mine = [token for token in self._tokens.values() if token.organization_id == self.organization_id]
        return sorted(mine, key=lambda token: token.id, reverse=True)

    def revoke_engineer_token(self, token_id: int, now: datetime) -> None:
        """See `Registry`."""
        for token in self.engineer_tokens():
            if token.id == token_id and token.revoked_at is None:
                self._put(self._tokens, token.digest, replace(token, revoked_at=now))

    def pull_request(self, repository_id: int, number: int) -> PullRequest | None:
        """See `Registry`."""
        return next(
            (p for p in self._t.pull_requests.values() if (p.repository_id, p.number) == (repository_id, number)), None
        )

    def pull_requests_of_tab(self, tab_id: int) -> list[PullRequest]:
        """See `Registry`."""
        return [p for _, p in sorted(self._t.pull_requests.items(), reverse=True) if p.tab_id == tab_id]

    def open_pull_requests(self, repository_id: int | None = None, head_sha: str = "") -> list[PullRequest]:
        """See `Registry`."""
        found = [
            pull
            for pull in self._t.pull_requests.values()
            if pull.state == "open"
            and (repository_id is None or pull.repository_id == repository_id)
            and (not head_sha or pull.head_sha == head_sha)
        ]
        return sorted(found, key=lambda pull: (pull.repository_id, pull.number))

    def save_pull_request(self, pull_request: PullRequest) -> PullRequest:
        """See `Registry`."""
        stored = self.pull_request(pull_request.repository_id, pull_request.number)
        if stored is None:
            kept = replace(pull_request, id=pull_request.id or self.new_id())
        else:
            kept = with_seen(stored, pull_request)
        self._put(self._t.pull_requests, kept.id, kept)
        return kept

    def note_posted(self, pull_request: PullRequest) -> None:
        """See `Registry`."""
        stored = self._t.pull_requests.get(pull_request.id)
        if stored:
            posted = replace(
                stored,
                check_run_id=pull_request.check_run_id,
                check_sha=pull_request.check_sha,
                check_digest=pull_request.check_digest,
                comment_id=pull_request.comment_id,
                comment_digest=pull_request.comment_digest,
            )
            self._put(self._t.pull_requests, stored.id, posted)

    def add_policy_file(self, file: PolicyFile) -> None:
        """See `Registry`."""
        reads = self._reads(file.repository_id)
        same = bool(reads) and replace(reads[-1][1], seen_at=file.seen_at) == file
        self._put(self._t.policy_files, reads[-1][0] if same else self.new_id(), file)

    def policy_file(self, repository_id: int | None) -> PolicyFile | None:
        """See `Registry`."""
        reads = self._reads(repository_id)
        return reads[-1][1] if reads else None

    def policy_file_in_force(self, repository_id: int | None) -> PolicyFile | None:
        """See `Registry`."""
        counting = [file for _, file in self._reads(repository_id) if file.state in COUNTING]
        return counting[-1] if counting else None

    def policy_in_force(self, repository_id: int) -> InForce:
        """See `Registry`."""
        repository = self._t.repositories.get(repository_id)
        return in_force(
            FileState.of(self.policy_file(None), self.policy_file_in_force(None)),
            FileState.of(self.policy_file(repository_id), self.policy_file_in_force(repository_id)),
            repository.full_name if repository else "",
            repository.topics if repository else (),
        )

    def _reads(self, repository_id: int | None) -> list[tuple[int, PolicyFile]]:
        """Every read of a file, oldest first."""
        return [(n, f) for n, f in sorted(self._t.policy_files.items()) if f.repository_id == repository_id]
