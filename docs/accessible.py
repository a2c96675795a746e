"""A Sphinx extension: mends what screen readers and keyboards miss, and wrong links, in the pages of Sphinx and furo.

What it mends was found by axe-core, in the pages of Sphinx 9 and furo.
"""

import re
from pathlib import Path
from typing import Any

# What to replace, and by what; replaced once more, a page stays the same.
MENDED = [
    (re.compile(r'<p class="caption" role="heading">'), '<p class="caption" role="heading" aria-level="2">'),
    (re.compile(r'<aside class="sidebar-drawer">'), '<aside class="sidebar-drawer" aria-label="Pages">'),
    (re.compile(r'<aside class="(toc-drawer[^"]*)">'), r'<aside class="\1" aria-label="On this page">'),
    # A signature of several lines is a list without terms.
    (re.compile(r'<dl>(\s*)<dd>(?=<em class="sig-param">)'), r'<dl role="none">\1<dd role="none">'),
    (re.compile(r'<dd>(?=<em class="sig-param">)'), '<dd role="none">'),
    (re.compile(r'(?<!</h1>)<div id="search-results">'), '<h1>Search</h1><div id="search-results">'),
    # The way back from the source of a name takes all names of a module for those of one package.
    (re.compile(r'/api/((?:\w+\.)+(\w+))\.html#(?!\1[."])(?:\w+\.)+\2(?=[."])'), r"/api/\1.html#\1"),
    # Pictures are read when they come into view, so that a page of many shows at once.
    (re.compile(r"<img (?!loading)"), '<img loading="lazy" '),
]


def mended(page: str) -> str:
    """The HTML of a page, with all of these replaced."""
    for found, replacement in MENDED:
        page = found.sub(replacement, page)
    return page


def mend_pages(app: Any, error: Exception | None) -> None:
    """Mend the pages that were built."""
    if error is None and app.builder.format == "html":
        for path in Path(app.outdir).rglob("*.html"):
            page = path.read_text(encoding="utf-8")
            if (better := mended(page)) != page:
                path.write_text(better, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("build-finished", mend_pages)
    return {"parallel_read_safe": True}
