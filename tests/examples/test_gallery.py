"""The gallery has a picture of everything public, and each shows what is drawn now."""

import functools
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import lehr.handlers
import lehr.handlers.schedules
from lehr.handlers import BaseParamScheduler
from lehr.handlers.schedules import Curve, Schedule

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FOLDER = EXAMPLES / "gallery"

# What others are made of, and the rules in a Recursion, which its picture shows.
BASES = {"BaseParamScheduler", "CyclicalScheduler", "Schedule", "LiveSchedule", "StatefulSchedule", "Curve", "Cyclical"}
RULES = {"Approach", "Assignment", "Scaling", "Turn"}


def public(module, *kinds):
    """The names of the classes of these kinds that a module offers, other than bases."""
    classes = {name: getattr(module, name) for name in module.__all__ if inspect.isclass(getattr(module, name))}
    return sorted(name for name, cls in classes.items() if issubclass(cls, kinds) and name not in BASES)


SCHEDULERS = [*public(lehr.handlers, BaseParamScheduler), "create_lr_scheduler_with_warmup"]
SCHEDULES = public(lehr.handlers.schedules, Schedule, Curve)
PATHS = [Path(f"{name}.png") for name in SCHEDULERS] + [Path("schedules", f"{name}.png") for name in SCHEDULES]
NAMES = [str(path.with_suffix("")) for path in PATHS]


@pytest.fixture(scope="module")
def gallery():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        yield importlib.import_module("gallery")


@pytest.fixture(scope="module")
def pictures(gallery):
    """All pictures, by their paths in the folder."""
    drawn = {Path(f"{picture.name}.png"): picture for picture in gallery.SCHEDULERS}
    more = {Path("schedules", f"{picture.name}.png"): picture for picture in (*gallery.SCHEDULES, *gallery.CURVES)}
    assert len(drawn) == len(gallery.SCHEDULERS)
    assert len(more) == len(gallery.SCHEDULES) + len(gallery.CURVES)
    return drawn | more


@pytest.fixture(scope="module")
def drawing(gallery):
    return importlib.import_module("gallery_picture")


@pytest.fixture(scope="module")
def drawn(pictures, drawing):
    """What draws the picture of a path, once for all tests, which leave it as it is."""
    return functools.cache(lambda path: drawing.draw(pictures[path]))


def test_these_are_all_that_is_public():
    assert len(SCHEDULERS) >= 36
    assert len(SCHEDULES) >= 42
    schedules = lehr.handlers.schedules
    assert set(schedules.__all__) == {*SCHEDULES, *RULES, *(name for name in BASES if hasattr(schedules, name))}
    functions = [name for name in lehr.handlers.__all__ if inspect.isfunction(getattr(lehr.handlers, name))]
    of_plans = ["check_plan", "diff_plans", "dry_run", "plot_plan"]
    assert sorted(functions) == sorted(["configure_scheduler", "create_lr_scheduler_with_warmup", *of_plans])
    assert all(inspect.isabstract(getattr(schedules, name)) for name in BASES if hasattr(schedules, name))


def test_it_draws_everything_and_nothing_else(pictures):
    assert sorted(pictures) == sorted(PATHS)


def test_the_folder_has_everything_and_nothing_else():
    there = {path.relative_to(FOLDER) for path in FOLDER.rglob("*.png")}
    others = {Path(f"{name}.png") for name in ("digits-accuracy", "digits-schedule", "from-config-plan")}
    assert there == {*PATHS, *others}


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_picture_shows_what_is_drawn_now(path, drawn, drawing):
    with Image.open(FOLDER / path) as picture:
        assert picture.info[drawing.DIGEST] == drawing.digest(drawn(path)), "stale: make gallery"
        assert picture.size == (480, 300)
        assert len(picture.getcolors(256)) > 20  # not an empty sheet


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_picture_is_of_its_class(path, drawn):
    figure = drawn(path)
    axes = figure.axes[0]
    assert figure.get_suptitle() == path.stem
    calls = (
        {path.stem, "Anneal"} if issubclass(getattr(lehr.handlers.schedules, path.stem, int), Curve) else {path.stem}
    )
    assert axes.get_title().split("(")[0] in calls
    assert axes.get_xlabel().startswith("event")
    assert axes.get_ylabel()
    labels = [line.get_label() for line in axes.lines]
    assert len(set(labels)) == len(labels)
    assert all(labels) or labels == [""]
    assert len({line.get_color() for line in axes.lines}) == len(axes.lines)
    values = [tuple(line.get_ydata()) for line in axes.lines]
    assert len(set(values)) == len(values)  # two lines that are the same teach nothing
    assert all(len(of_line) >= 60 for of_line in values)


