"""Draw every scheduler, schedule and curve into ``examples/gallery/``: ``python examples/gallery/gallery.py``.

Each picture is an entry of a list in a ``gallery_*.py``: the class, how many events, and its arguments; those in which
the lines differ come first. Nothing is trained, and there is no model: the ``plot_values`` of a class draws what it
would write. How a picture is drawn is in ``gallery_picture.py``.

The entries are also where a class is registered for the tests: they make each class with the arguments of its picture.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import gallery_around
import gallery_composed
import gallery_curves
import gallery_cycles
import gallery_decays
import gallery_driven
import gallery_functions
import gallery_states
from gallery_picture import Picture, save

FOLDER = Path(__file__).parent
SCHEDULERS = [
    *gallery_cycles.SCHEDULERS,
    *gallery_decays.SCHEDULERS,
    *gallery_functions.SCHEDULERS,
    *gallery_composed.SCHEDULERS,
    *gallery_driven.SCHEDULERS,
    *gallery_states.SCHEDULERS,
]
SCHEDULES = {
    "Cycles": gallery_cycles.SCHEDULES,
    "Decays": gallery_decays.SCHEDULES,
    "Schedules that are made of others": gallery_around.SCHEDULES,
    "Functions of the event index": gallery_functions.SCHEDULES,
    "Schedules that a metric drives": gallery_driven.SCHEDULES,
    "Curves": gallery_curves.CURVES,
}
OF_SCHEDULERS = """# Schedulers

A picture of every scheduler of `lehr.handlers`, with the call that gives it. `make gallery` draws the pictures and
writes this page. The pictures of schedules and curves are [beside it](schedules/README.md).
"""
OF_SCHEDULES = """# Schedules and curves

What a scheduler writes is a schedule: a function of the event index. These are all of `lehr.handlers.schedules`, with
the call that made them. A curve is the way of an `Anneal`, a `Cooldown` or `Restarts` from one value to another. The
loss that drives a schedule is drawn in grey. `make gallery` draws the pictures and writes this page. The pictures of
schedulers are [beside it](../README.md).
"""


def table(pictures: Sequence[Picture]) -> str:
    """A Markdown table of pictures, three in a row."""
    cells = [f"![{picture.name}]({picture.name}.png)" for picture in pictures]
    cells += [""] * (-len(cells) % 3)
    rows = [f"| {' | '.join(cells[at : at + 3])} |".replace("  ", " ") for at in range(0, len(cells), 3)]
    return "\n".join(["| | | |", "|---|---|---|", *rows]) + "\n"


def pages() -> dict[Path, str]:
    """The pages that show every picture, by their paths."""
    families = [f"## {title}\n\n{table(pictures)}" for title, pictures in SCHEDULES.items()]
    return {
        FOLDER / "README.md": f"{OF_SCHEDULERS}\n{table(SCHEDULERS)}",
        FOLDER / "schedules" / "README.md": "\n".join([OF_SCHEDULES, *families]),
    }


def main() -> None:
    """Draw all pictures; into the gallery itself, write the tables that show them, too."""
    parser = argparse.ArgumentParser(description="A picture of every scheduler, schedule and curve.")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the pictures")
    folder = parser.parse_args().output
    (folder / "schedules").mkdir(parents=True, exist_ok=True)
    for picture in SCHEDULERS:
        save(picture, folder)
    of_schedules = [picture for pictures in SCHEDULES.values() for picture in pictures]
    for picture in of_schedules:
        save(picture, folder / "schedules")
    if folder == FOLDER:
        for path, text in pages().items():
            path.write_text(text)
    print(f"wrote {len(SCHEDULERS)} schedulers, {len(of_schedules)} schedules and curves to {folder}/")


if __name__ == "__main__":
    main()
