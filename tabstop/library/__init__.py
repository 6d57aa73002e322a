"""Tabstop inside a Python program: `from tabstop.library import BudgetManager, Governor, limits`. See docs/library.md."""

from tabstop.library.amounts import limits
from tabstop.library.budget import BudgetManager
from tabstop.library.governor import Governor
from tabstop.library.stops import (
    BreakerOpen,
    BudgetExceeded,
    BudgetSuspended,
    CallDenied,
    SessionStopped,
    SessionSuspended,
    SubagentStopped,
)
from tabstop.library.vendor_usage import UnknownUsageError
from tabstop.policy.model import PriceOverride

__all__ = [
    "BreakerOpen",
    "BudgetExceeded",
    "BudgetManager",
    "BudgetSuspended",
    "CallDenied",
    "Governor",
    "PriceOverride",
    "SessionStopped",
    "SessionSuspended",
    "SubagentStopped",
    "UnknownUsageError",
    "limits",
]