def test_lines_differ_in_colours_and_without_colours(drawing):
    assert len({style["color"] for style in drawing.STYLES}) == len(drawing.STYLES)
    assert len({style["linestyle"] for style in drawing.STYLES}) == len(drawing.STYLES)


def test_the_digest_tells_each_number_and_label(pictures, drawing):
    figure = drawing.draw(pictures[Path("OneCycleScheduler.png")])
    line, same = figure.axes[0].lines[0], drawing.digest(figure)
    values = line.get_ydata().copy()
    for factor, differs in ((1 + 1e-9, False), (1 + 1e-4, True)):
        changed = values.copy()
        changed[50] *= factor
        line.set_ydata(changed)
        assert (drawing.digest(figure) != same) is differs
    line.set_ydata(values)
    line.set_label("another")
    assert drawing.digest(figure) != same


def test_the_readme_shows_each_scheduler(repository):
    section = re.search(r"\n## Gallery\n(.*?)\n## ", (repository / "README.md").read_text(), re.DOTALL)
    assert section
    shown = re.findall(r"!\[(\w+)\]\(examples/gallery/(\w+)\.png\)", section[1])
    assert [alternative for alternative, _ in shown] == [name for _, name in shown]
    assert sorted(name for name, _ in shown) == sorted(SCHEDULERS)
    assert "](examples/gallery/schedules/README.md)" in section[1]
    assert three_a_row(section[1])


def test_the_readme_of_the_schedules_shows_each_schedule_and_curve():
    text = (FOLDER / "schedules" / "README.md").read_text()
    shown = re.findall(r"!\[(\w+)\]\((\w+)\.png\)", text)
    assert [alternative for alternative, _ in shown] == [name for _, name in shown]
    assert sorted(name for name, _ in shown) == sorted(SCHEDULES)
    assert three_a_row(text)


def three_a_row(text):
    """Whether the rows of pictures have three columns each."""
    rows = [line for line in text.splitlines() if ".png)" in line]
    return all(row.count("|") == 4 for row in rows)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run of the script, in a process that has drawn nothing before: the folder, and the lines of its output."""
    folder = tmp_path_factory.mktemp("gallery")
    lines = [
        "import matplotlib, runpy, sys",
        "style = dict(matplotlib.rcParams)",
        f"sys.path.insert(0, {str(EXAMPLES)!r})",
        "sys.argv[1:] = ['--output', 'new/pictures']",
        f"runpy.run_path({str(EXAMPLES / 'gallery.py')!r}, run_name='__main__')",
        "print('changed:', sorted(name for name, value in matplotlib.rcParams.items() if style[name] != value))",
        "from matplotlib import pyplot",
        "print('open:', pyplot.get_fignums())",
    ]
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", "\n".join(lines)],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return folder / "new" / "pictures", done.stdout.splitlines()


@pytest.mark.proof
def test_the_script_draws_all_of_them_elsewhere(run, drawing):
    folder, (said, *_) = run
    assert re.fullmatch(r"wrote \d+ schedulers, \d+ schedules and \d+ curves to new/pictures/", said)
    assert sorted(path.relative_to(folder) for path in folder.rglob("*.png")) == sorted(PATHS)
    for path in PATHS:
        with Image.open(folder / path) as new, Image.open(FOLDER / path) as committed:
            assert new.info[drawing.DIGEST] == committed.info[drawing.DIGEST], path


@pytest.mark.proof
def test_drawing_changes_no_style_and_opens_no_figures(run):
    _, (_, changed, opened) = run
    assert changed == "changed: []"
    assert opened == "open: []"
