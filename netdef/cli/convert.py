"""``netdef convert``: the same net or solver in the other notation, or in the current syntax."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from netdef.config.located import Located

YAML = (".yaml", ".yml")
BINARY = ".caffemodel"


@click.command()
@click.argument("source")
@click.argument("target", required=False)
@click.option("--long", "long_form", is_flag=True, help="YAML with Caffe's field names instead of the short form.")
@click.option("--kind", type=click.Choice(["net", "solver", "auto"]), default="auto", show_default=True,
              help="What SOURCE holds.")
@click.option("--upgrade", is_flag=True, help="Keep the notation, write the current syntax, and list every change "
              "with its line.")
def command(source: str, target: str | None, long_form: bool, kind: str, upgrade: bool) -> None:
    """Write SOURCE as TARGET: prototxt or YAML, by TARGET's ending; to the terminal without TARGET.

    Nothing but comments is lost. Old spellings (layers of 2013 and 2014, input_dim, solver_type) come out in the
    current form; with --upgrade each change is listed. A .caffemodel gives the net inside it; as a TARGET it takes
    the params of SOURCE along.

    \b
    Examples:
      netdef convert net.prototxt net.yaml
      netdef convert net.yaml net.prototxt
      netdef convert --upgrade net_of_2014.prototxt net.prototxt
      netdef convert --upgrade old.caffemodel new.caffemodel
    """
    from netdef.config.load import load_any
    from netdef.config.upgrade import Report

    report = Report() if upgrade else None
    located = load_any(source, kind, report=report)
    if report is not None:
        for change in report.changes:
            click.echo(str(change), err=True)
        click.echo(_counted(len(report.changes), source), err=True)
    if target is not None and target.lower().endswith(BINARY):
        _write_binary(located, source, target)
    else:
        _write_text(located, target, _as_yaml(source, target, upgrade), long_form)


def _counted(n: int, source: str) -> str:
    return f"{source}: {n} change{'' if n == 1 else 's'}" if n else f"{source}: nothing to upgrade"


def _as_yaml(source: str, target: str | None, upgrade: bool) -> bool:
    if target is not None:
        return target.lower().endswith(YAML)
    return source.lower().endswith(YAML) == upgrade


def _write_text(located: Located, target: str | None, yaml: bool, long_form: bool) -> None:
    from netdef.config.write import to_prototxt, to_yaml

    text = to_yaml(located.message, short=not long_form) if yaml else to_prototxt(located.message)
    if target is None:
        click.echo(text, nl=False)
        return
    from netdef.weights.atomic import atomic_write

    with atomic_write(Path(target)) as f:
        f.write(text.encode())
    click.echo(f"wrote {target}")


def _write_binary(located: Located, source: str, target: str) -> None:
    """The net with the params of the same file, as a .caffemodel of today."""
    from netdef import weights
    from netdef.errors import NetdefError

    if located.message.DESCRIPTOR.name != "NetParameter" or not source.lower().endswith(BINARY):
        raise NetdefError("only a .caffemodel has params to write into another one", where=source,
                          hint="as a net it is written to .prototxt or .yaml")
    found = weights.read(source)
    known = {layer.name: layer.type for layer in located.message.layer}
    layers = [(name, known[name], arrays) for name, arrays in found.layers.items() if name in known]
    weights.write(target, layers, found.net_name, located.message)
    click.echo(f"wrote {target}")
