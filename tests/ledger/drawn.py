"""What a state machine of the ledger draws from: policies, models, evidence, counts, keys, prices."""

from __future__ import annotations

from hypothesis import strategies as st

from tabstop.cost import Cost, CostState
from tabstop.evidence import NOWHERE, CommitMade, Evidence, PullRequestLink
from tabstop.money import dollars
from tabstop.policy.model import Downgrade, OnEmpty
from tabstop.usage import Tokens, Usage
from tabstop.window import WindowKind
from tests.ledger.builders import NOW, a_cap, a_policy, a_price

POLICIES = {
    "wide": a_policy(),
    "narrow": a_policy(
        tab=a_cap("1", window=WindowKind.LIFETIME), engineer=a_cap("2", window=WindowKind.DAY), organization="4"
    ),
    "tokens": a_policy(engineer=a_cap(tokens=1_500_000, window=WindowKind.WEEK), repository="3"),
    "downgrade": a_policy(
        engineer=a_cap("0.50"), on_empty=OnEmpty.DOWNGRADE, downgrade=Downgrade(("claude-haiku-4-5",), dollars("0.4"))
    ),
    "counting": a_policy(subscription_counts=True, tab=a_cap("1", window=WindowKind.LIFETIME), hold="0.20"),
}

MODELS = ["claude-sonnet-4-5", "claude-haiku-4-5", "mystery"]

evidence = st.sampled_from(
    [
        NOWHERE,
        Evidence("acme/web", "main"),
        Evidence("", "claude/x"),
        Evidence("acme/web", "claude/z"),
        Evidence("acme/site", "fix"),
        Evidence("alice/own", "main"),
        Evidence("", "", "0123456"),
    ]
)

links = st.builds(
    PullRequestLink,
    st.just("acme/web"),
    st.sampled_from([1, 2]),
    st.sampled_from(["", "main", "claude/x"]),
    st.just(NOW),
)

commits = st.builds(CommitMade, st.sampled_from(["0123456", "789abcd"]), st.just(""), st.sampled_from(["", "claude/y"]))

counts = st.integers(0, 400_000)

tokens = st.builds(Tokens, input=counts, cache_read=counts, cache_write_5m=counts, cache_write_1h=counts, output=counts)

keys = st.lists(st.integers(0, 12).map("anthropic:req:{}".format), min_size=1, max_size=3, unique=True).map(tuple)


def a_dear_price(usage: Usage) -> Cost:
    """Twice the price, and the mystery solved."""
    usual = a_price(usage)
    if usual.state is CostState.UNKNOWN:
        return Cost(CostState.ESTIMATED, usage.tokens.total * 500, "mystery-1")
    return Cost(CostState.KNOWN, (usual.nano or 0) * 2, usual.matched)
