"""Options for what goes into a trained net, and the Predictor that follows from them: shared by predict and extract."""
from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from netdef.data.preprocessing import Preprocessing
    from netdef.predict.rows import Item, Shapes

F = Callable[..., Any]


class Numbers(click.ParamType):
    """``104,117,123`` as a tuple of floats."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The tuple; click says what is wrong with other texts."""
        try:
            return value if isinstance(value, tuple) else tuple(float(v) for v in value.split(","))
        except ValueError:
            self.fail(f"expected numbers with commas, such as 104,117,123, got '{value}'", param, ctx)


class Size(click.ParamType):
    """``256`` or ``240x320`` (height x width) as a pair."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """(height, width); click says what is wrong with other texts."""
        if isinstance(value, tuple):
            return value
        parts = value.lower().split("x")
        if len(parts) > 2 or not all(p.isdigit() and int(p) > 0 for p in parts):
            self.fail(f"expected a size such as 256 or 240x320 (height x width), got '{value}'", param, ctx)
        return int(parts[0]), int(parts[-1])


_PREPROCESSING = (
    click.option("--preprocessing", "preprocessing_file", metavar="FILE", default=None,
                 help="A preprocessing.yaml.  [default: the one beside the weights or the net]"),
    click.option("--like", metavar="NET", default=None, help="Preprocess as the data layer of this net does."),
    click.option("--resize", type=Size(), default=None, metavar="HxW", help="Resize pictures to this size first."),
    click.option("--shorter-side", type=click.IntRange(1), default=None, metavar="N",
                 help="Resize so that the shorter side has N pixels; the centre is then cut out."),
    click.option("--keep-size", is_flag=True, default=None, help="No resize; the net takes the size of each picture."),
    click.option("--crop", "crop_size", type=click.IntRange(1), default=None, metavar="N",
                 help="Side of the square that is cut out of the centre.  [default: the net's input]"),
    click.option("--oversample", is_flag=True, default=None,
                 help="Ten crops: corners, centre and their mirror images; the mean of what the net says."),
    click.option("--channels", "channel_order", type=click.Choice(["BGR", "RGB"], case_sensitive=False), default=None,
                 help="Order of the channels that the net expects (Caffe's is BGR)."),
    click.option("--gray", is_flag=True, default=None, help="Read pictures as grey."),
    click.option("--invert", is_flag=True, default=None, help="Turn dark into light, as for dark digits on white."),
    click.option("--raw-scale", type=float, default=None, metavar="X", help="What a white pixel is: 255 or 1."),
    click.option("--mean", "mean_value", type=Numbers(), default=None, metavar="B,G,R",
                 help="Subtract these: one number, or one for each channel in the net's order."),
    click.option("--mean-file", metavar="FILE", default=None, help="A mean image: .binaryproto or .npy."),
    click.option("--mean-per-channel", is_flag=True, default=None, help="Of the mean image, the mean of each channel."),
    click.option("--scale", type=Numbers(), default=None, metavar="X", help="Factor after the mean is subtracted."),
)
_ROWS = (
    click.option("--input", "typed", multiple=True, metavar="NAME=VALUES",
                 help="Values for an input, as in x=0.3,0.5 or x=@file.npy; may be given several times. Beside pictures: "
                      "an input that stays the same."),
    click.option("--csv", "csv_file", metavar="FILE", default=None, help="An item a row (also lines of JSON)."),
    click.option("--columns", metavar="NAMES", default="", help="Columns of the CSV, by its first row, with commas."),
    click.option("--npz", "archive", metavar="FILE", default=None, help="Arrays by the inputs' names (.npz or .npy)."),
    click.option("--batch", type=click.IntRange(1), default=None, help="Items in one pass.  [default: the net's own]"),
)


def input_options(function: F) -> F:
    """Options for pictures and other inputs."""
    for option in reversed((*_ROWS, *_PREPROCESSING)):
        function = option(function)
    return function


def preprocessing_options(function: F) -> F:
    """Options for pictures alone."""
    for option in reversed(_PREPROCESSING):
        function = option(function)
    return function


def preprocessing_of(net: Any, weights: Sequence[str | os.PathLike[str]], given: dict[str, Any]) -> Preprocessing:
    """The preprocessing that the options ask for; takes its own out of ``given``."""
    from netdef.predict.choose import find_preprocessing

    file, like = given.pop("preprocessing_file"), given.pop("like")
    names = ("resize", "shorter_side", "keep_size", "crop_size", "oversample", "channel_order", "gray", "invert",
             "raw_scale", "mean_value", "mean_file", "mean_per_channel", "scale")
    changes = {name: value for name in names if (value := given.pop(name)) is not None}
    return find_preprocessing(net, weights, file, like, **changes)


Reader = Callable[["Shapes"], Iterator["Item"]]


def reader_of(pictures: tuple[str, ...], given: dict[str, Any]) -> Reader | None:
    """How to read items that are no pictures, as a function of the inputs' shapes; None for pictures, or where nothing is
    given. Takes its options out of ``given`` and leaves ``fixed``, the texts of inputs that stay the same.

    Raises click.UsageError where there are several kinds of input.
    """
    from netdef.predict import rows

    typed, csv_file, columns, archive = (given.pop(n) for n in ("typed", "csv_file", "columns", "archive"))
    others = [bool(pictures), csv_file is not None, archive is not None]
    if sum(others) > 1:
        raise click.UsageError("pictures, --csv, --npz and - are different inputs: give one")
    names = [c.strip() for c in columns.split(",") if c.strip()]
    given["fixed"] = typed if any(others) else ()
    if pictures == ("-",):
        return lambda shapes: rows.read_lines(sys.stdin, "<stdin>", shapes, names)
    if csv_file is not None or archive is not None:
        return lambda shapes: rows.read_file(csv_file or archive, shapes, names)
    return (lambda shapes: iter(rows.typed(typed, shapes))) if typed and not pictures else None
