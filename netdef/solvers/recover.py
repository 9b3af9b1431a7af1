"""What a killed process leaves of a snapshot, put in order when the next run or snapshot comes under the same prefix.

Three kinds of files can be left: unfinished ones (``weights.sweep`` deletes them), weights whose second name was never
taken back, because the kill came while a snapshot was written over (see ``snapshot.save_set``), and weights without a
state, which are whole and stay. A second name is the only copy of the weights that the state belongs to, or it is
superfluous; the digests in the state say which. What a living process works on is locked and left alone.
"""
from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from netdef import weights
from netdef.errors import NetdefError
from netdef.solvers import snapshot


def tidy(prefix: str) -> list[Path]:
    """Delete and restore what belongs to snapshots ``<prefix>_iter_N``; the paths deleted, or restored to their place.

    Errors of the file system are not raised: this is a service, and nothing depends on it.
    """
    folder, base = Path(os.path.dirname(prefix) or "."), os.path.basename(prefix)
    begin = f"{base}_iter_"[:100]  # as much as the name of an unfinished file tells
    changed = weights.sweep(folder, lambda name: name.removeprefix(".").startswith(begin) or name == base[:100])
    pattern = re.compile(rf"\.(?P<stem>{re.escape(base)}_iter_\d+(\.ema)?(\.caffemodel)?)\.previous"
                         r"(?P<ending>\.caffemodel|\.h5)")
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(folder)):
            if found := pattern.fullmatch(name):
                model = folder / (found["stem"] + found["ending"])
                with weights.locked(folder / name) as free, contextlib.suppress(OSError, NetdefError):
                    if free and _settle(folder / name, model):
                        changed.append(model)
    return changed


def _settle(aside: Path, model: Path) -> bool:
    """Restore weights from their second name, or delete that name; whether one of them was done.

    Where the state cannot be read, or knows neither of the two, both stay.
    """
    state = snapshot.beside(model, snapshot.STATE)[0]
    known = snapshot.digests_in(state) if state.exists() else None
    if known is None:
        needed, known = not model.exists(), []
    else:
        needed = not (model.exists() and snapshot.digest_of(model) in known)
        if needed and snapshot.digest_of(aside) not in known:
            return False
    if needed:
        os.replace(aside, model)
    else:
        aside.unlink()
    return True
