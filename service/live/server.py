"""Serve it with uvicorn: with limits for whoever connects, and an end that ends all streams."""

import asyncio
import resource
import signal
import socket
from contextlib import suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.api.problems import as_bytes
from service.config import Config
from service.live.app import Live
from service.live.gate import Gate
from service.live.streams import Streams
from service.live.telling import Teller
from service.logs import get_logger
from service.store import Store
from service.store.database import Database
from service.store.migrating import Schema

# For how many seconds a head may come in, however little at a time, and how long it may be, in bytes.
PATIENCE, MAX_HEAD = 10.0, 16 * 1024
# How many bytes wait here, and in the kernel, for one who reads slowly.
WAITING, SENT = 16 * 1024, 32 * 1024
# For how many seconds, in milliseconds, somebody may be silent to what is sent before the kernel gives up.
SILENCE = 60_000
# How long streams have to end, in seconds.
GRACE = 5

# Some systems have no such option.
_OPTIONS = [
    (level, getattr(socket, name), value)
    for level, name, value in (
        (socket.SOL_SOCKET, "SO_SNDBUF", SENT),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", SILENCE),
    )
    if hasattr(socket, name)
]


class Protocol(H11Protocol):
    """One connection. uvicorn waits for a first head for ever, and keeps whatever nobody reads."""

    def connection_made(self, transport: Any) -> None:
        """Wait for a head, and not for ever; let the application hang up by itself."""
        super().connection_made(transport)
        for option in _OPTIONS:
            transport.get_extra_info("socket").setsockopt(*option)
        transport.set_write_buffer_limits(WAITING)
        self.app_state = {"abort": transport.abort}
        self.loop.call_later(PATIENCE, self._hang_up)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature, and its words
        """Answer to what is no HTTP as to any other error."""
        self.transport.write(as_bytes(400))
        self.transport.close()

    def _hang_up(self) -> None:
        # An answer closes the connection, so there is one head at most.
        if not self.headers:
            self.transport.close()


class Server(uvicorn.Server):
    """All of the process. When it is to stop, uvicorn waits for answers, and streams have no end by
    themselves."""

    def __init__(self, config: Config) -> None:
        self._store = Store(Database(config.database_url))
        self._streams = Streams(config.live_streams)
        self._teller = Teller(self._store, self._streams)
        gate = Gate(config, self._store, Schema(self._store.database))
        app = Live(gate, self._streams, self._teller, config.web_url)
        super().__init__(_settings(app, config.live_port or config.port))

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell what is new as long as it serves."""
        telling = asyncio.create_task(self._teller.run())
        try:
            await super().serve(sockets)
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
            self._store.database.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all streams, and then all else."""
        self._streams.close()
        await super().shutdown(sockets)

    def stop(self, *_: object) -> None:
        """Have it stop; may be called by a signal."""
        self.should_exit = True


def serve(config: Config) -> None:
    """Serve streams until asked to stop."""
    _allow_files()
    server = Server(config)
    # What stopped it uvicorn raises once more at the end, for these handlers.
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_, server.stop)
    get_logger().info("serving streams")
    server.run()


def _settings(app: Live, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104 - as the web server
        port=port,
        loop="asyncio",
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        h11_max_incomplete_event_size=MAX_HEAD,
    )


def _allow_files() -> None:
    """Let as many files be open as the system allows: each stream is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
