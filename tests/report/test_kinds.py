"""Colours: what is written can be read, on light and on dark pages."""
from __future__ import annotations

import pytest

from netdef.report.kinds import DARK_INK, DARK_PAPER, INK, KINDS, PAPER
from netdef.report.svg import DARK_MUTED, LINES, MUTED


def luminance(colour):
    parts = [int(colour[i: i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    """The ratio that WCAG defines; 4.5 is asked for text, 3 for lines."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_text_in_boxes(kind):
    c = KINDS[kind]
    assert contrast(INK, c.fill) >= 7 and contrast(DARK_INK, c.dark_fill) >= 7
    assert contrast(c.edge, PAPER) >= 3 and contrast(c.dark_edge, DARK_PAPER) >= 3


def test_labels_and_lines():
    assert contrast(MUTED, PAPER) >= 4.5 and contrast(DARK_MUTED, DARK_PAPER) >= 4.5
    assert all(contrast(light, PAPER) >= 3 and contrast(dark, DARK_PAPER) >= 3 for light, dark, _ in LINES.values())
