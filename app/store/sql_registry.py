"""Organizations, repositories, engineers and their tokens in a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from app.registry import FORK, Engineer, EngineerKind, EngineerToken, Organization, Repository
from app.store.sql_default_branches import SqlDefaultBranches
from app.store.tables import ENGINEER, ENGINEER_TOKEN, FORMER_NAME, ORGANIZATION, REPOSITORY

_O, _R, _E, _T = ORGANIZATION.c, REPOSITORY.c, ENGINEER.c, ENGINEER_TOKEN.c
_N = FORMER_NAME.c

ORGANIZATION_BY_ID = select(ORGANIZATION).where(_O.id == bindparam("org"))
ORGANIZATION_LOCKED = ORGANIZATION_BY_ID.with_for_update()
_SAVE_ORGANIZATION = (
    update(ORGANIZATION)
    .where(_O.id == bindparam("org"))
    .values({name: bindparam(f"new_{name}") for name in ("login", "installation_id", "active", "timezone", "paused")})
)

_REPOSITORIES = select(REPOSITORY).where(_R.organization_id == bindparam("org"))
_REPOSITORY = _REPOSITORIES.where(_R.id == bindparam("repository"))
_REPOSITORY_BY_GITHUB = _REPOSITORIES.where(_R.github_id == bindparam("github"))
_REPOSITORY_BY_NAME = _REPOSITORIES.where(_R.folded == bindparam("folded_name")).order_by(
    _R.active.desc(), _R.id.desc()
)
_NAMES = select(FORMER_NAME).where(_N.organization_id == bindparam("org"))
_NAMES_WERE = _NAMES.where(_N.folded == bindparam("folded_name"))
_NAMES_OF = _NAMES.where(_N.repository_id == bindparam("repository"))
_ADD_NAME = insert(FORMER_NAME).values(organization_id=bindparam("org"))
_DROP_NAME = delete(FORMER_NAME).where(
    _N.organization_id == bindparam("org"),
    _N.repository_id == bindparam("repository"),
    _N.folded == bindparam("folded_name"),
)
_ALL_REPOSITORIES = _REPOSITORIES.order_by(_R.full_name, _R.id)
_ADD_REPOSITORY = insert(REPOSITORY).values(organization_id=bindparam("org"))
_SAVE_REPOSITORY = (
    update(REPOSITORY)
    .where(_R.organization_id == bindparam("org"), _R.id == bindparam("repository"))
    .values(
        {
            name: bindparam(f"new_{name}", type_=_R[name].type)
            for name in ("full_name", "folded", "default_branch", "private", "topics", "active")
        }
    )
)

_ENGINEERS = select(ENGINEER).where(_E.organization_id == bindparam("org"))
_ENGINEER = _ENGINEERS.where(_E.id == bindparam("engineer"))
_ENGINEER_BY_GITHUB = _ENGINEERS.where(_E.github_id == bindparam("github"))
_ENGINEER_BY_LOGIN = _ENGINEERS.where(_E.folded == bindparam("folded_login")).order_by(_E.id.desc()).limit(1)
_ADD_ENGINEER = insert(ENGINEER).values(organization_id=bindparam("org"))
_SAVE_ENGINEER = (
    update(ENGINEER)
    .where(_E.organization_id == bindparam("org"), _E.id == bindparam("engineer"))
    .values({name: bindparam(f"new_{name}", type_=_E[name].type) for name in ("login", "folded", "kind", "checked_at")})
)

_ADD_TOKEN = insert(ENGINEER_TOKEN).values(organization_id=bindparam("org"))
_TOKENS = select(ENGINEER_TOKEN).where(_T.organization_id == bindparam("org")).order_by(_T.id.desc())
TOKEN_BY_DIGEST = select(ENGINEER_TOKEN).where(_T.digest == bindparam("wanted"))
_REVOKE_TOKEN = (
    update(ENGINEER_TOKEN)
    .where(_T.organization_id == bindparam("org"), _T.id == bindparam("token"), _T.revoked_at.is_(None))
    .values(revoked_at=bindparam("at", type_=_T.revoked_at.type))
)


class SqlRegistry(SqlDefaultBranches):
    """The part of `app.registry.Registry` about organizations, repositories and people."""

    timezone: str
    _organization: Organization

    def organization(self) -> Organization:
        """See `Registry`."""
        return self._organization

    def save_organization(self, organization: Organization) -> None:
        """See `Registry`."""
        self._write(
            _SAVE_ORGANIZATION,
            {
                "new_login": organization.login,
                "new_installation_id": organization.installation_id,
                "new_active": organization.active,
                "new_timezone": organization.timezone,
                "new_paused": organization.paused,
            },
        )
        self._organization = organization
        self.timezone = organization.timezone

    def repository(self, repository_id: int) -> Repository | None:
        """See `Registry`."""
        row = self._row(_REPOSITORY, repository=repository_id)
        return _repository(row) if row else None

    def repository_by_github_id(self, github_id: int) -> Repository | None:
        """See `Registry`."""
        row = self._row(_REPOSITORY_BY_GITHUB, github=github_id)
        return _repository(row) if row else None

    def repository_by_name(self, full_name: str) -> Repository | None:
        """See `Registry`."""
        row = self._row(_REPOSITORY_BY_NAME, folded_name=full_name.lower()) if full_name else None
        if row is None and full_name:
            were = self._rows(_NAMES_WERE, folded_name=full_name.lower())
            return self.repository(max(were, key=lambda one: one.id).repository_id) if were else None
        return _repository(row) if row else None

    def former_names(self, repository_id: int) -> list[str]:
        """See `Registry`."""
        rows = self._rows(_NAMES_OF, repository=repository_id)
        return [row.folded for row in sorted(rows, key=lambda one: -one.id) if not row.folded.startswith(FORK)]

    def former_owners(self) -> set[str]:
        """See `Registry`."""
        return {row.folded.partition("/")[0] for row in self._rows(_NAMES) if not row.folded.startswith(FORK)}

    def keep_former_name(self, repository_id: int, full_name: str) -> None:
        """See `Registry`."""
        name = full_name.lower()
        self._write(_DROP_NAME, {"repository": repository_id, "folded_name": name})
        self._write(_ADD_NAME, {"id": self.new_id(), "repository_id": repository_id, "folded": name})

    def repositories(self) -> list[Repository]:
        """See `Registry`."""
        return [_repository(row) for row in self._rows(_ALL_REPOSITORIES)]

    def save_repository(self, repository: Repository) -> Repository:
        """See `Registry`."""
        values = {
            "full_name": repository.full_name,
            "folded": repository.full_name.lower(),
            "default_branch": repository.default_branch,
            "private": repository.private,
            "topics": list(repository.topics),
            "active": repository.active,
        }
        stored = self.repository_by_github_id(repository.github_id)
        if stored is None:
            kept = replace(repository, id=repository.id or self.new_id())
            self._write(_ADD_REPOSITORY, {"id": kept.id, "github_id": kept.github_id, **values})
            return kept
        kept = replace(repository, id=stored.id)
        if kept.full_name.lower() != stored.full_name.lower():
            self.keep_former_name(kept.id, stored.full_name)
        if kept.default_branch != stored.default_branch:
            self._is_default_again(kept.id, kept.default_branch)
        if kept != stored:
            self._write(
                _SAVE_REPOSITORY, {"repository": kept.id, **{f"new_{name}": value for name, value in values.items()}}
            )
        return kept

    def engineer(self, engineer_id: int) -> Engineer | None:
        """See `Registry`."""
        row = self._row(_ENGINEER, engineer=engineer_id)
        return _engineer(row) if row else None

    def engineer_by_login(self, login: str) -> Engineer | None:
        """See `Registry`."""
        row = self._row(_ENGINEER_BY_LOGIN, folded_login=login.lower()) if login else None
        return _engineer(row) if row else None

    def save_engineer(self, engineer: Engineer) -> Engineer:
        """See `Registry`."""
        row = self._row(_ENGINEER_BY_GITHUB, github=engineer.github_id)
        kept = merged_engineer(_engineer(row) if row else None, engineer, self.new_id)
        values = {
            "login": kept.login,
            "folded": kept.login.lower(),
            "kind": kept.kind.value,
            "checked_at": kept.checked_at,
        }
        if row is None:
            self._write(_ADD_ENGINEER, {"id": kept.id, "github_id": kept.github_id, **values})
        elif kept != _engineer(row):
            self._write(
                _SAVE_ENGINEER, {"engineer": kept.id, **{f"new_{name}": value for name, value in values.items()}}
            )
        return kept

    def add_engineer_token(self, token: EngineerToken) -> None:
        """See `Registry`."""
        self._write(
            _ADD_TOKEN,
            {
                "id": token.id,
                "engineer_id": token.engineer_id,
                "digest": token.digest,
                "name": token.name,
                "scopes": list(token.scopes),
                "created_at": token.created_at,
                "revoked_at": token.revoked_at,
            },
        )

    def engineer_tokens(self) -> list[EngineerToken]:
        """See `Registry`."""
        return [token_of(row) for row in self._rows(_TOKENS)]

    def revoke_engineer_token(self, token_id: int, now: datetime) -> None:
        """See `Registry`."""
        self._write(_REVOKE_TOKEN, {"token": token_id, "at": now})


def merged_engineer(stored: Engineer | None, seen: Engineer, new_id: Any) -> Engineer:
    """What to store: who was checked stays checked when merely seen again."""
    if stored is None:
        return replace(seen, id=seen.id or new_id())
    if seen.kind is EngineerKind.UNCHECKED and stored.kind is not EngineerKind.UNCHECKED:
        return replace(seen, id=stored.id, kind=stored.kind, checked_at=stored.checked_at)
    return replace(seen, id=stored.id)


def organization_of(row: Any) -> Organization:
    """A row of the organization table."""
    return Organization(
        row.id, row.github_id, row.login, row.installation_id, bool(row.active), row.timezone, bool(row.paused)
    )


def token_of(row: Any) -> EngineerToken:
    """A row of the engineer_token table."""
    return EngineerToken(
        row.id,
        row.organization_id,
        row.engineer_id,
        row.digest,
        row.name,
        tuple(row.scopes),
        row.created_at,
        row.revoked_at,
    )


def _repository(row: Any) -> Repository:
    return Repository(
        row.id, row.github_id, row.full_name, row.default_branch, row.private, tuple(row.topics), row.active
    )


def _engineer(row: Any) -> Engineer:
    return Engineer(row.id, row.github_id, row.login, EngineerKind(row.kind), row.checked_at)
