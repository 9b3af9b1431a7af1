"""Hooks: functions called around every layer; timing, gradient dumps and checks for NaN hang here."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

EVENTS = ("before_forward", "after_forward", "before_backward", "after_backward")
Hook = Callable[[Any], None]  # of a RunStep; without parts, of a FusedStep too


@dataclass(frozen=True)
class Handle:
    """What ``Hooks.add`` returns; ``remove()`` takes the hook away again."""

    hooks: Hooks
    event: str
    hook: Hook
    parts: bool = True

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        listed = self.hooks.of(self.event)
        if self.hook in listed:
            listed.remove(self.hook)
            self.hooks.parts -= self.parts


class Hooks:
    """The hooks of one net, by event: ``before_forward``, ``after_forward``, ``before_backward``, ``after_backward``.

    A hook gets the step that is running: ``step.name``, ``step.layer``, ``step.bottoms``, ``step.tops``,
    ``step.params`` (blobs) and ``step.need``. While a hook is there the net runs layer by layer, unless it was added with
    ``parts=False``: then it sees fused steps as one (``conv1 + relu1``).
    """

    def __init__(self) -> None:
        self._hooks: dict[str, list[Hook]] = {event: [] for event in EVENTS}
        self.parts = 0  # how many hooks need layers one by one

    def of(self, event: str) -> list[Hook]:
        """The hooks of one event, in the order in which they were added. Raises ValueError on an unknown event."""
        if event not in self._hooks:
            raise ValueError(f"no hook event '{event}'; there are {', '.join(EVENTS)}")
        return self._hooks[event]

    def add(self, event: str, hook: Hook, parts: bool = True) -> Handle:
        """Call ``hook(step)`` at every ``event`` from now on; ``parts``: for each layer, not for fused steps."""
        self.of(event).append(hook)
        self.parts += parts
        return Handle(self, event, hook, parts)

    @contextmanager
    def added(self, parts: bool = True, **hooks: Hook) -> Iterator[None]:
        """``with net.hooks.added(after_forward=f):`` adds hooks for the block only."""
        handles = [self.add(event, hook, parts) for event, hook in hooks.items()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @property
    def any(self) -> bool:
        """Whether anybody listens."""
        return any(self._hooks.values())
