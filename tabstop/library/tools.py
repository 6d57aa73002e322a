"""Tools under a governor: a function whose calls are counted, slowed, refused and, when they keep failing, braked."""

from __future__ import annotations

import functools
import hashlib
import hmac
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from tabstop.governor.facts import ToolFinished, ToolStarted

if TYPE_CHECKING:
    from tabstop.library.governor import Governor

P = ParamSpec("P")
R = TypeVar("R")

Failed = Callable[[Any], bool]
"""From a tool's result to whether it says that the tool failed; what a tool raises is always a failure."""


def governed(governor: Governor, function: Callable[P, R], name: str, failed: Failed | None) -> Callable[P, R]:
    """The function under the governor, a coroutine function as such."""
    call = _Calls(governor, function, name or function.__name__, failed)
    if inspect.iscoroutinefunction(function):
        run = cast("Callable[..., Awaitable[Any]]", function)

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            arguments = call.digest(args, kwargs)
            await call.astart(arguments)
            try:
                result = await run(*args, **kwargs)
            except Exception as error:
                call.broke(arguments, error)
                raise
            call.finished(arguments, result)
            return result

        return cast("Callable[P, R]", awaited)

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        arguments = call.digest(args, kwargs)
        call.start(arguments)
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            call.broke(arguments, error)
            raise
        call.finished(arguments, result)
        return result

    return called


class _Calls:
    """One tool's calls, told to the governor."""

    def __init__(self, governor: Governor, function: Callable[..., Any], name: str, failed: Failed | None) -> None:
        self._governor = governor
        self._name = name
        self._failed = failed
        self._signature = inspect.signature(function)

    def digest(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Keyed, so that equal calls are known again and no argument can be read from it."""
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:
            values: object = [args, kwargs]  # the call itself will say what is wrong with it
        else:
            bound.apply_defaults()
            values = bound.arguments
        try:
            text = json.dumps(values, sort_keys=True, default=repr)
        except (TypeError, ValueError, RecursionError):
            text = repr(values)
        return hmac.new(self._governor.key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def start(self, arguments: str) -> None:
        """Ask, and wait as long as is said. Raises `SessionStopped`, `CallDenied`."""
        self._governor.wait(self._governor.permit(self._started(arguments)))

    async def astart(self, arguments: str) -> None:
        """The same without holding up other tasks."""
        await self._governor.await_(self._governor.permit(self._started(arguments)))

    def finished(self, arguments: str, result: object) -> None:
        """It returned. What stops the session now stops the next call: this result is there and may be used."""
        failed = self._failed is not None and self._failed(result)
        order = self._governor.tell(self._finished(arguments, failed=failed))
        if failed:
            self._governor.obey(order)

    def broke(self, arguments: str, error: Exception) -> None:
        """It raised. Raises `SessionStopped` where it has done so too often; else the tool's own error goes on."""
        order = self._governor.tell(self._finished(arguments, failed=True))
        if order.act.ends_turn:
            raise self._governor.stop_of(order) from error

    def _started(self, arguments: str) -> ToolStarted:
        return ToolStarted(self._governor.now(), self._name, arguments, self._governor.thread)

    def _finished(self, arguments: str, *, failed: bool) -> ToolFinished:
        return ToolFinished(self._governor.now(), self._name, arguments, failed, self._governor.thread)
