"""The tables of whole nets: times, ratios, memory, and what to know about them."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench_race import CONTENDERS, Outcome
from bench_timing import geometric_mean

Found = Mapping[str, Mapping[str, Outcome]]
"""Outcomes by net and by contender's label."""
Pick = Callable[[Sequence[float]], float]
Table = tuple[list[list[str]], list[str]]
"""Rows, head."""

PEERS = tuple(dict.fromkeys(c.family for c in CONTENDERS if c.family != "netdef"))
NONE = "-"


def times(found: Found, labels: Sequence[str], names: Mapping[str, str], pick: Pick) -> Table:
    """Milliseconds, with the peak of resident memory beyond the imports in megabytes; ``names``: how nets are called."""
    def cell(outcome: Outcome | None) -> str:
        if outcome is None:
            return NONE
        return f"{pick(outcome.times) * 1e3:.4g} ({outcome.ready['peak_mb']:.0f})" if outcome.times else "does not work"

    return [[names[net], *(cell(by.get(label)) for label in labels)] for net, by in found.items()], ["net (batch)", *labels]


def ratios(by_threads: Mapping[int, Found], pick: Pick) -> Table | None:
    """Times over netdef's, a column for each peer and number of threads; None where there is nothing to compare.

    As installed: the better of a peer's forms, with the allocator as it is, over netdef so. Best: the least over all
    forms and both settings of the allocator, over the better of netdef's two.
    """
    columns: dict[str, dict[str, float]] = {}
    for peer in PEERS:
        for best in (False, True):
            for threads, found in by_threads.items():
                column = columns.setdefault(f"{peer}{' best' * best} ({threads})", {})
                for net, by in found.items():
                    own, other = (_least(by, family, best, pick) for family in ("netdef", peer))
                    if own and other:
                        column[net] = other / own
    columns = {name: column for name, column in columns.items() if column}
    if not columns:
        return None
    nets = list(dict.fromkeys(net for found in by_threads.values() for net in found))
    rows = [[net, *(f"{c[net]:.2f}" if net in c else NONE for c in columns.values())] for net in nets]
    rows.append(["geometric mean", *(f"{geometric_mean(list(c.values())):.2f}" for c in columns.values())])
    return rows, ["net", *columns]


def _least(by: Mapping[str, Outcome], family: str, best: bool, pick: Pick) -> float | None:
    members = [c.label for c in CONTENDERS if c.family == family and (best or not c.tuned)]
    return min((pick(by[label].times) for label in members if label in by and by[label].times), default=None)


def memory(found: Found, labels: Sequence[str]) -> Table | None:
    """Megabytes: the plan's peak as `netdef summary` prints it, what netdef's process grew by over it, and each contender's
    growth over netdef's. None where netdef did not run."""
    rows = []
    for net, by in found.items():
        own = by["netdef"].ready if "netdef" in by else {}
        if own.get("plan_mb") and own["peak_mb"] > 0:
            others = [by[label].ready.get("peak_mb") if label in by else None for label in labels if label != "netdef"]
            rows.append([net, f"{own['plan_mb']:.0f}", f"{own['peak_mb']:.0f}", f"{own['peak_mb'] / own['plan_mb']:.2f}",
                         *(f"{other / own['peak_mb']:.2f}" if other else NONE for other in others)])
    head = ["net", "plan MB", "netdef grown MB", "grown / plan", *(f"{label} / netdef" for label in labels if label != "netdef")]
    return (rows, head) if rows else None


def notes(found: Found) -> list[str]:
    """A line for each thing that a reader must know: who does not work and why, what compiling took, who ran apart."""
    lines = [f"{net}: {label} does not work: {outcome.why}" for net, by in found.items() for label, outcome in by.items()
             if outcome.why]
    taken = _by_net(found, lambda label, outcome: f"{outcome.ready['first_s']:.0f}" if label.startswith("torch.compile")
                    and outcome.times else "")
    if taken:
        lines.append(f"compiling is not in torch.compile's times; seconds until its first steps were done: {taken}")
    apart = _by_net(found, lambda label, outcome: label if outcome.shift > 1 else "")
    if apart:
        lines.append(f"memory did not hold all at once; these ran behind the others: {apart}")
    return lines


def _by_net(found: Found, say: Callable[[str, Outcome], str]) -> str:
    """``lenet: a, b; vgg16: c`` of what there is to say of the outcomes."""
    said = {net: [text for label, outcome in by.items() if (text := say(label, outcome))] for net, by in found.items()}
    return "; ".join(f"{net}: {', '.join(texts)}" for net, texts in said.items() if texts)


def raw(found: Found) -> dict[str, dict[str, dict[str, object]]]:
    """The outcomes for the JSON file."""
    return {net: {label: {"seconds": outcome.times, **outcome.ready, **({"why": outcome.why} if outcome.why else {})}
                  for label, outcome in by.items()} for net, by in found.items()}
