"""Predict: using a trained net on pictures, numbers and records.

``predictor.py`` is what users hold (``netdef.Predictor``); ``task.py`` says what a net's outputs mean, ``decode.py`` which
classes count as an answer, ``result.py`` what an answer is; ``choose.py`` finds the preprocessing, ``rows.py`` reads inputs
that are no pictures, ``features.py`` writes blobs to a file, ``steps.py`` writes out a pass number by number,
``annotate.py`` draws answers into pictures. May import: runtime and below.

To add a task: a name in ``task.py``, the answer's form in ``result.py``, and its rows in ``show.py``.
"""
from netdef.predict.predictor import Predictor

__all__ = ["Predictor"]
