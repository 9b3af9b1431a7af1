"""Every real prototxt of ../shared/prototxt: it is read and upgraded, or the mistake names the fork's field.

What fails and why is computed here and stored nowhere: as layers of forks arrive, the list shrinks by itself.
"""
from __future__ import annotations

import csv
import logging
import re

import pytest

from netdef.config.load import load_any
from netdef.config.upgrade import Report
from netdef.errors import ConfigError, ConfigErrors

OF_A_FORK = re.compile(r"no field '\w+' in .*it belongs to ", re.DOTALL)
PLACEHOLDER = re.compile(r"expected an integer, got cls\dx")  # templates whose numbers a script fills in
NO_CONFIG = re.compile(r"the file is empty|is this file a (net|solver)\?")


@pytest.fixture(scope="module")
def outcomes(shared):
    """For each file: the message, or the errors that reading it gave."""
    logging.getLogger("netdef").setLevel(logging.ERROR)
    found = {}
    for path in sorted((shared / "prototxt").glob("*.prototxt")):
        try:
            found[path.name] = load_any(path, report=Report()).message
        except ConfigError as error:
            found[path.name] = error.errors if isinstance(error, ConfigErrors) else [error]
    logging.getLogger("netdef").setLevel(logging.NOTSET)
    return found


def test_every_file_is_read_or_names_the_field_of_a_fork(outcomes):
    assert len(outcomes) >= 303
    unexplained = {
        name: [str(e) for e in errors if not any(p.search(str(e)) for p in (OF_A_FORK, PLACEHOLDER, NO_CONFIG))]
        for name, errors in outcomes.items() if isinstance(errors, list)}
    assert not {name: errors for name, errors in unexplained.items() if errors}
    read = sum(not isinstance(o, list) for o in outcomes.values())
    assert read >= 240, "what was read once stays readable"


def test_every_mistake_has_a_line(outcomes):
    errors = [e for o in outcomes.values() if isinstance(o, list) for e in o]
    assert all(re.match(r".+\.prototxt:\d+:\d+: error: ", str(e)) for e in errors)


def test_nothing_old_is_left(outcomes, shared):
    rows = list(csv.DictReader((shared / "prototxt/INDEX.tsv").open(), delimiter="\t"))
    old = [r["file"] for r in rows if r["syntax"].startswith(("V0", "V1"))]
    assert len(old) == 26
    for name in old:
        message = outcomes[name]
        if not isinstance(message, list):
            layers = int(next(r["layers"] for r in rows if r["file"] == name))
            assert not message.layers and not message.input and 0.8 * layers < len(message.layer) <= layers + 1
            assert all(layer.type for layer in message.layer), name
