"""Fixtures: an operator with a migrated database, of either kind."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli_operator.operator_at_work import AtWork


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[AtWork]:
    """A migrated SQLite file, nothing in it."""
    here = AtWork(tmp_path).migrated()
    yield here
    here.close()


@pytest.fixture
def on_postgres(new_url: Callable[[str], str], tmp_path: Path) -> Iterator[AtWork]:
    """A migrated PostgreSQL database, nothing in it."""
    here = AtWork(tmp_path, {"TABSTOP_DATABASE_URL": new_url("postgres")})
    yield here
    here.close()


@pytest.fixture(params=["at_work", pytest.param("on_postgres", marks=pytest.mark.postgres)])
def on_each(request: pytest.FixtureRequest) -> AtWork:
    """The one, then the other."""
    here: AtWork = request.getfixturevalue(request.param)
    return here
