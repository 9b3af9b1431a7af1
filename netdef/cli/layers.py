"""``netdef layers``: the catalogue of layer types."""
from __future__ import annotations

import click


@click.command()
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the layer types; with NAME, explain one: formula, shapes, options with defaults, an example."""
    from netdef.graph.catalogue import page
    from netdef.layers.catalogue import list_types

    click.echo(page(name) if name else list_types())
