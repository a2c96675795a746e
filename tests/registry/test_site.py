"""The site for those who use a keyboard, a screen reader or a dark screen: what can be told from its sources."""

import importlib.util
import itertools
import re
from pathlib import Path

import pytest
from cases import for_each

from lehr.handlers.plans.checks.findings import CODES

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if not {"build", "generated"} & set(path.parts))
READABLE, VISIBLE = 4.5, 3.0  # WCAG 2.1 AA: the contrast of text, and of the frame around what has the focus
PICTURE = re.compile(r"!\[(.*?)\]\(\S+?\)")


def luminance(color: str) -> float:
    """The relative luminance of a color such as ``#fff``, as WCAG 2.1 defines it."""
    digits = color.removeprefix("#")
    whole = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    channels = [int(whole[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def extension(name):
    """A module of ``docs/``, which is no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def theme_colors() -> list[dict[str, str]]:
    """The colors of the theme by their names: light, then dark."""
    furo = pytest.importorskip("furo")
    sheet = (Path(furo.__file__).parent / "theme" / "furo" / "static" / "styles" / "furo.css").read_text()
    rows = re.findall(r"--color-([\w-]+):(#[0-9a-f]{3,6})\b", sheet)
    light: dict[str, str] = {}
    dark: dict[str, str] = {}
    for name, color in rows:
        (dark if name in light else light).setdefault(name, color)
    return [light, dark]


def test_contrast_is_computed_as_wcag_does():
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)  # the lightest readable gray on white


def test_text_and_links_are_readable_in_both_themes():
    for colors in theme_colors():
        for ground, text in itertools.product(
            ("background-primary", "background-secondary"),
            ("foreground-primary", "foreground-secondary", "brand-primary", "brand-content"),
        ):
            assert contrast(colors[ground], colors[text]) >= READABLE, (ground, text, colors[ground], colors[text])


def test_the_focus_is_visible_in_both_themes():
    light, dark, dark_by_default = re.findall(r"--focus: (#\w+)", (DOCS / "static" / "lehr.css").read_text())
    assert dark == dark_by_default
    for colors, frame in zip(theme_colors(), (light, dark), strict=True):
        assert contrast(colors["background-primary"], frame) >= VISIBLE
        assert contrast(colors["background-secondary"], frame) >= VISIBLE


@for_each("style", ["a11y-light", "native"])  # furo's, of light and dark code
def test_code_is_readable(style):
    styles = pytest.importorskip("pygments.styles")
    token = pytest.importorskip("pygments.token")
    pytest.importorskip("a11y_pygments")
    found = styles.get_style_by_name(style)
    parts = [token.Keyword, token.Name, token.Name.Function, token.String, token.Number, token.Operator, token.Comment]
    for part in [*parts, token.Generic.Prompt, token.Generic.Output, token.Name.Class, token.Name.Builtin]:
        if color := found.style_for_token(part)["color"]:
            assert contrast(color, found.background_color) >= READABLE, part


@for_each("path", [*PAGES, DOCS.parent / "README.md", *(DOCS.parent / "examples").rglob("README.md")])
def test_each_picture_says_what_it_shows(path):
    text = path.read_text()
    plots = re.findall(r"```\{plot\}\n(?::alt: (.*))?", text)
    alts = [*plots, *PICTURE.findall(text)]
    in_gallery = "gallery" in path.parts  # where the name of the class stands for its picture
    assert all(len(alt) > (0 if in_gallery else 30) and not alt.endswith(".png") for alt in alts), alts


def test_some_pages_have_pictures():
    assert sum("```{plot}" in path.read_text() for path in PAGES) >= 8


def test_what_the_theme_leaves_out_is_mended_once():
    mended = extension("accessible").mended
    page = (
        '<p class="caption" role="heading">Guides</p><aside class="sidebar-drawer"></aside>'
        '<aside class="toc-drawer no-toc"></aside><dl>\n<dd><em class="sig-param">a</em></dd>'
        '<dd><em class="sig-param">b</em></dd></dl><div id="search-results"></div><img alt="A" src="a.png" />'
    )
    better = mended(page)
    assert better == (
        '<p class="caption" role="heading" aria-level="2">Guides</p><aside class="sidebar-drawer" aria-label="Pages">'
        '</aside><aside class="toc-drawer no-toc" aria-label="On this page"></aside><dl role="none">\n'
        '<dd role="none"><em class="sig-param">a</em></dd><dd role="none"><em class="sig-param">b</em></dd></dl>'
        '<h1>Search</h1><div id="search-results"></div><img loading="lazy" alt="A" src="a.png" />'
    )
    assert mended(better) == better


def test_a_reference_is_plain_only_where_lehr_has_the_name():
    pytest.importorskip("sphinx")
    is_defined = extension("references").is_defined
    assert is_defined("lehr.handlers.targets.param_groups.HasParamGroups")
    assert not is_defined("lehr.handlers.targets.param_groups.HasParamGroup")
    assert not is_defined("lehr.handlers.CosineSchedule")
    assert not is_defined("DecayScheduler")


def test_the_way_back_from_the_source_leads_to_the_page_of_the_name():
    mended = extension("accessible").mended
    wrong, right = (f'<a href="../api/lehr.plans.Diff.html#{path}.Diff.plot">' for path in ("lehr", "lehr.plans"))
    assert mended(wrong) == mended(right) == right


def test_each_finding_has_advice():
    pytest.importorskip("sphinx")
    assert extension("written_from_code").ADVICE.keys() == CODES.keys()
