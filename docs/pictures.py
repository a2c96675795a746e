"""A Sphinx extension: the directive ``plot`` of matplotlib, in pages in Markdown.

matplotlib hands reStructuredText to a state machine, which MyST does not have; here it is parsed at once.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from docutils import nodes
from matplotlib.sphinxext.plot_directive import PlotDirective
from myst_parser.mdit_to_docutils.base import make_document
from myst_parser.mocking import MockRSTParser


class Plot(PlotDirective):
    """A picture, and the code that draws it."""

    def run(self) -> list[nodes.Node]:
        """The picture and its code as nodes."""
        written: list[str] = []

        def insert_input(lines: Sequence[str], source: Any = None) -> None:
            written.extend(lines)

        document = self.state.document
        self.state_machine = SimpleNamespace(document=document, insert_input=insert_input)
        messages: list[nodes.Node] = super().run()
        made = make_document()
        made["source"], made.settings, made.reporter = document["source"], document.settings, document.reporter
        MockRSTParser().parse("\n".join(written), made)
        return [*messages, *made.children]


def setup(app: Any) -> dict[str, bool]:
    """Put this directive in the place of matplotlib's."""
    app.add_directive("plot", Plot, override=True)
    return {"parallel_read_safe": True}
