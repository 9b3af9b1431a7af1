"""Events worded as Caffe's log lines, so that the tools which read such logs go on working."""
from __future__ import annotations

from netdef.solvers import events as e


def lines(event: e.Event) -> list[str]:
    """The lines that Caffe logs for an event (without glog's prefix); empty for those it is silent about.

    >>> lines(e.FinalLoss(10, 0.5))
    ['Iteration 10, loss = 0.5']
    """
    if isinstance(event, e.Displayed):
        return _displayed(event)
    if isinstance(event, e.LayerShown):
        return [f"    [{event.direction}] Layer {event.layer}, {event.role} blob {event.blob} {event.part}: "
                f"{event.value:g}"]
    if isinstance(event, e.ParamsShown):
        return [f"    [Backward] All net params (data, diff): L1 norm = ({event.l1[0]:g}, {event.l1[1]:g}); "
                f"L2 norm = ({event.l2[0]:g}, {event.l2[1]:g})"]
    if isinstance(event, e.Tested):
        return _tested(event)
    if isinstance(event, e.Testing):
        return [f"Iteration {event.iter}, Testing net (#{event.net})"]
    if isinstance(event, e.TestInterrupted):
        return ["Test interrupted."]
    if isinstance(event, e.Snapshotting):
        return [f"Snapshotting to binary proto file {event.weights}",
                f"Snapshotting solver state to binary proto file {event.state}"]
    if isinstance(event, e.Restored):
        return [f"Restoring previous solver status from {event.state}"]
    if isinstance(event, e.Started):
        return [f"Solving {event.net}", f"Learning Rate Policy: {event.policy}"]
    if isinstance(event, e.FinalLoss):
        return [f"Iteration {event.iter}, loss = {event.loss:g}"]
    if isinstance(event, e.Finished):
        return ["Optimization stopped early." if event.stopped else "Optimization Done."]
    return _beyond_caffe(event)


def _beyond_caffe(event: e.Event) -> list[str]:
    """Lines for what Caffe does not have; none looks like one of its own."""
    if isinstance(event, e.GradientNorms):
        head = f"    Gradient norm of all params: {event.total:g}"
        return [head, *(f"    Gradient norm of layer {name}: {norm:g}" for name, norm in event.layers.items())]
    if isinstance(event, e.RateLowered):
        return [f"Iteration {event.iter}, plateau: lr is now {event.lr:g}"]
    if isinstance(event, e.StoppedEarly):
        return [f"Iteration {event.iter}, stopping early: {event.name} has not been better than {event.best:g} for "
                f"{event.checks} checks"]
    return []


def _displayed(event: e.Displayed) -> list[str]:
    head = (f"Iteration {event.iter} ({event.per_second:g} iter/s, {event.seconds:g}s/{event.interval} iters), "
            f"loss = {event.loss:g}")
    return [head, *_outputs("Train", event.outputs), f"Iteration {event.iter}, lr = {event.lr:g}"]


def _tested(event: e.Tested) -> list[str]:
    head = [] if event.loss is None else [f"Test loss: {event.loss:g}"]
    return head + _outputs("Test", event.outputs)


def _outputs(kind: str, outputs: list[e.Output]) -> list[str]:
    return [f"    {kind} net output #{i}: {o.name} = {o.value:g}{_loss(o)}" for i, o in enumerate(outputs)]


def _loss(output: e.Output) -> str:
    if output.weight == 0:
        return ""
    return f" (* {output.weight:g} = {output.weight * output.value:g} loss)"
