"""Options that several commands share."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

F = Callable[..., Any]


def state_options(default_phase: str) -> Callable[[F], F]:
    """``--phase``, ``--level`` and ``--stage``: which layers the include and exclude rules keep."""

    def add(function: F) -> F:
        function = click.option("--stage", "stages", multiple=True, help="A stage for the include and exclude rules; "
                                "may be given several times.")(function)
        function = click.option("--level", type=int, default=None, help="Level for the include and exclude rules.")(
            function)
        return click.option("--phase", type=click.Choice(["TRAIN", "TEST"], case_sensitive=False),
                            default=default_phase, show_default=True, help="Which phase of the net.")(function)

    return add


weights_option = click.option("--weights", "-w", metavar="FILES", default=None,
                              help="Trained params: .caffemodel, .caffemodel.h5, .npz or .safetensors; several with "
                              "commas, later ones win.")
seed_option = click.option("--seed", type=int, default=None, help="Seed of all random numbers.")
set_option = click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE",
                          help="Change one field of the file, for example --set max_iter=200 or "
                               "--set layer.conv1.convolution_param.num_output=30; may be given several times.")

assume_option = click.option("--assume", "assumed", multiple=True, metavar="BLOB=N,C,H,W",
                             help="The shape of a blob whose data are not here, for example --assume data=64,3,227,227; "
                                  "may be given several times.")

dialect_option = click.option("--dialect", metavar="NAME", default=None,
                              help="The fork of Caffe that wrote a .caffemodel, for the numbers of its fields: bvlc, ssd, "
                                   "faster-rcnn, segnet, ...; by default the types of its layers tell.")


def fork_of(dialect: str | None) -> str | None:
    """The short name of the fork that ``--dialect`` names; raises UsageError."""
    from netdef.config import forks
    from netdef.errors import FieldError

    try:
        return None if dialect is None else forks.short(dialect)
    except FieldError as e:
        raise click.UsageError(f"{e.message}; {e.hint}" if e.hint else e.message) from None


def net_of(net: str, dialect: str | None) -> Any:
    """What to build: the net as it was named, or as the fork wrote it that ``--dialect`` names. Raises UsageError.

    A solver or a recipe is left as it is: it names its nets.
    """
    fork = fork_of(dialect)
    if fork is None:
        return net
    from netdef.config.load import kind_of, load_net

    if kind_of(net) != "net":
        return net

    return load_net(net, dialect=fork)


def assumed_shapes(texts: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """The shapes of ``--assume`` by blob; raises UsageError."""
    from netdef.graph.standin import Assumptions

    with assumptions_are_usage():
        return dict(Assumptions.read(texts).shapes)


@contextmanager
def assumptions_are_usage() -> Iterator[None]:
    """A mistake in ``--assume`` is one of usage: exit status 2."""
    from netdef.graph.standin import BadAssumption

    try:
        yield
    except BadAssumption as e:
        raise click.UsageError(str(e).replace("--assume: error: ", "--assume: ")) from None


def weights_of(net: str, text: str | None) -> list[str]:
    """The files of ``--weights``; none given means the params in ``net``, where it is a .caffemodel."""
    from netdef.runtime.load import own_weights

    own = None if text else own_weights(net)
    return weight_files(text) if own is None else [str(own)]


def weight_files(text: str | None) -> list[str]:
    """``a.caffemodel,b.npz`` as a list."""
    return [part for part in (text or "").split(",") if part]
