"""``netdef new``: something to start from."""
from __future__ import annotations

from pathlib import Path

import click

MODELS = ("lenet", "mlp", "logreg", "bcd7seg")


@click.command()
@click.argument("model", type=click.Choice(MODELS))
@click.argument("folder", type=click.Path(path_type=Path))
def command(model: str, folder: Path) -> None:
    """Write a commented net and solver of MODEL into FOLDER (new or empty), ready to train and to change.

    \b
    lenet     Caffe's LeNet on handwritten digits
    mlp       two hidden layers
    logreg    logistic regression, the smallest net there is
    bcd7seg   four bits to the seven segments of a display
    """
    from netdef.config.paths import builtin_config
    from netdef.errors import NetdefError

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NetdefError("exists and is not an empty folder; nothing was written", where=str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("net.yaml", "solver.yaml"):
        (folder / name).write_bytes(builtin_config(f"builtin:{model}/{name}").read_bytes())
        click.echo(f"wrote {folder / name}")
    click.echo(f"next: netdef train {folder / 'solver.yaml'}")
