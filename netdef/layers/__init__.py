"""Layers: one file a type. A layer knows blobs and kernels, never its neighbours, files or the solver.

To add one: copy ``relu.py`` (class), ``proto/layers/relu.proto`` (options) and ``tests/layers/test_relu.py``
(a plain reference, cases, one call to the battery in ``netdef.testing``). Nothing else needs an edit.
May import: errors, blob, config, kernels, fillers, data, weights.
"""
