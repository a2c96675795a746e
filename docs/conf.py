"""The configuration of Sphinx: ``make docs`` builds the site into ``docs/build/html``."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
sys.path.insert(0, str(Path(__file__).parent))

import lehr

project = "lehr"
author = "the lehr authors"
release = version = lehr.__version__
html_title = f"lehr {version}"
copyright = author

extensions = [
    "accessible",
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "pictures",  # after matplotlib's
    "references",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "written_from_code",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["build", "generated/findings.md", "generated/ignored-keys.md"]  # which a page includes
suppress_warnings: list[str] = []

# A reference that leads nowhere is an error. Other libraries have pages elsewhere.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!lehr\.)[a-z_]+\..*"),
    ("py:.*", r"AnyClock|AnyEvent|Axes|DataLoader|Engine|Figure|Line2D|RemovableEventHandle|RemovableHandle"),
]

# Pages in Markdown. Their Python code has prompts, and pytest runs it; the button to copy leaves the prompts out.
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# The pages of the reference are made from the docstrings.
autosummary_generate = True
autodoc_mock_imports = ["lightning", "transformers", "skorch"]  # large, and only subclassed
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 90
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
templates_path = ["templates"]

# Pictures of the pages: drawn when the site is built, by the code that the page shows.
plot_include_source = True
plot_working_directory = str(Path(__file__).parent / "generated")
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("png", 144)]
plot_rcparams = {"figure.figsize": (7.0, 2.6), "figure.constrained_layout.use": True, "savefig.bbox": None}

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["lehr.css"]
html_js_files = [("lehr.js", {"defer": "defer"})]
html_theme_options = {"navigation_with_keys": True}
html_show_sourcelink = False
html_copy_source = False
mathjax_path = "mathjax.js"
