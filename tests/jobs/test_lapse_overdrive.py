"""lapse_overdrive: what is not there any more is no error."""

from __future__ import annotations

from app.jobs import lapse_overdrive
from tests.jobs.town import Town


def test_a_raise_that_is_gone_changes_nothing(town: Town) -> None:
    """The database may be older than the job."""
    organization = town.store.register(4, "acme", 777)
    lapse_overdrive.run(town.world, organization.id, {"session": "ses_9", "overdrive": 1})


def test_it_belongs_to_an_organization(town: Town) -> None:
    """Without one there is nothing to do."""
    lapse_overdrive.run(town.world, None, {})
