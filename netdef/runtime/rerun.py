"""Running the last pass again, for nets that did not keep its blobs; and what cannot be had without."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdef.errors import NetdefError
from netdef.kernels.arithmetic import arithmetic
from netdef.runtime.hooks import Hooks

if TYPE_CHECKING:
    from netdef.runtime.net import Net


class Rerun:
    """Notes what a pass starts from, in nets that share buffers."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.states: dict[str, dict[str, Any]] = {}  # of layers, from before the last forward pass
        self.went_back = False
        self.recalled = False

    def before_forward(self) -> None:
        """Called before each forward pass."""
        net = self.net
        if not net.memory.shares:
            return
        if self.recalled:
            self.recalled = False
            net.blobs.show(net.memory.kept)
        self.went_back = False
        self.states = {run.name: state for run in net.steps if run.bottoms and (state := run.layer.state())}

    def before_backward(self) -> None:
        """Called before each backward pass. Raises NetdefError where one has used up what it needs."""
        if self.net.memory.shares and not self.recalled:
            if self.went_back:
                raise NetdefError("backward: it has run since the last forward pass, and its memory is used again by now",
                                  hint='open the net with keep="all"')
            self.went_back = True

    def check_parts(self) -> None:
        """Raises NetdefError where a pass that ran forward in fused steps cannot run backward layer by layer."""
        if self.net.memory.shares:
            raise NetdefError("backward: hooks came, or start and end were given, after a forward pass that kept nothing "
                              "for them", hint='add hooks before forward(), or open the net with keep="all"')

    def recall(self) -> None:
        """See Net.recall."""
        net = self.net
        if not net.memory.shares or self.recalled or net.pass_number == 0:
            return
        diffs = [blob.diff.copy() if blob.has_diff else None for blob in net.param_blobs]
        statistics = [(blob, blob.data.copy()) for p, blob in zip(net.plan.params, net.param_blobs, strict=True)
                      if not p.init.learns]
        states = {run.name: run.layer.state() for run in net.steps if run.name in self.states}
        net.memory.apart()
        try:
            for run in net.steps:
                if run.name in self.states:
                    run.layer.set_state(self.states[run.name])
            with arithmetic(net.plan.description.located.message.winograd):
                net.executor.forward(net.pass_number - 1, Hooks(), rerun=True)
                if self.went_back:
                    net.executor.backward(Hooks())
        finally:
            for blob, diff in zip(net.param_blobs, diffs, strict=True):
                if diff is not None:
                    blob.diff[...] = diff
            for blob, data in statistics:
                blob.data[...] = data
            for run in net.steps:
                if run.name in states:
                    run.layer.set_state(states[run.name])
        self.recalled = True
        net.blobs.show()
