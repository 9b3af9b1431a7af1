"""``netdef doctor``: what this machine offers; or what some files are, and whether they are whole."""
from __future__ import annotations

import json

import click


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--warm", is_flag=True, help="Compile every kernel now, so that no later run waits for it.")
@click.option("--json", "as_json", is_flag=True, help="The reports on files as JSON.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], warm: bool, as_json: bool) -> None:
    """Without FILE: versions, CPU features, threads, BLAS, Numba's threading layer and the kernel cache.

    With FILE: what it is by its content (nets and solvers of every age, weights, states, databases, lists, logs,
    pages that were saved by mistake), which Caffe it is from, whether it is whole and where it breaks, and what to
    type next. A net and its weights given together are compared. Exit status 1 if a file is broken or a net and
    weights do not fit.

    \b
    Examples:
      netdef doctor
      netdef doctor net.prototxt trained.caffemodel
      netdef doctor --json downloads/*
    """
    if not files:
        return _machine(warm)
    from netdef.debug.filedoctor import examine_all

    found = examine_all(files)
    if as_json:
        click.echo(json.dumps({"files": [r.as_dict() for r in found.reports], "fit": found.fit}, indent=2, default=str))
    else:
        click.echo("\n\n".join([*map(str, found.reports), *(["\n".join(found.fit)] if found.fit else [])]))
    ctx.exit(0 if found.ok else 1)


def _machine(warm: bool) -> None:
    from netdef.kernels import doctor

    for name, value in doctor.facts().items():
        click.echo(f"{name:<18} {value}")
    if warm:
        click.echo(doctor.warm_report())
