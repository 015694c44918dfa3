"""Figures as files, and the fonts that their text needs."""

import sys

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager, get_data_path

from spacy_bertcrf.evaluation.figure_file import check_plot, fonts_for, write_whole


@pytest.fixture
def font(tmp_path, monkeypatch):
    """The file of a new font with the characters 地址, on no list of matplotlib's."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, 500), (500, 500), (500, 0)):
        pen.lineTo(point)
    pen.closePath()
    builder = FontBuilder(1000)
    names = [".notdef", "di", "zhi"]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord("地"): "di", ord("址"): "zhi"})
    builder.setupGlyf({name: pen.glyph() for name in names})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Two Characters", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "two.ttf")
    own = [f for f in font_manager.fontManager.ttflist if get_data_path() in f.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    return tmp_path / "two.ttf"


def test_chinese_text_gets_a_font_that_has_it(font, monkeypatch):
    """Without it every character is a box. The user may just have installed one, after
    matplotlib has made its list."""
    assert fonts_for(["地址", "name"]) == (["sans-serif"], "地址")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(font)])
    assert fonts_for(["地址", "name"]) == (["sans-serif", "Two Characters"], "")
    assert fonts_for(["address", "F1 à"]) == (["sans-serif"], "")
    assert fonts_for(["地址公司"]) == (["sans-serif"], "公司地址")


def test_a_broken_font_file_is_passed_over(font, tmp_path, monkeypatch):
    """One bad file among hundreds of fonts must not cost the user the figure."""
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    paths = [str(tmp_path / "bad.ttf"), str(font)]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths)
    assert fonts_for(["地址"]) == (["sans-serif", "Two Characters"], "")


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    """A full disk must not cost the user the figure that was there."""
    path = tmp_path / "figure.svg"
    write_whole(path, b"old")
    with pytest.raises(TypeError):
        write_whole(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_drawn_is_said_before_the_work(tmp_path, monkeypatch):
    """Else the user would wait for a pipeline's predictions first."""
    for name in ("plot.SVG", "plot.png", "plot.pdf"):
        check_plot(tmp_path / name)
    with pytest.raises(ValueError, match=r"\.svg, \.png or \.pdf, not as .*plot\.jpg"):
        check_plot(tmp_path / "plot.jpg")
    with pytest.raises(ValueError, match="folder that exists"):
        check_plot(tmp_path / "none" / "plot.svg")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'spacy-bertcrf\[plot\]'"):
        check_plot(tmp_path / "plot.svg")
