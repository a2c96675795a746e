"""Writes the HTML page of a plan: the figure, its buttons, the findings and the differences between plans."""

import html
import os
import warnings
from collections.abc import Callable, Sequence
from errno import EISDIR, ENOENT
from os import PathLike
from pathlib import Path
from typing import Any

from lehr.handlers.plans.checks.findings import Finding
from lehr.handlers.schedules.arguments import shown, shown_names

from .figure import figure_of
from .page_inputs import Contents

# With this policy, the browser refuses all requests to other sites. Plotly needs URLs with data: and blob: to download
# pictures.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; form-action 'none'"
)
STYLE = """
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  color: #1b1f24; max-width: 1280px; margin: 0 auto; padding: 16px; }
h1 { font-size: 24px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 24px 0 8px; }
p { margin: 4px 0; }
.hint { color: #57606a; font-size: 13px; }
#plan { margin: 0 -8px; }
.buttons { display: flex; flex-wrap: wrap; gap: 8px; margin: 12px 0; }
.buttons button { font: inherit; font-size: 13px; padding: 4px 12px; border: 1px solid #8c959f; border-radius: 6px;
  background: white; color: inherit; cursor: pointer; }
.buttons button[aria-pressed=true] { background: #0969da; border-color: #0969da; color: white; }
.buttons [role=group] { display: flex; gap: 4px; }
.labels { display: grid; grid-template-columns: 1fr 1fr; gap: 7%; margin: 0 4px 0 58px; font-weight: 600; }
.labels { overflow-wrap: anywhere; }
li { margin-bottom: 8px; overflow-wrap: anywhere; }
.code { font-weight: 600; } .error { color: #cf222e; } .warning { color: #b35900; } .info { color: #0969da; }
pre { overflow-x: auto; font-size: 13px; }
summary { cursor: pointer; }
"""
HINT = (
    "Point at a line for its values. Drag to zoom, double-click to zoom out. "
    "Click an entry of the legend to switch its lines off or on, double-click it to see them alone."
)
# The n-th button of a group acts like the n-th button of the corresponding menu in plotly's layout.
SCRIPT = """
for (const group of document.querySelectorAll(".buttons [role=group]")) {
  const buttons = [...group.children];
  for (const [at, button] of buttons.entries()) button.addEventListener("click", () => {
    const plan = document.getElementById("plan"), menu = plan.layout.updatemenus[group.dataset.menu];
    const {method, args} = menu.buttons[at];
    Plotly[method](plan, ...args);
    buttons.forEach(one => one.setAttribute("aria-pressed", one === button));
  });
}
"""
CONFIG = {
    "typesetMath": False,  # a name is not a formula
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d"],
    "showSendToCloud": False,  # this button of plotly would upload the figure
}


def write_page(path: str | PathLike[str], contents: Contents, title: str | None) -> None:
    """Write the page of a plan; see ``Plan.to_html``.

    Raises:
        ImportError: plotly is not installed.
        TypeError: ``path`` is not a path, or ``title`` is not a string.
        OSError: the file cannot be written. An existing file stays unchanged.
    """
    if not isinstance(title, str | None):
        raise TypeError(f"title must be a string or None, given {shown(title)}")
    to_html, parts = plotly_to_html(), list[str]()
    place = _checked_place(path)
    if contents.names:
        figure = figure_of(contents)
        with warnings.catch_warnings():  # plotly 6 warns of options that its plotly.js knows
            warnings.filterwarnings("ignore", r"\s*Unrecognized config options", UserWarning)
            picture = to_html(figure, CONFIG, full_html=False, include_plotlyjs=True, div_id="plan")
        parts = [*_buttons(figure["layout"]["updatemenus"]), *_labels(contents), picture, f"<script>{SCRIPT}</script>"]
    _replace(place, _page(contents, title, parts))


def plotly_to_html() -> Callable[..., str]:
    """Return the function of plotly that converts a figure to HTML.

    Raises:
        ImportError: plotly is not installed.
    """
    try:
        from plotly.io import to_html
    except ImportError as error:
        raise ImportError("to_html needs plotly: pip install 'lehr[html]'") from error
    function: Callable[..., str] = to_html
    return function


