"""A Sphinx extension: a reference finds a public name by its short name, or by the module that defines it.

A docstring says ``:func:`dry_run``` wherever it stands, and an annotation names the module that defines a class. Sphinx
looks for both in the module of the page alone.
"""

from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.nodes import make_refnode


def find_public_name(app: Any, env: Any, node: pending_xref, content: nodes.TextElement) -> nodes.reference | None:
    """The link to the only documented object whose path ends with this name."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    if target.startswith("lehr."):
        target = target.rpartition(".")[2]
    objects = env.domains["py"].objects
    found = {(one.docname, one.node_id) for path, one in objects.items() if path.endswith(f".{target}")}
    if len(found) != 1:
        return None
    [(page, anchor)] = found
    return make_refnode(app.builder, node["refdoc"], page, anchor, content, target)


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("missing-reference", find_public_name)
    return {"parallel_read_safe": True}
