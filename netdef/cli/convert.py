"""``netdef convert``: the same net or solver in the other notation, templates expanded, in the current syntax, or as a
deploy net."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdef.cli.options import assume_option, dialect_option

if TYPE_CHECKING:
    from netdef.config.located import Located

YAML = (".yaml", ".yml")
BINARY = ".caffemodel"


@click.command()
@click.argument("source")
@click.argument("target", required=False)
@click.option("--long/--short", "long_form", help="YAML with Caffe's field names, or in the short form (the default).")
@click.option("--as", "notation", type=click.Choice(["prototxt", "yaml"]), help="What to write; by default TARGET's ending "
              "says it, and to the terminal goes the notation that SOURCE has not.")
@click.option("--kind", type=click.Choice(["net", "solver", "auto"]), default="auto", show_default=True,
              help="What SOURCE holds.")
@click.option("--upgrade", is_flag=True, help="Keep the notation, write the current syntax, and list every change "
              "with its line.")
@click.option("--deploy", "deploys", is_flag=True, help="Derive the net for prediction from a train net.")
@click.option("--batch", type=click.IntRange(min=1), default=None, help="With --deploy: items in a pass; by default 1.")
@assume_option
@dialect_option
def command(source: str, target: str | None, long_form: bool, notation: str | None, kind: str, upgrade: bool,
            deploys: bool, batch: int | None, assumed: tuple[str, ...], dialect: str | None) -> None:
    """Write SOURCE as TARGET: prototxt or YAML, by TARGET's ending; to the terminal without TARGET.

    Nothing but comments is lost. Templates of YAML come out expanded. Old spellings (layers of 2013 and 2014,
    input_dim, solver_type) come out in the current form; with --upgrade each change is listed. A .caffemodel gives the
    net inside it; as a TARGET it takes the params of SOURCE along.

    With --deploy data layers become Input, losses become Softmax or Sigmoid, and what only trains or measures goes;
    comments at the top say which preprocessing the net expects. --assume data=1,1,28,28 gives an input's shape where
    the data are not here and no crop_size tells it.

    \b
    Examples:
      netdef convert net.prototxt net.yaml
      netdef convert net.yaml net.prototxt
      netdef convert --upgrade net_of_2014.prototxt net.prototxt
      netdef convert --upgrade old.caffemodel new.caffemodel
      netdef convert --deploy train_val.prototxt deploy.prototxt --batch 10
    """
    if deploys:
        if dialect is not None:
            raise click.UsageError("--dialect is for a .caffemodel that is written as text; derive the deploy net from that")
        _deploy(source, target, notation, long_form, upgrade, kind, batch, assumed)
        return
    if batch is not None or assumed:
        raise click.UsageError("--batch and --assume go with --deploy")
    from netdef.cli.options import fork_of
    from netdef.config.load import load_any, load_net
    from netdef.config.upgrade import Report

    report, fork = Report() if upgrade else None, fork_of(dialect)
    located = load_net(source, report=report, dialect=fork) if fork else load_any(source, kind, report=report)
    if report is not None:
        for change in report.changes:
            click.echo(str(change), err=True)
        click.echo(_counted(len(report.changes), source), err=True)
    if target is not None and target.lower().endswith(BINARY):
        _write_binary(located, source, target)
    else:
        _write_text(located.message, target, _as_yaml(source, target, notation, upgrade), long_form)


def _deploy(source: str, target: str | None, notation: str | None, long_form: bool, upgrade: bool, kind: str,
            batch: int | None, assumed: tuple[str, ...]) -> None:
    """Write the deploy net, what it expects as comments at its top; say on stderr what was left out."""
    from netdef.cli.options import assumed_shapes, assumptions_are_usage

    if upgrade or kind == "solver":
        raise click.UsageError("--deploy takes a net, and always writes the current syntax")
    if target is not None and target.lower().endswith(BINARY):
        raise click.UsageError("--deploy writes prototxt or YAML; the params of a .caffemodel fit it as they are")
    from netdef.graph.deploy import deploy

    with assumptions_are_usage():
        made = deploy(source, batch, assumed_shapes(assumed))
    for text in (*made.notes, *(f"left out: {t}" for t in made.left_out)):
        click.echo(text, err=True)
    head = [f"Derived from {source} by netdef convert --deploy.", *made.expects]
    _write_text(made.message, target, _as_yaml(source, target, notation, keep=True), long_form,
                "".join(f"# {' '.join(line.split())}\n" for line in head))


def _counted(n: int, source: str) -> str:
    return f"{source}: {n} change{'' if n == 1 else 's'}" if n else f"{source}: nothing to upgrade"


def _as_yaml(source: str, target: str | None, notation: str | None, keep: bool) -> bool:
    """Whether to write YAML; ``keep``: without a target, what SOURCE is written in and not the other one."""
    if notation is not None:
        return notation == "yaml"
    if target is not None:
        return target.lower().endswith(YAML)
    return source.lower().endswith(YAML) == keep


def _write_text(message: Any, target: str | None, yaml: bool, long_form: bool, head: str = "") -> None:
    from netdef.config.write import to_prototxt, to_yaml

    text = head + (to_yaml(message, short=not long_form) if yaml else to_prototxt(message))
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
