"""A Sphinx extension: a reference finds a public name by its short name, or by the module that defines it.

A docstring says ``:func:`dry_run``` wherever it stands, and an annotation names the module that defines a class. Sphinx
looks for both in the module of the page alone.
"""

from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.nodes import make_refnode


def find_public_name(app: Any, env: Any, node: pending_xref, content: nodes.TextElement) -> nodes.Element | None:
    """The link to the only documented object whose path ends with this name; plain text for a private type."""
    whole = target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    if whole.startswith("lehr."):
        target = whole.rpartition(".")[2]
    objects = env.domains["py"].objects
    found = {(one.docname, one.node_id) for path, one in objects.items() if path.endswith(f".{target}")}
    if len(found) != 1:
        return content if is_defined(whole) else None
    [(page, anchor)] = found
    return make_refnode(app.builder, node["refdoc"], page, anchor, content, target)


def is_defined(path: str) -> bool:
    """Whether lehr has something under this path, such as a private type that an annotation names."""
    module, _, name = path.rpartition(".")
    try:
        return module.startswith("lehr.") and hasattr(import_module(module), name)
    except ImportError:
        return False


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("missing-reference", find_public_name)
    return {"parallel_read_safe": True}
