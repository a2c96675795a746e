"""A Sphinx extension that writes the pages which the code knows best: the gallery, and the codes of findings.

They are written to ``docs/generated/`` when the site is built, and are not committed.
"""

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sphinx.util.inspect import stringify_signature

DOCS = Path(__file__).parent
GALLERY = DOCS.parent / "examples" / "gallery"
# What to do about each, in general; a finding says it with its own names and numbers.
ADVICE = {
    "write-conflict": "attach one of them, or combine them by `ChainedScheduler` or `ConcatScheduler`",
    "attached-twice": "attach it once; `attach` returns a handle that removes it",
    "never-attached": "call `scheduler.attach(trainer)`, or leave it out of the run",
    "history-name-clash": "give one of them another name: `attach(trainer, name=...)`",
    "missing-metric": "attach the metric to the evaluator under this name, or attach the scheduler to the evaluator",
    "never-observed": "attach `plateau.observe` to an event of the evaluator, or use `MetricScheduler`",
    "early-metrics": "set `begin` of the plateau to the event at which its part begins",
    "late-event": "attach the scheduler to `EPOCH_STARTED(once=1)` too, or set the first value yourself",
    "early-log": "attach the logger after the scheduler, or to a later event",
    "not-reset": "call `scheduler.seek(0)` before a new run; where metrics drive it, load the state from before",
    "past-end": "make the schedule longer, or call `scheduler.seek(0)` for a second run",
    "reads-gpu": "give the clock a `lag`, such as `TokenClock(tokens_of, lag=2)`",
    "inexact-resume": "attach the saver last of its event, and avoid `terminate_epoch` in runs that are saved",
    "not-restored": "load the scheduler's state, or call `scheduler.seek(event_index)` with the index in the message",
    "illegal-value": "keep the values in the range that the optimizer allows",
    "groups-flattened": "use `relative=True`, a list of values, or `param_group_index`",
    "end-not-reached": "make the schedule as long as the run, or the run longer",
    "repeats": "make the schedule as long as the run, if the repeat is not meant",
    "unit-mismatch": "attach to the other event, or give `epoch_length`",
    "jump": "let the phases meet, or go there over several events",
    "zero-start": "begin above 0, unless the first step is meant to change nothing",
    "faster-scheduler": "construct the scheduler that the message names, unless you resume a run with the wrapped one",
    "unforeseen": (
        "check it by a short run; the message says what cannot be predicted. Where its param groups are still to come, "
        "check a trainer whose optimizer has them already, or call `check_plan` again once they are added"
    ),
}


def gallery_pages() -> dict[str, str]:
    """The pages of the gallery, by their names: one for each module of pictures."""
    sys.path.insert(0, str(GALLERY))
    import gallery
    import gallery_composed
    import gallery_cycles
    import gallery_decays
    import gallery_driven
    import gallery_functions
    import gallery_states

    schedulers = {
        "Cycles": gallery_cycles,
        "Decays": gallery_decays,
        "Functions of the event index": gallery_functions,
        "Schedulers that are made of others": gallery_composed,
        "Schedulers that a metric drives": gallery_driven,
        "Numbers of the engine's state, and the batch size": gallery_states,
    }
    pages = {"schedulers": _gallery_page("Schedulers", {k: v.SCHEDULERS for k, v in schedulers.items()}, "")}
    pages["schedules"] = _gallery_page("Schedules and curves", gallery.SCHEDULES, "schedules/")
    return {f"gallery-{name}": text for name, text in pages.items()}


def _gallery_page(title: str, families: dict[str, Sequence[Any]], folder: str) -> str:
    parts = [
        f"# {title}\n",
        "Each picture shows the values that the call above it gives. A dashed line is another variant.",
    ]
    for family, pictures in families.items():
        parts.append(f"\n## {family}\n")
        for picture in pictures:
            made = picture.made[0][0] if picture.made else None
            name = picture.name
            reference = f"{{py:obj}}`{name} <{_public_name(made, name)}>`"
            parts.append(f"### {name}\n\n{reference}\n\n```python\n{picture.call}\n```\n")
            parts.append(f"![The values of {name}, event by event](../../examples/gallery/{folder}{name}.png)\n")
    return "\n".join(parts)


def _public_name(made: Any, name: str) -> str:
    import lehr.handlers
    import lehr.handlers.schedules

    module = lehr.handlers if hasattr(lehr.handlers, name) and folderless(made) else lehr.handlers.schedules
    return f"{module.__name__}.{name}"


def folderless(made: Any) -> bool:
    """Whether a class is a scheduler, and not a schedule."""
    from lehr.handlers.schedules import Curve, Schedule

    return not (isinstance(made, type) and issubclass(made, Schedule | Curve))


def findings_page() -> str:
    """The codes of the findings of ``check_plan``, what each means, and what to do."""
    from lehr.handlers.plans.checks.findings import CODES

    assert set(ADVICE) == set(CODES), set(ADVICE) ^ set(CODES)
    items = (f"({code})=\n**`{code}`**: {meaning}.\n: {_sentence(ADVICE[code])}\n" for code, meaning in CODES.items())
    return "\n".join(items)


def ignored_keys_page() -> str:
    """The keys of configs that are read and have no effect, by library and type."""
    from lehr.handlers.config.argument_validators import without_effect
    from lehr.handlers.config.dialects import TYPES
    from lehr.handlers.config.entries_of_other_tools import SPELLINGS

    types: dict[tuple[str, str], list[str]] = {}
    for dialect, rows in TYPES.items():
        for name, row in rows.items():
            checks = {key: one[0] if isinstance(one, tuple) else one for key, one in row.arguments.items()}
            if keys := ", ".join(f"`{key}`" for key, check in checks.items() if check is without_effect):
                types.setdefault((dialect, keys), []).append(f"`{name}`")
    rows_of_types = [f"| {dialect} | {', '.join(names)} | {keys} |" for (dialect, keys), names in types.items()]
    of_spellings = [
        f"| any | an entry with `{key}` | {', '.join(f'`{one}`' for one in spelling.ignored)} |"
        for key, spelling in SPELLINGS.items()
        if spelling.ignored
    ]
    words = [
        f"| {dialect} | `{name}` | {', '.join(f'`{word}`' for word in row.recognition.words)} |"
        for dialect, rows in TYPES.items()
        for name, row in rows.items()
        if row.recognition.words
    ]
    head = "| library | type | keys without effect |\n|---|---|---|\n"
    of_words = "| library | type | a key with one of these words must be an argument |\n|---|---|---|\n"
    return f"{head}{chr(10).join(of_spellings + rows_of_types)}\n\n{of_words}{chr(10).join(words)}\n"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def write(app: Any) -> None:
    """Write the pages, and leave those that have not changed as they are."""
    folder = DOCS / "generated"
    folder.mkdir(exist_ok=True)
    for name, text in {**gallery_pages(), "findings": findings_page(), "ignored-keys": ignored_keys_page()}.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def signature(
    app: Any, what: str, name: str, obj: Any, options: Any, given: str, returned: str
) -> tuple[str, str] | None:
    """The signature of a class; Sphinx would take that of ``__new__``, which all schedulers share."""
    if what != "class" or not given:
        return None
    try:
        whole = inspect.signature(obj)
    except ValueError:  # a class that cannot be called
        return None
    return stringify_signature(whole.replace(return_annotation=whole.empty), unqualified_typehints=True), ""


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("builder-inited", write)
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True}
