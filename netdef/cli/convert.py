"""``netdef convert``: the same net or solver in the other notation."""
from __future__ import annotations

from pathlib import Path

import click

YAML = (".yaml", ".yml")


@click.command()
@click.argument("source")
@click.argument("target", required=False)
@click.option("--long", "long_form", is_flag=True, help="YAML with Caffe's field names instead of the short form.")
@click.option("--kind", type=click.Choice(["net", "solver", "auto"]), default="auto", show_default=True,
              help="What SOURCE holds.")
def command(source: str, target: str | None, long_form: bool, kind: str) -> None:
    """Write SOURCE as TARGET: prototxt or YAML, by TARGET's ending; to the terminal without TARGET.

    Nothing but comments is lost. Old spellings (input_dim, solver_type) come out in the current form.

    \b
    Examples:
      netdef convert net.prototxt net.yaml
      netdef convert net.yaml net.prototxt
    """
    from netdef.config.load import load_any
    from netdef.config.write import to_prototxt, to_yaml

    message = load_any(source, kind).message
    to = target or ("x.yaml" if not source.endswith(YAML) else "x.prototxt")
    text = to_yaml(message, short=not long_form) if to.endswith(YAML) else to_prototxt(message)
    if target is None:
        click.echo(text, nl=False)
    else:
        from netdef.weights.atomic import atomic_write

        with atomic_write(Path(target)) as f:
            f.write(text.encode())
        click.echo(f"wrote {target}")
