"""Settings: what a session was sent, and where its governor is attached."""

from tabstop.governor.settings import Breaker, Rules, Settings, UnknownPrice, settings_of
from tabstop.session import Limits


def test_settings_are_the_rules_and_the_place() -> None:
    """Everything the session was sent is in force; the attach point adds what only it knows."""
    rules = Rules(breaker=Breaker(cooldown=60), unpriced=UnknownPrice.BLOCK)
    found = settings_of(rules, Limits(cost=5), "s1", ci=True, can_summarize=True)
    assert found == Settings(
        "s1", Limits(cost=5), ci=True, can_summarize=True, breaker=Breaker(cooldown=60), unpriced=UnknownPrice.BLOCK
    )
    assert settings_of(Rules(), Limits(), "SESSION", ci=False, can_summarize=False) == Settings()
