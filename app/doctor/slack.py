"""Whether people can be told in Slack: the token, its scopes, and who is to be told directly and cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.doctor.diagnosis import Diagnosis, ok, problem, warning
from app.jobs.digest import digest_of
from app.registry import Transaction
from app.slack_api.client import LOOKING_UP, POSTING
from tabstop.policy.model import SlackPolicy
from tabstop.quantity import plural

MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """What policies want of Slack. untold: who stands in a policy and could not be told: `acme/alice: why`."""

    channels: int = 0
    people: int = 0
    addresses: int = 0
    untold: tuple[str, ...] = ()

    def __add__(self, other: Wanted) -> Wanted:
        """Both."""
        return Wanted(
            self.channels + other.channels,
            self.people + other.people,
            self.addresses + other.addresses,
            self.untold + other.untold,
        )

    @property
    def scopes(self) -> frozenset[str]:
        """What the token has to be allowed."""
        return frozenset({POSTING, LOOKING_UP} if self.addresses else {POSTING})


def wanted(books: Transaction, organization: SlackPolicy, repositories: Iterable[SlackPolicy]) -> Wanted:
    """What one organization's policies want, and whom jobs could not tell of those who still stand in them."""
    people = dict(organization.people)
    untold = []
    for known in books.slack_members():
        engineer = books.engineer(known.engineer_id)
        person = people.get(engineer.login.lower(), "") if engineer else ""
        if engineer and person and known.problem and known.digest == digest_of(person):
            untold.append(f"{books.organization().login}/{engineer.login}: {known.problem}")
    addresses = sum("@" in person for person in people.values())
    return Wanted(sum(bool(one.channel) for one in repositories), len(people), addresses, tuple(untold))


def judge(who: str | Exception | None, may: frozenset[str] | None, wants: Wanted) -> Iterator[Diagnosis]:
    """who: the token's owner, an error, or None without a token. may: its scopes; None where Slack did not say."""
    yield _token(who, wants)
    if isinstance(who, str):
        lacking = sorted(wants.scopes - may) if may is not None else []
        if lacking:
            yield _scopes(lacking)
        if wants.untold:
            yield _untold(wants.untold)


def _token(who: str | Exception | None, wants: Wanted) -> Diagnosis:
    if isinstance(who, str):
        return ok("Slack", f"The token belongs to {who}.")
    if who is not None:
        return problem(
            "Slack",
            f"The token does not work: {who}",
            "Mend what Slack says, or unset TABSTOP_SLACK_TOKEN. Messages wait and are tried again meanwhile.",
        )
    if wants.channels or wants.people:
        named = "a channel" if wants.channels else "people to be told directly"
        scopes = " and ".join(f"`{scope}`" for scope in sorted(wants.scopes))
        return warning(
            "Slack",
            f"Policies name {named}, but there is no token: messages are not sent.",
            f"Set TABSTOP_SLACK_TOKEN to a bot token with the {'scopes' if wants.addresses else 'scope'} {scopes}.",
        )
    return ok("Slack", "Not used: TABSTOP_SLACK_TOKEN is not set. Everything else works without it.")


def _scopes(lacking: Sequence[str]) -> Diagnosis:
    for_what = {POSTING: "send messages", LOOKING_UP: "find people by the addresses under `slack.people`"}
    return problem(
        "Slack scopes",
        f"The token may not {', and not '.join(for_what[scope] for scope in lacking)}.",
        f"Add {', '.join(f'`{scope}`' for scope in lacking)} to the Slack app's bot scopes and install it again.",
    )


def _untold(untold: Sequence[str]) -> Diagnosis:
    more = (f"and {len(untold) - MOST_SHOWN} more",) if len(untold) > MOST_SHOWN else ()
    return warning(
        "direct messages",
        f"{plural(len(untold), 'engineer')} could not be told of their own sessions. Channels that policies name are told all the same.",
        "Each is tried again when there is something to tell, an hour after the last try at the earliest, and at once "
        "when `slack.people` changes.",
        (*untold[:MOST_SHOWN], *more),
    )
