"""Recipes small enough for a test: linear maps of three features, in stages and in turns."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from netdef import weights
from netdef.solvers import events as e
from netdef.solvers.recipes import Recipe
from netdef.solvers.recipes.recipe import Follower

NETS = {
    "first.yaml": """
name: first
layers:
  - rows: {Rows: {}, top: [x, y]}
  - a: {InnerProduct: {num_output: 3, weight_filler: {type: gaussian, std: 0.5}}, bottom: x}
  - b: {InnerProduct: {num_output: 2, weight_filler: {type: gaussian, std: 0.5}}}
  - loss: {HalfSquares: {}, bottom: [b, y]}
""",
    "second.yaml": """
name: second
layers:
  - rows: {Rows: {}, top: [x, y]}
  - a: {InnerProduct: {num_output: 3, weight_filler: {type: gaussian, std: 0.5}}, bottom: x}
  - mid: {InnerProduct: {num_output: 3, weight_filler: {type: gaussian, std: 0.5}}, bottom: a}
  - c: {InnerProduct: {num_output: 2, weight_filler: {type: gaussian, std: 0.5}}}
  - loss: {HalfSquares: {}, bottom: [c, y]}
""",
    # A maker without a loss, a critic that reads what it makes, and both in one net.
    "maker.yaml": """
name: maker
layers:
  - rows: {Rows: {}, top: [x, y]}
  - g: {InnerProduct: {num_output: 3, weight_filler: {type: gaussian, std: 0.5}}, bottom: x, top: made}
  - tan: {TanH: {}, bottom: made, top: made}
  - unread: {Silence: {}, bottom: [made, y]}
""",
    "critic.yaml": """
name: critic
layers:
  - rows: {Rows: {}, top: [x, y]}
  - made: {Input: {shape: {dim: [4, 3]}}}
  - d: {InnerProduct: {num_output: 2, weight_filler: {type: gaussian, std: 0.5}}}
  - loss: {HalfSquares: {}, bottom: [d, y]}
  - unread: {Silence: {}, bottom: x}
""",
    "both.yaml": """
name: both
layers:
  - rows: {Rows: {}, top: [x, y]}
  - g: {InnerProduct: {num_output: 3, weight_filler: {type: gaussian, std: 0.5}}, bottom: x, top: made}
  - tan: {TanH: {}, bottom: made, top: made}
  - d: {InnerProduct: {num_output: 2, weight_filler: {type: gaussian, std: 0.5}}, bottom: made}
  - loss: {HalfSquares: {}, bottom: [d, y]}
""",
    "solver.yaml": "{base_lr: 0.1, lr_policy: fixed, momentum: 0.9, type: SGD}",
}
IN_STAGES = """name: steps
random_seed: 7
stage:
  - name: one
    solver: solver.yaml
    solver_param: {net: first.yaml, snapshot: 4}
    max_iter: 10
  - name: two
    solver: solver.yaml
    solver_param: {net: second.yaml, type: Adam, snapshot: 4}
    max_iter: 10
    weights: {stage: one, layer: a, rename: {layer: b, to: c}}
    freeze: a
"""
IN_TURNS = """name: turns
random_seed: 7
stage:
  - name: duel
    rounds: 6
    snapshot: 2
    turn:
      - name: critic
        iter: 2
        solver: solver.yaml
        solver_param: {net: critic.yaml, type: Adam, base_lr: 0.02}
        feed: {from: maker, blob: made}
      - name: maker
        iter: 3
        solver: solver.yaml
        solver_param: {net: maker.yaml}
        gradient: {from: judge}
      - name: judge
        iter: 0
        solver_param: {net: critic.yaml}
        feed: {from: maker, blob: made}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with the nets and the solver; the test runs in it."""
    monkeypatch.chdir(tmp_path)
    for name, text in NETS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def make(here):
    """``make(text, *overrides)``: a Recipe of a text."""

    def made(text: str, *overrides: str) -> Recipe:
        (here / "recipe.yaml").write_text(text)
        return Recipe("recipe.yaml", overrides)

    return made


class Stop(Follower):
    """Asks the solver of a stage (or turn) to stop after so many iterations, or kills the process there."""

    def __init__(self, recipe, name, iteration, kill=False):
        self.recipe, self.name, self.iteration, self.kill = recipe, name, iteration, kill
        self.seen = []

    def ready(self, stage, member, solver):
        def listen(event):
            if isinstance(event, e.Updated):
                self.seen.append((member.name, event.iter, event.loss))
                if (member.name, event.iter) == (self.name, self.iteration):
                    if self.kill:
                        raise KeyboardInterrupt
                    self.recipe.signals.request("stop")

        solver.listen(listen)


@pytest.fixture
def stop_at():
    """``stop_at(recipe, name, iteration, kill)``: a follower that ends a run there; ``seen`` are all updates."""
    return Stop


@pytest.fixture
def in_stages() -> str:
    """Two stages: the second takes over, and freezes, what the first has learned."""
    return IN_STAGES


@pytest.fixture
def in_turns() -> str:
    """A maker and a critic in turns; a judge, which shares the critic's params, is only lent."""
    return IN_TURNS


@pytest.fixture
def arrays():
    """``arrays(path)``: the arrays of a weights file by layer, for those layers that have some."""

    def read(path) -> dict[str, list[np.ndarray]]:
        return {name: [a.copy() for a in found] for name, found in weights.read(path).layers.items() if len(found)}

    return read


@pytest.fixture
def same(arrays):
    """``same(one, other)``: whether two weights files have the same layers with the same bits."""

    def compare(one, other) -> bool:
        a, b = arrays(one), arrays(other)
        return a.keys() == b.keys() and all(x.tobytes() == y.tobytes() for n in a for x, y in zip(a[n], b[n], strict=True))

    return compare


@pytest.fixture
def final():
    """``final(folder, stage, net)``: the weights of a net of a finished stage."""

    def path(folder, stage, net=None) -> Path:
        told = json.loads((Path(folder) / "recipe.json").read_text())
        return Path(folder) / told["finished"][stage]["weights"][net or stage]

    return path
