"""``netdef``: the group of commands, and the only place that turns errors into messages and exit statuses."""
from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback

import click

from netdef import __version__

COMMANDS = {
    "new": "Write a commented net and solver to start from.",
    "train": "Train a net as its solver file says.",
    "test": "Run a net over its test data and print the mean of its outputs.",
    "time": "Time every layer forward and backward, and say which kernels ran.",
    "predict": "What a trained net says of pictures and numbers.",
    "extract": "Write the values of any blobs for many inputs to a file.",
    "invert": "Find an input that gives a wanted output, by gradient or layer by layer.",
    "saliency": "Show which pixels of a picture an output depends on.",
    "attack": "Change pictures by a few grey levels so that a net no longer knows them.",
    "field": "Which part of the input a unit sees: receptive fields.",
    "summary": "Layers, shapes, params, multiply-adds and memory of a net.",
    "explain": "Show what netdef makes of a net, stage by stage.",
    "draw": "Draw a net: its layers, blobs, shapes, costs, and where gradients stop.",
    "grads": "Dump and tabulate the gradients of every layer.",
    "check": "Check a net's gradients against central differences.",
    "blame": "Replay a training and say what goes wrong first, and why.",
    "lint": "Say what in a net or solver is likely not meant, before anything runs.",
    "plot": "Draw the curves of runs: loss, test outputs, learning rate.",
    "board": "Show runs in the browser, while they are trained and after.",
    "compare": "Say where two runs, two nets or two solvers differ.",
    "convert": "Rewrite a net or solver as prototxt or YAML, or in the current syntax.",
    "data": "Make, convert, split, check, describe and show data sets; get published ones.",
    "layers": "List the layer types, or explain one.",
    "doctor": "What this machine offers; or what a FILE is, and whether it is whole.",
}


class LazyGroup(click.Group):
    """Loads the file of a command when it is called; lists them from a table."""

    table = COMMANDS
    prefix = "netdef.cli."

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order in which a newcomer needs them."""
        return list(self.table)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, or None (click then says what there is)."""
        if name not in self.table:
            return None
        return importlib.import_module(f"{self.prefix}{name}").command

    def resolve_command(self, ctx: click.Context, args: list[str]):
        """As click does, with a did-you-mean."""
        from netdef.errors import closest

        name = args[0] if args else ""
        if name and name not in self.table and not name.startswith("-"):
            near = closest(name, self.table)
            ctx.fail(f"no command '{name}'" + (f"; did you mean '{near}'?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="netdef")
@click.option("--debug", is_flag=True, help="Print a traceback with every error.")
@click.option("--quiet", "-q", is_flag=True, help="No warnings and notices.")
@click.option("--threads", type=click.IntRange(min=1), envvar="NETDEF_NUM_THREADS", show_envvar=True, metavar="N",
              help="Threads for arithmetic; by default all cores. Results do not depend on it.")
@click.pass_context
def cli(ctx: click.Context, debug: bool, quiet: bool, threads: int | None) -> None:
    """netdef: networks written down as prototxt or YAML, trained, and explained layer by layer.

    \b
    Start here:
      netdef new lenet my-net              a net and a solver to read and change
      netdef train my-net/solver.yaml      train it
      netdef grads my-net/solver.yaml      look at the gradients of every layer
    """
    ctx.obj = {"debug": debug}
    _log_to_stderr(quiet)
    if threads is not None:
        os.environ["NETDEF_NUM_THREADS"] = str(threads)  # read when the first kernel runs, and by processes started here


class _Stderr(logging.StreamHandler):
    """Writes to whatever sys.stderr is when a message comes."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _log_to_stderr(quiet: bool) -> None:
    log = logging.getLogger("netdef")
    log.setLevel(logging.ERROR if quiet else logging.INFO)
    if not log.handlers:
        log.addHandler(_Stderr())


def main() -> None:
    """The entry point: exit status 0, 1 for a user's mistake, 2 for wrong usage, 130 for Ctrl-C."""
    debug = "--debug" in sys.argv[1:]
    try:
        status = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        status = 130
    except click.ClickException as e:
        e.show()
        status = e.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    except BrokenPipeError:  # `netdef layers | head`
        sys.stderr.close()
        status = 0
    except Exception as e:
        status = _report(e, debug)
    sys.exit(status if isinstance(status, int) else 0)


def _report(error: Exception, debug: bool) -> int:
    from netdef.errors import NetdefError

    if debug:
        traceback.print_exc()
    if isinstance(error, NetdefError):
        print(error, file=sys.stderr)
    elif isinstance(error, MemoryError):
        print(f"error: not enough memory: {error}; a smaller batch_size needs less", file=sys.stderr)
    elif isinstance(error, OSError) and error.filename:
        print(f"{error.filename}: error: {error.strerror}", file=sys.stderr)
    else:
        print(f"internal error: {type(error).__name__}: {error}\nThis is a defect of netdef; please report it with "
              "the output of `netdef --debug ...`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
