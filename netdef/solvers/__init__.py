"""Solvers: the training loop and what it needs.

``solver.py`` is the loop, in Caffe's order; ``nets.py`` makes its nets, ``settings.py`` checks its fields,
``policies.py`` says the learning rate of an iteration, ``update.py`` turns gradients into changes of params through a
rule (``rules.py``: SGD, Nesterov; ``adaptive.py``: AdaGrad, RMSProp, AdaDelta, Adam), ``evaluate.py`` runs test nets,
``snapshot.py``, ``resume.py`` and ``state.py`` write and read snapshots, ``signals.py`` hears Ctrl-C, ``events.py``
tells listeners what happened and ``log.py`` words it as Caffe's log does. May import: runtime and below.

To add a learning rate policy: one function in ``policies.py``. To add a rule: one class in ``rules.py`` or
``adaptive.py``.
"""
