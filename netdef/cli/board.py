"""``netdef board``: runs in the browser."""
from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("runs", nargs=-1, metavar="RUNS...", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port to serve on; 0, the default, takes any "
              "that is free.")
@click.option("--open/--no-browser", "opened", default=False, help="Open the browser, or, the default, only print the URL.")
def command(runs: tuple[Path, ...], port: int, opened: bool) -> None:
    """Show RUNS in the browser: their state, their curves over each other, and each one's page, layer by layer.

    RUNS are directories of runs (runs/LeNet/1) or folders in which such lie; without any, runs/. Of a run that is being
    trained the pages grow. Nothing is written, and only this machine is answered: on another one,
    `ssh -L PORT:127.0.0.1:PORT` brings the page over. Ctrl-C ends it.

    \b
    Examples:
      netdef board runs
      netdef board runs/LeNet/1 runs/LeNet/2 --port 8000 --open
    """
    from netdef.report.board import Board, check_places
    from netdef.report.serve import Server, app, bind, need_packages

    if not runs and not Path("runs").is_dir():
        raise click.UsageError("say which RUNS to show; there is no folder 'runs' here")
    places = runs or (Path("runs"),)
    need_packages()
    check_places(places)
    bound = bind(port)
    board = Board(places)
    count = len(board.update())
    server = Server(app(board.routes(), bound.getsockname()[1]), bound)
    click.echo(f"{count} run{'' if count == 1 else 's'}: {server.url}  (Ctrl-C ends it)")
    if opened:
        click.launch(server.url)
    try:
        server.wait()
    except KeyboardInterrupt:
        click.echo("")
    finally:
        server.close()