def _page(contents: Contents, title: str | None, picture: Sequence[str]) -> str:
    heading = html.escape(title or f"Plan of {', '.join(contents.names) or 'nothing'}")
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{heading}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        f"<h1>{heading}</h1>",
        *(f"<p>{html.escape(line)}</p>" for line in _introduction(contents)),
    ]
    if picture:
        parts += [f'<p class="hint">{HINT}</p>', "<noscript><p>The picture needs JavaScript.</p></noscript>", *picture]
    parts += [*_findings(contents.findings), *_differences(contents)]
    for plan, label in zip(contents.plans, contents.labels, strict=False):
        named = f" of {label}" if contents.other is not None else ""
        parts.append(
            f"<details><summary>First, lowest, highest and last values{html.escape(named)}</summary>"
            f"<pre>{html.escape(str(plan))}</pre></details>"
        )
    return "\n".join([*parts, "</body>", "</html>", ""])


def _introduction(contents: Contents) -> list[str]:
    """Return lines of text: the length of each plan, and which schedulers and recorded names the page leaves out."""
    lines = []
    for plan, label in zip(contents.plans, contents.labels, strict=False):
        named = f"{label}: " if contents.other is not None else ""
        lines += [named + str(plan).partition("\n")[0]]
        lines += [f"{named}left out, because dry_run cannot predict it: {one}" for one in plan.unforeseen]
    if missing := [name for name in contents.recorded or () if name not in contents.plan]:
        lines.append(f"recorded, but not in the plan: {shown_names(missing)}")
    return lines


def _findings(findings: Sequence[Finding]) -> list[str]:
    """Return the numbered list of findings. The figure shows these numbers at the iterations of the findings."""
    if not findings:
        return []
    items = [
        f'<li><span class="code {one.severity}">{one.severity}: {one.code}</span>: {html.escape(one.where)}<br>'
        f"{html.escape(one.message)}<br>&rarr; {html.escape(one.suggestion)}</li>"
        for one in findings
    ]
    return ["<h2>Findings</h2>", "<ol>", *items, "</ol>"]


def _differences(contents: Contents) -> list[str]:
    difference = contents.differences
    if difference is None:
        return []
    lines = [*difference.notes, *map(str, difference), *difference.forecasts] or [str(difference)]
    labels = " and ".join(map(html.escape, contents.labels))
    return [f"<h2>Differences of {labels}</h2>", "<ul>", *(f"<li>{html.escape(line)}</li>" for line in lines), "</ul>"]


def _buttons(menus: Sequence[dict[str, Any]]) -> list[str]:
    """Return the buttons of the page, with one group for each menu of plotly's layout."""
    groups = []
    for number, (menu, named) in enumerate(zip(menus, ("unit of the x axes", "scale of the y axes"), strict=True)):
        buttons = "".join(
            f'<button type="button" aria-pressed="{str(at == menu["active"]).lower()}">{one["label"]}</button>'
            for at, one in enumerate(menu["buttons"])
        )
        groups.append(f'<div role="group" aria-label="{named}" data-menu="{number}">{buttons}</div>')
    return ['<div class="buttons">', *groups, "</div>"]


def _labels(contents: Contents) -> list[str]:
    """Return the names of two plans, which stand above their panels."""
    labels = [f"<div>{html.escape(label)}</div>" for label in contents.labels]
    return [] if contents.other is None else ['<div class="labels">', *labels, "</div>"]


def _checked_place(path: str | PathLike[str]) -> Path:
    """Return the file that a path refers to, after following links.

    Raises:
        TypeError: ``path`` is not a path.
        OSError: the folder does not exist, or the path is a folder.
    """
    if not isinstance(path, str | PathLike) or not isinstance(os.fspath(path), str):
        raise TypeError(f"path must be a string or a path, given {shown(path)}")
    place = Path(path).resolve()
    if place.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    if not place.parent.is_dir():
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(path))
    return place


def _replace(place: Path, text: str) -> None:
    """Write a text to a temporary file, which replaces ``place`` when it is complete."""
    data = text.encode("utf-8", "xmlcharrefreplace")
    if place.exists() and not place.is_file():  # for example /dev/stdout
        place.write_bytes(data)
        return
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        if place.exists():
            part.chmod(place.stat().st_mode)
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)
