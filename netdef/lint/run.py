"""Lint files: read them, look at them by every rule, leave out what comments and options silence."""
from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from netdef.config.load import kind_of, load_net, load_recipe, load_solver
from netdef.config.located import Located
from netdef.config.paths import resolve
from netdef.debug.netlook import silent
from netdef.errors import Collector, ConfigError, NetdefError, Span, did_you_mean
from netdef.graph.filter import PHASES, merged_state
from netdef.graph.model import State
from netdef.lint import drift, feeds, fields, graph, learning, losses, norms, training  # noqa: F401  (they list their rules)
from netdef.lint.comments import Comments
from netdef.lint.rules import CONFIG, RULES, SEVERITIES, Finding, Hit, Rule
from netdef.lint.subject import NetCase, SolverCase
from netdef.solvers import nets as solver_nets
from netdef.solvers.policies import find_policy
from netdef.solvers.rules import find_rule
from netdef.solvers.settings import check_settings

MOST = 5  # findings of one rule in one file that are shown in full


class UnknownRule(ConfigError):
    """A name that no rule has; the command line calls it usage."""


@dataclass
class Report:
    """What was found in some files, in the order of the files and lines; ``silenced``: by comments."""

    files: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    silenced: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing but notes was found."""
        return all(f.severity == "note" for f in self.findings)

    def count(self) -> Counter[str]:
        """How many findings there are of each severity."""
        return Counter(f.severity for f in self.findings)

    def summary(self) -> str:
        """``2 files: 1 error, 3 warnings, 1 silenced by comments``."""
        found = self.count()
        parts = [f"{found[s]} {s}{'' if found[s] == 1 else 's'}" for s in SEVERITIES if found[s]] or ["nothing found"]
        if self.silenced:
            parts.append(f"{self.silenced} silenced by comments")
        return f"{len(self.files)} file{'' if len(self.files) == 1 else 's'}: {', '.join(parts)}"

    def text(self, most: int = MOST) -> str:
        """All findings and the summary; ``most`` findings of one rule in one file, then how many more there are."""
        seen: Counter[tuple[str, str]] = Counter()
        parts, totals = [], Counter((f.rule, f.span.file) for f in self.findings)
        for finding in self.findings:
            key = (finding.rule, finding.span.file)
            seen[key] += 1
            if seen[key] <= most:
                parts.append(str(finding))
            if seen[key] == most < totals[key]:
                parts.append(f"{finding.span.file}: and {totals[key] - most} more of {finding.rule}; "
                             f"--only {finding.rule} shows all")
        return "\n\n".join([*parts, self.summary()])

    def as_plain(self) -> dict[str, Any]:
        """For JSON."""
        return {"files": self.files, "ok": self.ok, "silenced": self.silenced,
                "findings": [f.as_plain() for f in self.findings]}


def lint(paths: Sequence[Any], ignore: Collection[str] = (), only: Collection[str] = (), loaded: bool = False) -> Report:
    """Look at nets, solvers (with the nets that they name) and recipes by every rule. Nothing is run.

    A net that trains and one for prediction, given as the only two files, are also compared (rules of scope ``pair``).
    ``ignore`` and ``only`` are names of rules; ``loaded`` says that the params will come from a weights file. Mistakes
    in a config are findings of the name ``config``. Raises UnknownRule, and ConfigError where a file cannot be read.
    """
    for name in (*ignore, *only):
        if name not in RULES and name != CONFIG:
            raise UnknownRule(f"no rule '{name}'", hint=did_you_mean(name, RULES) or "`netdef lint --rules` lists all")
    work = _Lint(loaded)
    with silent():
        for path in paths:
            work.add(path)
        work.compare()
    chosen = {*only} or {*RULES, CONFIG}
    return work.report(chosen - {*ignore})


class _Lint:
    """One run: what was found so far, and the nets that were given themselves."""

    def __init__(self, loaded: bool) -> None:
        self.loaded = loaded
        self.found: dict[tuple[str, Span], Finding] = {}
        self.files: list[str] = []
        self.given: list[NetCase | None] = []

    def add(self, path: Any) -> None:
        """Look at one file that was named."""
        kind = kind_of(path)
        if kind == "recipe":
            self._recipe(load_recipe(path))
            self.given.append(None)
        elif kind == "solver":
            self.given.append(self._solver(path, self.loaded))
        else:
            self.given.append(self._net(path, self.loaded))

    # -- what a file may be --------------------------------------------------------------------------------------

    def _net(self, path: Any, loaded: bool) -> NetCase:
        errors = Collector()
        net = NetCase(load_net(path, errors=errors), errors.found, loaded)
        self._look(net)
        return net

    def _solver(self, path: Any, loaded: bool) -> NetCase | None:
        errors = Collector()
        located = load_solver(path, errors=errors)
        loaded = loaded or bool(located.message.weights)
        case = SolverCase(located)
        check_settings(located, errors)
        for check in (find_policy, find_rule):
            with errors:
                check(located)
        loads: dict[str, Located] = {}
        with errors:
            source = solver_nets.train_source(located)
            net = self._source(located, source, loads, errors)
            phase, level, stages = solver_nets.train_arguments(located, net)
            case.net = NetCase(net, (), loaded, [merged_state(net.message, phase, level, stages)])
        with errors:
            for i, source in enumerate(solver_nets.test_sources(located)):
                net = self._source(located, source, loads, errors)
                case.tests.append(NetCase(net, (), loaded, [_test_state(located, net, i)]))
        nets = [c for c in (case.net, *case.tests) if c is not None]
        self._file(located)
        self._mistakes([*errors.found, *(e for n in nets for e in n.errors)])
        for each in [r for r in RULES.values() if r.scope == "solver"]:
            self._hits(each, each.look(case))
        if case.net is None:
            return None
        whole = NetCase.joined(case.net.located, [n for n in nets if n.located is case.net.located])
        for n in [whole, *(n for n in case.tests if n.located is not case.net.located)]:
            self._look(n)
        return whole

    def _source(self, solver: Located, source: solver_nets.Source, loads: dict[str, Located], errors: Collector) -> Located:
        """A net of a solver, each file read once."""
        key = f"{source.field}[{source.index}]"
        if key not in loads:
            loads[key] = solver_nets.load_source(solver, source, errors)
        return loads[key]

    def _recipe(self, recipe: Located) -> None:
        """The nets and solvers that a recipe names, each for itself; weights come from earlier stages."""
        self._file(recipe)
        for stage in recipe.children("stage"):
            for turn in [stage, *stage.children("turn")]:
                m = turn.message
                try:
                    if m.solver and not m.HasField("solver_param"):
                        self._solver(str(resolve(m.solver, recipe.file, turn.span_of("solver"))), True)
                    elif m.solver_param.net or m.solver_param.train_net:
                        name = "net" if m.solver_param.net else "train_net"
                        span = turn.span_of("solver_param", name)
                        self._net(str(resolve(getattr(m.solver_param, name), recipe.file, span)), True)
                except ConfigError as error:
                    self._mistakes([error])

    # -- looking -------------------------------------------------------------------------------------------------

    def _look(self, net: NetCase) -> None:
        """A net by the rules for states and nets."""
        self._file(net.located)
        self._mistakes(net.errors)
        for each in RULES.values():
            if each.scope == "net":
                self._hits(each, each.look(net))
            elif each.scope in ("state", "train"):
                for view in net.views if each.scope == "state" else net.training:
                    self._hits(each, each.look(view))

    def compare(self) -> None:
        """The two nets that were given, where one trains and the other predicts."""
        nets = [n for n in self.given if n is not None]
        if len(self.given) != 2 or len(nets) != 2:
            return
        train, deploy = sorted(nets, key=lambda n: not n.training)
        pair = drift.views(train, deploy) if train.training and not deploy.training else None
        for each in RULES.values():
            if each.scope == "pair" and pair is not None:
                self._hits(each, each.look(*pair))

    def _file(self, located: Located) -> None:
        if located.file not in self.files:
            self.files.append(located.file)

    def _mistakes(self, errors: Iterable[NetdefError]) -> None:
        for e in errors:
            span = e.where if isinstance(e.where, Span) else Span(str(e.where or self.files[-1]))
            self.found.setdefault((CONFIG + e.message, span), Finding(CONFIG, "error", span, e.message, "", e.hint))

    def _hits(self, by: Rule, hits: Iterable[Hit]) -> None:
        for hit in hits:
            found = Finding(by.name, hit.severity or by.severity, hit.span, hit.what, by.why, hit.do)
            self.found.setdefault((by.name, hit.span), found)

    def report(self, chosen: Collection[str]) -> Report:
        """What was found by the chosen rules, without what comments silence."""
        comments, silenced = Comments(), 0
        kept: list[Finding] = []
        by = RULES["lint-comment"]
        for file in self.files:
            self._hits(by, by.look(comments, file))
        for finding in self.found.values():
            if finding.rule in chosen:
                quiet = comments.silences(finding.rule, finding.span)
                silenced += quiet
                if not quiet:
                    kept.append(finding)
        order = {file: i for i, file in enumerate(self.files)}
        kept.sort(key=lambda f: (order.get(f.span.file, len(order)), f.span.file, f.span.line, f.span.column))
        return Report(self.files, kept, silenced)


def _test_state(solver: Located, net: Located, index: int) -> State:
    """The state of a solver's test net."""
    written = solver.message.test_state
    given = written[index] if index < len(written) else None
    own = net.message.state
    phase = PHASES[given.phase] if given is not None and given.HasField("phase") else (
        PHASES[own.phase] if own.HasField("phase") else "TEST")
    level = given.level if given is not None and given.HasField("level") else None
    return merged_state(net.message, phase, level, tuple(given.stage) if given is not None else ())
