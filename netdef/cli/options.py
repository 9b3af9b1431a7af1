"""Options that several commands share."""
from __future__ import annotations

from collections.abc import Callable
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


def weight_files(text: str | None) -> list[str]:
    """``a.caffemodel,b.npz`` as a list."""
    return [part for part in (text or "").split(",") if part]
