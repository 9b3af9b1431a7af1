"""Serve: pages for a browser on this machine, and for nobody else.

The server listens on a loopback address only. Each request must name it as its host (``127.0.0.1``, ``localhost`` or
``[::1]`` with the port), so that no page of another site reaches it under a name of its own; it sends no CORS headers
and answers GET and HEAD alone. starlette and uvicorn are the extra ``serve``.
"""
from __future__ import annotations

import contextlib
import errno
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from netdef.errors import NetdefError, warn

LOOPBACK = "127.0.0.1"
HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
           "Content-Security-Policy": "frame-ancestors 'none'", "Referrer-Policy": "no-referrer"}
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
LINGER = 2.0  # seconds that the last state waits to be fetched


def need_packages() -> None:
    """Raise NetdefError where starlette or uvicorn is missing."""
    try:
        import starlette.applications  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise NetdefError(f"the live view needs the package {(error.name or 'starlette').partition('.')[0]}, which is not "
                          "installed", hint="pip install netdef[serve]") from None


def bind(port: int = 0, host: str = LOOPBACK) -> socket.socket:
    """A listening socket; port 0 takes any that is free. Raises NetdefError for a port that is taken or not allowed, and
    for a host that is not this machine's own loopback address."""
    if host not in (LOOPBACK, "localhost"):
        raise NetdefError(f"expected {LOOPBACK}, got '{host}': pages are served to this machine only",
                          hint=f"from elsewhere, `ssh -L {port or 8000}:{LOOPBACK}:{port or 8000}` reaches them")
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((LOOPBACK, port))
        made.listen(64)
    except OSError as error:
        made.close()
        taken = error.errno == errno.EADDRINUSE
        raise NetdefError(f"port {port} is {'taken' if taken else f'not to be had: {error.strerror}'}",
                          hint="give another one, or 0 for any that is free") from error
    return made


def app(routes: Sequence[tuple[str, Callable[[Any], Any]]], port: int) -> Any:
    """An ASGI application: ``routes`` are a path and a function of a request that gives a response."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    def answering(answer: Callable[[Any], Any]) -> Any:
        async def endpoint(request: Any) -> Any:  # async: everything runs in the server's one thread
            return answer(request)

        return endpoint

    inner = Starlette(routes=[Route(path, answering(answer), methods=["GET"]) for path, answer in routes])
    return OnlyHere(inner, port)


class OnlyHere:
    """Refuses requests for any other host, and gives every answer the headers that keep other sites out."""

    def __init__(self, inner: Any, port: int) -> None:
        self.inner = inner
        names = (LOOPBACK, "localhost", "[::1]")
        self.hosts = {f"{name}:{port}".encode() for name in names} | ({n.encode() for n in names} if port == 80 else set())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        from starlette.responses import PlainTextResponse

        if scope["type"] != "http":
            return
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            await PlainTextResponse("this server answers under its own address only\n", 403)(scope, receive, send)
            return

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        await self.inner(scope, receive, sending)


def tagged(request: Any, stamp: object, make: Callable[[], str], media: str = "application/json") -> Any:
    """A response with an ETag made of ``stamp``; ``make()`` is called only where the client has not this one."""
    from starlette.responses import Response

    tag = f'"{hashlib.blake2b(repr(stamp).encode(), digest_size=12).hexdigest()}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(make(), media_type=media, headers={"ETag": tag})


class Server:
    """Answers for ``app`` on a bound socket from a daemon thread, until ``close``. Whatever stops it is a warning: it may
    never end the work beside it."""

    def __init__(self, app: Any, bound: socket.socket) -> None:
        need_packages()
        import uvicorn

        self._socket = bound
        self.url = f"http://{LOOPBACK}:{bound.getsockname()[1]}/"
        self._server = uvicorn.Server(uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", loop="asyncio", http="h11", ws="none",
            server_header=False, proxy_headers=False, timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._run, name="netdef-serve", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except BaseException as error:  # SystemExit too, by which uvicorn says that it cannot start
            warn(f"the page is no longer served: {error or type(error).__name__}", self.url)

    @property
    def running(self) -> bool:
        """Whether its thread is there."""
        return self._thread.is_alive()

    def wait(self) -> None:
        """Until it ends by itself or a KeyboardInterrupt comes."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def linger(self, fetched: Callable[[], bool]) -> None:
        """Wait until ``fetched()``, two seconds at most."""
        end = time.monotonic() + LINGER
        while self.running and not fetched() and time.monotonic() < end:
            time.sleep(0.02)

    def close(self) -> None:
        """End the server and its thread."""
        self._server.should_exit = True
        self._thread.join(5)
        with contextlib.suppress(OSError):
            self._socket.close()
