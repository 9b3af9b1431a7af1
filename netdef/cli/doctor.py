"""``netdef doctor``: what this machine offers, and what netdef makes of it."""
from __future__ import annotations

import click


@click.command()
@click.option("--warm", is_flag=True, help="Compile every kernel now, so that no later run waits for it.")
def command(warm: bool) -> None:
    """Versions, CPU features, threads, BLAS, Numba's threading layer and the kernel cache."""
    from netdef.kernels import doctor

    for name, value in doctor.facts().items():
        click.echo(f"{name:<18} {value}")
    if warm:
        click.echo(doctor.warm_report())
