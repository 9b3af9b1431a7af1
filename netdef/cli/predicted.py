"""What `netdef predict` prints and draws."""
from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import click

from netdef.data.images import find_images
from netdef.errors import NetdefError
from netdef.predict import Predictor
from netdef.predict.annotate import annotate, check_target
from netdef.predict.result import Prediction
from netdef.predict.rows import Item
from netdef.predict.show import predictions_table
from netdef.predict.steps import worked

Target = Callable[[str], str]  # a picture's path -> that of the one to draw


def show(predictor: Predictor, items: Iterable[Item], form: str, target: Target | None = None) -> None:
    """Print the answers for ``items`` and, with a target, draw them."""
    answers = _drawn(predictor, items, target)
    if form == "jsonl":
        for answer in answers:
            click.echo(json.dumps(answer.as_dict(), ensure_ascii=False))
    elif form == "json":
        click.echo(json.dumps([a.as_dict() for a in answers], ensure_ascii=False, indent=1))
    else:
        click.echo(predictions_table(answers))


def show_steps(predictor: Predictor, items: Iterable[Item], limit: int) -> None:
    """Print the pass of the one item, written out."""
    some = list(islice(items, 2))
    if len(some) != 1 or any(len(v) != 1 for v in some[0].values.values()):
        raise NetdefError("--steps: expected one input" + (", got several" if some else ", got none"))
    click.echo(worked(predictor.net, {**some[0].values, **predictor.fixed}, limit))


def target_of(out: str, pictures: Iterable[str]) -> Target:
    """Where each picture's copy goes: ``out`` itself for one, the folder ``out`` (made) for several.

    Raises NetdefError where ``out`` fits the number of pictures not, before anything is run.
    """
    found = find_images(pictures)
    if len(found) == 1 and not os.path.isdir(out) and not out.endswith(os.sep):
        check_target(out)
        return lambda path: out
    if os.path.splitext(out)[1] and not os.path.isdir(out):
        raise NetdefError(f"--annotate: expected a folder for {len(found)} pictures, got the file '{out}'")
    names = [os.path.splitext(os.path.basename(p))[0] + ".png" for p in found]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise NetdefError(f"--annotate: two pictures would become '{twice}'", hint="draw them one by one")
    os.makedirs(out, exist_ok=True)
    return lambda path: os.path.join(out, os.path.splitext(os.path.basename(path))[0] + ".png")


def _drawn(predictor: Predictor, items: Iterable[Item], target: Target | None) -> Iterator[Prediction]:
    """The answers, each drawn before it is handed on."""
    for answer in predictor.stream(items):
        if target is not None:
            path = target(answer.source)
            annotate(answer.source, answer, path)
            click.echo(f"wrote {path}", err=True)
        yield answer
