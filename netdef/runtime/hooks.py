"""Hooks: functions called around every layer; timing, gradient dumps and checks for NaN hang here."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netdef.runtime.executor import RunStep

EVENTS = ("before_forward", "after_forward", "before_backward", "after_backward")
Hook = Callable[["RunStep"], None]


@dataclass(frozen=True)
class Handle:
    """What ``Hooks.add`` returns; ``remove()`` takes the hook away again."""

    hooks: Hooks
    event: str
    hook: Hook

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        listed = self.hooks.of(self.event)
        if self.hook in listed:
            listed.remove(self.hook)


class Hooks:
    """The hooks of one net, by event: ``before_forward``, ``after_forward``, ``before_backward``, ``after_backward``.

    A hook gets the step that is running: ``step.name``, ``step.layer``, ``step.bottoms``, ``step.tops``,
    ``step.params`` (blobs) and ``step.need``.
    """

    def __init__(self) -> None:
        self._hooks: dict[str, list[Hook]] = {event: [] for event in EVENTS}

    def of(self, event: str) -> list[Hook]:
        """The hooks of one event, in the order in which they were added. Raises ValueError on an unknown event."""
        if event not in self._hooks:
            raise ValueError(f"no hook event '{event}'; there are {', '.join(EVENTS)}")
        return self._hooks[event]

    def add(self, event: str, hook: Hook) -> Handle:
        """Call ``hook(step)`` at every ``event`` from now on."""
        self.of(event).append(hook)
        return Handle(self, event, hook)

    @contextmanager
    def added(self, **hooks: Hook) -> Iterator[None]:
        """``with net.hooks.added(after_forward=f):`` adds hooks for the block only."""
        handles = [self.add(event, hook) for event, hook in hooks.items()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @property
    def any(self) -> bool:
        """Whether anybody listens."""
        return any(self._hooks.values())
