"""Probe: questions put to a trained net by way of its gradients and its graph.

``subject.py`` cuts a net down to what makes one blob and gives gradients by the input (``Probe``); ``space.py`` says what its
input values are as pixels; ``goals.py`` and ``priors.py`` are losses with their gradients. On these stand ``invert.py`` (a
search), ``exact.py`` (layer by layer, with ``inverses.py``, ``linear.py`` and ``alone.py``), ``saliency.py``, ``attack.py`` (on
``records.py``) and ``field.py`` (with ``reads.py`` and ``spans.py``). ``pictures.py`` draws. May import: predict, solvers,
runtime and below.

To add an inverse: a function in ``inverses.py``; a method of saliency: a function and its row of ``METHODS`` in
``saliency.py``; a layer type for receptive fields: a row in ``reads.py``, and in ``spans.py`` where it has windows.
"""
