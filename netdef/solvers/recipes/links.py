"""Nets in turns that feed each other: blobs on the way there, gradients on the way back; the checks of the plan."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from netdef.config.located import Located
from netdef.errors import Collector, FieldError, GraphError, ShapeError, UnknownBlob, did_you_mean
from netdef.graph.model import GraphPlan, Step, Value
from netdef.solvers.recipes.model import Feed, Gradient


def plan_feeds(turn: Located, name: str, plans: Mapping[str, GraphPlan], who: str, errors: Collector) -> tuple[Feed, ...]:
    """The feeds of a turn, each checked against the blobs of both nets; mistakes go to ``errors``."""
    found: dict[str, Feed] = {}
    for entry in turn.children("feed"):
        with errors:
            feed = _feed(entry, name, plans, f"{who}: feed")
            if feed.to in found:
                raise GraphError(f"{who}: feed: '{feed.to}' is fed twice, first at {found[feed.to].located.span}",
                                 where=entry.span)
            found[feed.to] = feed
    return tuple(found.values())


def _feed(entry: Located, name: str, plans: Mapping[str, GraphPlan], who: str) -> Feed:
    m = entry.message
    source = getattr(m, "from")
    _check_turn(entry, source, name, plans, who)
    if not m.blob:
        raise FieldError(f"{who}: blob: missing", where=entry.span, hint=f"say which blob of '{source}' comes in")
    to = m.to or m.blob
    given = last_version(plans[source], m.blob)
    if given is None:
        raise UnknownBlob(f"{who}: the net '{source}' has no blob '{m.blob}'", where=entry.span_of("blob"),
                          hint=did_you_mean(m.blob, _blobs(plans[source])))
    plan = plans[name]
    taken = first_version(plan, to)
    field = "to" if m.HasField("to") else "blob"
    if taken is None:
        raise UnknownBlob(f"{who}: the net '{name}' has no blob '{to}'", where=entry.span_of(field),
                          hint=did_you_mean(to, _blobs(plan)))
    maker, giver = plan.description.layers[taken.maker], plans[source].description.layers[given.maker]
    if maker.type != "Input":
        raise GraphError(f"{who}: the blob '{to}' of '{name}' is made by {maker.who}", where=entry.span_of(field),
                         hint="a blob that comes in from outside is the top of an Input layer",
                         notes=[f"made at {maker.located.span}"])
    theirs, mine = plans[source].shapes.values[given.id], plan.shapes.values[taken.id]
    if theirs != mine and not any(s.node.layer is not None and s.node.layer.dynamic for s in _makers(plans[source], given)):
        raise ShapeError(f"{who}: '{m.blob}' of '{source}' has shape {theirs}, '{to}' of '{name}' has {mine}",
                         where=entry.span, notes=[f"there: {giver.located.span}", f"here:  {maker.located.span}"])
    return Feed(entry, source, m.blob, to)


def _check_turn(entry: Located, source: str, name: str, plans: Mapping[str, GraphPlan], who: str) -> None:
    if not source:
        raise FieldError(f"{who}: from: missing", where=entry.span, hint="say which of the other turns")
    if source not in plans or source == name:
        raise FieldError(f"{who}: " + ("from: expected another turn, got this one" if source == name else
                                       f"the stage has no turn '{source}'"), where=entry.span_of("from"),
                         hint=did_you_mean(source, [n for n in plans if n != name]))


def plan_gradients(turn: Located, name: str, plans: Mapping[str, GraphPlan], feeds: Mapping[str, Sequence[Feed]], who: str,
                   errors: Collector) -> tuple[Gradient, ...]:
    """The gradients that a turn asks of nets which it feeds; mistakes go to ``errors``."""
    found = []
    for entry in turn.children("gradient"):
        with errors:
            source = getattr(entry.message, "from")
            _check_turn(entry, source, name, plans, f"{who}: gradient")
            pairs = tuple((feed.to, feed.blob) for feed in feeds.get(source, ()) if feed.source == name)
            if not pairs:
                raise GraphError(f"{who}: gradient: '{source}' has no feed from '{name}', so that its loss does not depend "
                                 "on it", where=entry.span_of("from"),
                                 hint=f"write feed {{ from: \"{name}\" blob: ... }} in the turn '{source}'")
            found.append(Gradient(entry, source, entry.message.weight, pairs))
    return tuple(found)


def check_order(feeds: Mapping[str, Sequence[Feed]], who: str, errors: Collector) -> None:
    """A GraphError where nets feed each other in a circle, for then none can run first."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " <- ".join((*path[path.index(name):], name))
            feed = next(f for f in feeds[path[-1]] if f.source == name)
            raise GraphError(f"{who}: feed: nets feed each other in a circle: {circle}", where=feed.located.span)
        if name not in done:
            for feed in feeds.get(name, ()):
                visit(feed.source, (*path, name))
            done.add(name)

    with errors:
        for name in feeds:
            visit(name, ())


def usable(name: str, plans: Mapping[str, GraphPlan], gradients: Sequence[Gradient], who: str, errors: Collector
           ) -> tuple[Gradient, ...]:
    """The gradients with those of their blobs that the judging net's loss depends on, and that something here learns by
    (labels that are fed too are neither); a GraphError where none is left. The plans are the final ones."""
    found = []
    for gradient in gradients:
        judge, pairs, why = plans[gradient.source], [], ""
        for there, here in gradient.pairs:
            given, taken = first_version(judge, there), last_version(plans[name], here)
            assert given is not None and taken is not None  # the feed was checked
            if given.id not in judge.with_gradient:
                why = why or f"no loss of '{gradient.source}' depends on its blob '{there}'"
            elif not _learns_below(plans[name], taken):
                why = f"nothing that makes the blob '{here}' of '{name}' learns"
            else:
                pairs.append((there, here))
        if not pairs:
            errors.add(GraphError(f"{who}: gradient: {why}", where=gradient.located.span))
        found.append(replace(gradient, pairs=tuple(pairs)))
    return tuple(found)


def _learns_below(plan: GraphPlan, value: Value) -> bool:
    return any(plan.params[p].learns for step in _makers(plan, value) for p in step.params)


def _makers(plan: GraphPlan, value: Value) -> Iterator[Step]:
    """The steps that a blob depends on, from the one that makes it down to the data."""
    queue, seen = [value.id], set()
    while queue:
        step = plan.steps[plan.description.values[queue.pop()].maker]
        if step.node.index not in seen:
            seen.add(step.node.index)
            queue += [b for b in step.node.bottoms if b is not None]
            yield step


def _blobs(plan: GraphPlan) -> list[str]:
    return list(dict.fromkeys(v.blob for v in plan.description.values if not v.automatic))


def first_version(plan: GraphPlan, blob: str) -> Value | None:
    """The blob as the layer makes it that does not work in place."""
    return next((v for v in plan.description.values if v.blob == blob), None)


def last_version(plan: GraphPlan, blob: str) -> Value | None:
    """The blob as the last in-place layer leaves it."""
    return next((v for v in reversed(plan.description.values) if v.blob == blob), None)
