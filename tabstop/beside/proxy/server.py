"""The proxy's server: who may ask, what is a model call, and what passes as it is."""

from __future__ import annotations

import hmac

import aiohttp
from aiohttp import web

from tabstop.beside.proxy.call import Api, NotReadError
from tabstop.beside.proxy.callers import caller_of
from tabstop.beside.proxy.exchange import Asked, Exchange, SwitchRefusedError, refusal
from tabstop.beside.proxy.learning import Learning
from tabstop.beside.proxy.meter import Meter
from tabstop.beside.proxy.pointing import TOKEN_HEADER
from tabstop.beside.proxy.requests import LARGEST, body_of, cut_off, headers_back, headers_for
from tabstop.beside.proxy.routes import PROVIDERS, api_of, costs_uncounted, read_path, write_path
from tabstop.beside.proxy.sayings import RefusedError
from tabstop.beside.proxy.upstream import Upstream, why_no_answer

REFUSED = 400
"""The status of a refusal. The agents end at it; at 401 and 403 they ask to log in, and 408, 409, 429 and 5xx they try again."""


class Proxy:
    """One proxy for one session."""

    def __init__(self, meter: Meter, upstream: Upstream, learning: Learning, token: str) -> None:
        """token: who does not show it gets nothing."""
        self._meter = meter
        self._upstream = upstream
        self._learning = learning
        self._token = token.encode()

    def application(self) -> web.Application:
        """What aiohttp serves: every path and method comes to one place."""
        application = web.Application(client_max_size=LARGEST)
        application.router.add_route("*", "/{path:.*}", self._take)
        return application

    async def _take(self, request: web.Request) -> web.StreamResponse:
        provider, path = self._place(request)
        if not provider:
            return web.json_response({"error": {"message": "Tabstop: nothing is here."}}, status=404)
        written, mark, query = path.partition("?")
        plain = read_path(written)
        api = api_of(request.method, provider, plain)
        shape = api or PROVIDERS[provider]
        if "Upgrade" in request.headers:
            # Codex tries a web socket where it may, and goes on with HTTP at this status.
            return refusal(shape, 426, "The proxy speaks HTTP only.")
        try:
            if api is not None:
                # What is sent is what was read, so that nobody can read it in another way.
                return await self._metered(request, api, provider, f"{write_path(plain)}{mark}{query}")
            if costs_uncounted(request.method, provider, plain):
                self._meter.uncounted(plain)
        except RefusedError as refused:
            return refusal(shape, REFUSED, str(refused))
        except NotReadError as error:
            return refusal(shape, REFUSED, f"The proxy cannot read this request: {error}. It was not sent.")
        except web.HTTPRequestEntityTooLarge:
            return refusal(shape, 413, f"The request is longer than {LARGEST} bytes. It was not sent.")
        return await self._pass(request, shape, provider, path)

    def _place(self, request: web.Request) -> tuple[str, str]:
        """The provider and the rest of the path as it was written; empty for who does not show the token.

        It stands before the path, or in a header, where an address can be seen by others (Codex takes it as an argument).
        """
        raw = request.raw_path
        shown = request.headers.get(TOKEN_HEADER, "")
        if not shown:
            shown, _, raw = raw.removeprefix("/").partition("/")
        if not hmac.compare_digest(shown.encode("utf-8", "replace"), self._token):
            return "", ""
        provider, slash, rest = raw.removeprefix("/").partition("/")
        return (provider, f"/{rest}") if slash and provider in PROVIDERS else ("", "")

    async def _metered(self, request: web.Request, api: Api, provider: str, path: str) -> web.StreamResponse:
        raw = await request.read()
        body = body_of(raw, request.headers.get("Content-Encoding", ""))
        try:
            call = api.read(read_path(path.partition("?")[0]), body)
        except RecursionError as error:
            raise NotReadError("it is nested too deeply") from error
        caller = caller_of(request.headers)
        self._learning.saw(caller)
        asked = Asked(request, api, provider, path, body, raw)
        while True:
            permit = await self._meter.admit(call, caller, provider)
            try:
                return await Exchange(asked, permit, self._meter, self._upstream, self._learning).go()
            except SwitchRefusedError:
                continue  # the meter has noted it: the next permit is for the agent's own model

    async def _pass(self, request: web.Request, api: Api, provider: str, path: str) -> web.StreamResponse:
        """A request that is no model call, as it is."""
        data = await request.read() if request.can_read_body else None
        headers = headers_for(request.headers, metered=False, plain=False)
        response: web.StreamResponse | None = None
        try:
            async with self._upstream.open(request.method, provider, path, headers, data) as answer:
                response = web.StreamResponse(
                    status=answer.status, reason=answer.reason, headers=headers_back(answer.headers, same_length=True)
                )
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response
        except (TimeoutError, aiohttp.ClientError) as error:
            if response is None:
                return refusal(api, 502, why_no_answer(error))
            cut_off(request)
            return response
