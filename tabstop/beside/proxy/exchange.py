"""Exchange: one metered call on its way: sent on as its permit says, its answer passed back as it comes, settled at its end."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
from aiohttp import web

from tabstop.beside.proxy.call import Api, Body, Heard, written
from tabstop.beside.proxy.learning import Learning
from tabstop.beside.proxy.meter import Meter
from tabstop.beside.proxy.openai_chat import is_usage_only
from tabstop.beside.proxy.permits import KEPT_OF_LAST, Permit
from tabstop.beside.proxy.requests import cut_off, headers_back, headers_for
from tabstop.beside.proxy.streams import Passing
from tabstop.beside.proxy.upstream import Upstream, why_no_answer

_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
"""What goes wrong before a request is sent: nothing can have been used."""


class SwitchRefusedError(Exception):
    """The vendor would not have the model the call was switched to, or less thinking; nothing was passed on yet."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A model call as it came. raw: its body, byte for byte; path: with its query."""

    request: web.Request
    api: Api
    provider: str
    path: str
    body: Body
    raw: bytes


class Exchange:
    """One call with its permit."""

    def __init__(self, asked: Asked, permit: Permit, meter: Meter, upstream: Upstream, learning: Learning) -> None:
        """Nothing is sent yet."""
        self._asked = asked
        self._permit = permit
        self._meter = meter
        self._upstream = upstream
        self._learning = learning
        self._heard = Heard()
        self._request_id = ""

    async def go(self) -> web.StreamResponse:
        """Send it and pass the answer back. However it ends, also cancelled, what was set aside is settled.

        Raises `SwitchRefusedError`.
        """
        try:
            return await self._go()
        finally:
            self._meter.settle(self._permit, self._heard, self._request_id)

    async def _go(self) -> web.StreamResponse:
        asked, change = self._asked, self._permit.change
        path, data = asked.path, asked.raw
        headers = headers_for(asked.request.headers, metered=True, plain=change.ask_usage)
        if change:
            plain, mark, query = asked.path.partition("?")
            plain, body = asked.api.change(plain, asked.body, change)
            path, data = f"{plain}{mark}{query}", written(body).encode("utf-8", "surrogatepass")
            headers.popall("Content-Encoding", None)
        try:
            async with self._upstream.open("POST", asked.provider, path, headers, data) as answer:
                return await self._answered(answer)
        except _NOT_SENT as error:
            self._meter.failed(self._permit, 0)
            return refusal(asked.api, 502, why_no_answer(error))
        except TimeoutError as error:
            return refusal(asked.api, 504, why_no_answer(error))
        except aiohttp.ClientError as error:
            return refusal(asked.api, 502, why_no_answer(error))

    async def _answered(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        self._learning.answered(self._asked.provider, answer.headers, self._asked.request.headers)
        self._request_id = answer.headers.get("request-id", "")
        if answer.status >= 300:
            return await self._failed(answer)
        drops = is_usage_only if self._permit.change.ask_usage else None
        passing = Passing(
            self._asked.api, answer.content_type, answer.headers.get("Content-Encoding", "").lower(), drops=drops
        )
        self._heard = passing.reader.heard
        if self._permit.last:
            self._heard.keeps = KEPT_OF_LAST
        response = web.StreamResponse(
            status=answer.status, reason=answer.reason, headers=headers_back(answer.headers, same_length=drops is None)
        )
        await response.prepare(self._asked.request)
        try:
            await self._pass(answer, passing, response)
        except (TimeoutError, aiohttp.ClientError) as error:
            await self._broken(passing, response, error)
        return response

    async def _pass(self, answer: aiohttp.ClientResponse, passing: Passing, response: web.StreamResponse) -> None:
        """Settled before the last bytes go on: the next call finds its room as it is."""
        passed = b""
        async for chunk in answer.content.iter_any():
            passed = passing.feed(chunk)
            if answer.content.at_eof():
                break  # the end goes with it: one packet, and one client woken, less
            if self._heard.tokens is not None and self._heard.complete:
                self._meter.settle(self._permit, self._heard, self._request_id)
            if passed:
                await response.write(passed)
                passed = b""
        passed += passing.end()
        self._meter.settle(self._permit, self._heard, self._request_id)
        await response.write_eof(passed)

    async def _failed(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        """The vendor's own refusal or error goes back as it is; vendors bill none of them."""
        api, permit = self._asked.api, self._permit
        if answer.status < 400:
            self._meter.failed(permit, 502)
            return refusal(api, 502, "The vendor answered with a redirect, which the proxy does not follow.")
        content = await answer.read()
        self._meter.failed(permit, answer.status, _seconds(answer.headers.get("Retry-After", "")))
        if _is_ours(permit, answer.status):
            self._meter.not_taken(permit)
            raise SwitchRefusedError
        return web.Response(
            status=answer.status,
            reason=answer.reason,
            body=content,
            headers=headers_back(answer.headers, same_length=False),
        )

    async def _broken(self, passing: Passing, response: web.StreamResponse, error: Exception) -> None:
        """The vendor went away in the middle. A stream is ended with an error the agent can read; anything else is cut off too."""
        self._meter.settle(self._permit, self._heard, self._request_id)
        if passing.events and not self._heard.complete and response.content_length is None:
            await response.write_eof(b"\n\n" + self._asked.api.error_event(why_no_answer(error)))
            return
        cut_off(self._asked.request)


def _is_ours(permit: Permit, status: int) -> bool:
    """Whether what was changed may be why the vendor refuses."""
    if permit.change.little_thinking and status in {400, 422}:
        return True
    return bool(permit.change.model) and status in {400, 403, 404, 413, 422}


def refusal(api: Api, status: int, sentence: str) -> web.Response:
    """An error in the vendor's own shape. A refusal says that trying again does not help, an error that it may."""
    headers = {"x-should-retry": "false"} if status < 500 else {}
    return web.json_response(
        api.error(status, f"Tabstop: {sentence.removeprefix('Tabstop: ')}"), status=status, headers=headers
    )


def _seconds(retry_after: str) -> int:
    """HTTP allows a date too; vendors of models send seconds."""
    return int(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 7 else 0
