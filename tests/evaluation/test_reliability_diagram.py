"""Reliability diagrams as image files."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from spacy_bertcrf.evaluation.calibration import Calibration
from spacy_bertcrf.evaluation.reliability_diagram import plot_reliability


@pytest.fixture
def calibration():
    nan = np.nan
    return Calibration(
        np.array([0, 40, 0, 60]), np.array([nan, 0.4, nan, 0.9]), np.array([nan, 0.5, nan, 0.8])
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Glyph .* missing")  # for its measures only
def test_an_svg_has_its_text_as_text_in_any_script(calibration):
    """Drawn as outlines of a font without them, Chinese characters would be empty boxes."""
    svg = plot_reliability({"校准前": calibration, "校准后": calibration})
    texts = ["".join(node.itertext()) for node in ET.fromstring(svg).iter() if "text" in node.tag]
    assert "校准前" in texts
    assert "校准后" in texts
    assert texts.count("calibration error 10.0% (4 bins)") == 2
    assert texts.count("40") == texts.count("60") == 2


def test_the_same_figures_give_the_same_file(calibration):
    """Else a picture under version control would change with every run."""
    assert plot_reliability({"a": calibration}) == plot_reliability({"a": calibration})


def test_a_png_is_a_png(calibration):
    """Else the file would not open under its name."""
    assert plot_reliability({"a": calibration}, "png").startswith(b"\x89PNG")
