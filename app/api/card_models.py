"""Card models: whose prices a session is sent, since an agent meets more models than the one it was asked to use."""

from __future__ import annotations

from collections.abc import Sequence

from tabstop.policy.model import Policy
from tabstop.wire import StartRequest

MOST_MODELS = 80
"""Below 30 kB of JSON."""


def card_models(asked: StartRequest, policy: Policy, usual: Sequence[str]) -> list[str]:
    """The model asked for, those it may be downgraded or degraded to, and the agent's usual ones; each once, in this order.

    Of the ladders for degradation only those that share a model with these: another vendor's would only be dead weight.
    """
    first = (asked.model, *policy.downgrade.models)
    mine = {*first, *usual}
    ladders = [ladder for ladder in policy.rules.degradation.models if not mine.isdisjoint(ladder)]
    wanted = dict.fromkeys((*first, *(model for ladder in ladders for model in ladder), *usual))
    return [model for model in wanted if model][:MOST_MODELS]
