"""The option ``--serve [PORT]`` of `netdef train`, and what it brings about."""
from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from netdef.report.runserver import RunServer

_ADDRESS = re.compile(r"(?:(?P<host>.*):)?(?P<port>\d+)")
_HERE = ("127.0.0.1", "localhost")


class Port(click.ParamType):
    """A port from 0 to 65535, alone or behind this machine's own address."""

    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        found = _ADDRESS.fullmatch(str(value))
        if found is None or int(found["port"]) > 65535:
            self.fail(f"expected a port from 0 to 65535, got '{value}'", param, ctx)
        if found["host"] is not None and found["host"] not in _HERE:
            self.fail(f"the page is served on 127.0.0.1 only, got '{found['host']}'; from elsewhere "
                      f"`ssh -L {found['port']}:127.0.0.1:{found['port']}` reaches it", param, ctx)
        return int(found["port"])


class Serving(click.Command):
    """A command whose ``--serve`` takes what follows as its port only where that looks like one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does."""
        given = list(args)
        for i, word in enumerate(given):
            if word == "--":
                break
            follower = given[i + 1] if i + 1 < len(given) else ""
            if word == "--serve" and not _ADDRESS.fullmatch(follower):
                given[i] = "--serve=0"
        return super().parse_args(ctx, given)


serve_option = click.option("--serve", type=Port(), metavar="[PORT]", default=None, help="Show the page of --html in the "
                            "browser while the training runs, to this machine only; without PORT on any that is free. "
                            "Needs netdef[serve].")


@contextmanager
def serving(port: int | None) -> Iterator[RunServer | None]:
    """A server for the block, None without a port. At the end of a training whoever looks gets the last state first."""
    if port is None:
        yield None
        return
    from netdef.report.runserver import RunServer

    server = RunServer(port)
    linger = True
    try:
        yield server
    except (SystemExit, KeyboardInterrupt):
        linger = False
        raise
    finally:
        server.close(linger)
