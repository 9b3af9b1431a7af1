"""Graph: message -> description -> shapes -> plan. Every stage returns a printable value and computes no numbers.

``describe.py`` (with ``filter.py``), ``infer.py``, ``plan.py`` (with ``params.py`` and ``verify.py``), ``render.py``
prints each stage, ``build.py`` runs them all. May import: layers and below.
"""
