"""``netdef data``: the group of commands for data sets, each in a file ``data_<name>.py``."""
from __future__ import annotations

import click

from netdef.cli.main import LazyGroup

COMMANDS = {
    "make": "Make a database from pictures, lists, IDX, CSV, NumPy, VOC or CIFAR files.",
    "get": "Get a published data set and make its databases.",
    "info": "Count, shapes, classes and values of a data set, and its first records as a picture.",
    "check": "Look for what is wrong with a data set, or with train and test together.",
    "mean": "The mean picture, for mean_file, and the mean of each channel, for mean_value.",
    "split": "Divide a data set into parts.",
    "convert": "Write a data set in another format.",
    "show": "A contact sheet of what a net sees, after its transforms.",
}


class DataGroup(LazyGroup):
    """The commands of the table above."""

    table = COMMANDS
    prefix = "netdef.cli.data_"


@click.group(cls=DataGroup)
def command() -> None:
    """Make, convert, split, check, describe and show data sets.

    A SOURCE is what a Data layer takes (a database, builtin:mnist10k/train, csv:points.csv,label=class, ...), or the bare
    path of a folder with a folder of pictures for each class, of a list of pictures, of an IDX, CSV, .npz or HDF5 file,
    of a folder laid out as PASCAL VOC's, or of CIFAR's batches. See docs/data.md.

    \b
    Examples:
      netdef data make train_lmdb --from pets --resize 227x227 --shuffle
      netdef data check train_lmdb test_lmdb
      netdef data mean train_lmdb mean.binaryproto
    """
