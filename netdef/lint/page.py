"""The list of all rules: as text for ``--rules``, as a page for docs/lint.md."""
from __future__ import annotations

import textwrap

from netdef.lint.rules import RULES, SEVERITIES, Rule

BEGIN = "<!-- Rules: made by tools/gen_lint.py from the docstrings in netdef/lint/; do not edit below. -->"


def listing() -> str:
    """All rules with severity and reason, for the terminal."""
    parts = []
    for rule in _ordered():
        parts.append(f"{rule.name} ({rule.severity})\n" + textwrap.fill(rule.why, 100, initial_indent="  ",
                                                                      subsequent_indent="  "))
    return "\n\n".join(parts)


def markdown() -> str:
    """The part of docs/lint.md that lists the rules: a table, then each with its reason."""
    rules = _ordered()
    lines = [BEGIN, "", f"There are {len(rules)} rules.", ""]
    for topic in dict.fromkeys(rule.topic for rule in rules):
        lines += [f"## {topic}", "", "| rule | severity | why |", "|---|---|---|"]
        lines += [f"| `{r.name}` | {r.severity} | {r.why.replace('|', '/')} |" for r in rules if r.topic == topic]
        lines.append("")
    return "\n".join(lines)


def as_plain() -> list[dict[str, str]]:
    """For JSON."""
    return [{"rule": r.name, "severity": r.severity, "topic": r.topic, "why": r.why} for r in _ordered()]


def _ordered() -> list[Rule]:
    from netdef.lint import run  # noqa: F401  (reading it lists all rules)

    return sorted(RULES.values(), key=lambda r: (r.topic, SEVERITIES.index(r.severity), r.name))
