"""What the process ``live`` answers: one stream to each who follows, and to operators how it is doing."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service import logs, metrics
from service.api.cors import ASKED_HEADERS, PREFLIGHT_SECONDS
from service.api.middleware import note_answer
from service.api.problems import CODES
from service.live.gate import Gate
from service.live.requests import Answer, Message, Receive, Request, Send, as_json, problem, refusal
from service.live.streams import Over, Stream, Streams
from service.live.telling import Teller
from service.model.errors import StoreUnavailable, UsherError

# How many ask the store at once who somebody is.
THREADS = 4
# How long it may take to send what is new, in seconds, before whoever does not read it is hung up on.
SENT_WITHIN = 30.0

STREAM = "/v1/stream"
# What is asked by operators, and by machines.
READ = ("GET", "HEAD")
METHODS = {STREAM: ("GET",), "/healthz": READ, "/readyz": READ, "/metrics": READ}
BEGUN = Answer(200, {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
PREFLIGHT = Answer(
    204,
    {
        "Access-Control-Allow-Methods": "GET",
        "Access-Control-Allow-Headers": ASKED_HEADERS,
        "Access-Control-Max-Age": PREFLIGHT_SECONDS,
    },
)
COMMENT = b":\n\n"

log = logs.get_logger()

Result = TypeVar("Result")


class Live:
    """The application, as ASGI has it."""

    def __init__(self, gate: Gate, streams: Streams, teller: Teller, web_url: str) -> None:
        self._gate = gate
        self._streams = streams
        self._teller = teller
        self._web = web_url
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gate")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request.of(scope)
        request.is_readable = bool(self._web) and request.origin == self._web
        logs.REQUEST.set(request.id)
        try:
            if (unfit := _unfit(request)) is not None:
                await self._send(request, unfit, send)
            elif request.path == STREAM:
                await self._follow(request, receive, send, scope["state"]["abort"])
            else:
                await self._send(request, await self._operations(request), send)
        except UsherError as error:
            await self._send(request, refusal(request, error), send)
        except Exception as error:
            log.error("unforeseen", exc_info=error)
            await self._send(request, problem(request, 500, "internal-error", {}), send)

    async def _follow(
        self, request: Request, receive: Receive, send: Send, abort: Callable[[], None]
    ) -> None:
        with self._streams.place():
            app, listener = await self._in_thread(self._gate.follow, request)
            with self._streams.opened(app, listener) as stream:
                leaving = asyncio.create_task(_end_when_gone(stream, receive))
                try:
                    await joined(stream)
                    _note(request, BEGUN.status)
                    await BEGUN.begin(request, send)
                    await _tell(stream, send, abort)
                finally:
                    leaving.cancel()
                    log.info("ended", app=app, reason=stream.over, told=stream.told)
        await send({"type": "http.response.body", "body": b""})

    async def _operations(self, request: Request) -> Answer:
        if request.path == "/metrics":
            await self._in_thread(self._gate.operate, request)
            metrics.STREAM_LAG.set(self._teller.lag())
            body, content_type = metrics.exposition()
            return Answer(200, {"Content-Type": content_type}, body)
        if request.path == "/readyz":
            await self._in_thread(self._gate.require_ready, request)
        return as_json({"status": "ok"})

    async def _in_thread(self, ask: Callable[[Request], Result], request: Request) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask, request)

    async def _send(self, request: Request, answer: Answer, send: Send) -> None:
        _note(request, answer.status)
        await answer.send(request, send)


def _note(request: Request, status: int) -> None:
    route = request.path if request.path in METHODS else None
    note_answer(request.method, route, status, time.monotonic() - request.came, request.caller)


def _unfit(request: Request) -> Answer | None:
    """Return what is answered by the head of a request alone, if that is all there is to say."""
    methods = METHODS.get(request.path)
    if methods is None:
        return problem(request, 404, CODES[404], {})
    if request.path == STREAM and request.asks_first():
        # It holds no credential yet, so no app is known: who may call is decided at the call itself.
        request.is_readable = True
        return PREFLIGHT
    if request.method not in methods:
        return problem(request, 405, CODES[405], {"Allow": ", ".join(methods)})
    return problem(request, 413, CODES[413], {}) if request.has_body() else None


async def _end_when_gone(stream: Stream, receive: Receive) -> None:
    """End a stream when its client hangs up."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end(Over.HUNG_UP)


async def joined(stream: Stream) -> None:
    """Wait until all that changes is told. Raises StoreUnavailable if nobody can tell."""
    while not (stream.joined or stream.over):
        await stream.news()
    if not stream.joined:
        raise StoreUnavailable


async def _tell(stream: Stream, send: Send, abort: Callable[[], None]) -> None:
    """Tell what is new, until it is over."""
    # It also has routers pass the head on.
    told = COMMENT
    while not stream.over:
        try:
            async with asyncio.timeout(SENT_WITHIN):
                await send({"type": "http.response.body", "body": told, "more_body": True})
        except TimeoutError:
            stream.end(Over.BEHIND)
            abort()
            return
        conversations = await stream.news()
        metrics.STREAM_NEWS.inc(len(conversations))
        told = (
            b"".join(b'data: {"conversation": "%s"}\n\n' % one.encode() for one in conversations) or COMMENT
        )
