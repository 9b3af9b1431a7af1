"""Lint: rules that read nets and solvers before anything runs, and say where something is likely not what was meant.

``run.lint`` looks at files; a rule is a generator of Hits with ``@rule(name, severity, scope)`` in the file of its topic
(learning, losses, norms, feeds, fields, graph, training, drift), whose docstring is the reason that people read. To add
one: write it, add a net to tests/lint/ on which it fires, and run ``python tools/gen_lint.py`` for docs/lint.md.
A rule must be silent on every config and true wherever it fires: what depends on taste is none.
"""
