"""Each picture of the gallery shows what is drawn now; ``test_registry.py`` tells which are missing."""

import functools
import re
from pathlib import Path

import gallery
import gallery_picture
import pytest
from cases import for_each
from PIL import Image
from scripts import run_python

import lehr.handlers.schedules
from lehr.handlers.schedules import Curve

SCRIPTS = Path(gallery.__file__).parent
FOLDER = gallery.FOLDER

PICTURES = {Path(f"{picture.name}.png"): picture for picture in gallery.SCHEDULERS} | {
    Path("schedules", f"{picture.name}.png"): picture for pictures in gallery.SCHEDULES.values() for picture in pictures
}
each_picture = for_each("path", [path for path in PICTURES if (FOLDER / path).is_file()], one_in=6)


@functools.cache
def drawn(path):
    """The figure of a picture, drawn once for all tests, which leave it as it is."""
    return gallery_picture.draw(PICTURES[path])


def test_the_folder_has_no_other_pictures():
    found = {path.relative_to(FOLDER) for path in FOLDER.rglob("*.png")}
    others = {Path(f"{name}.png") for name in ("digits-accuracy", "digits-schedule", "from-config-plan")}
    assert found - set(PICTURES) == others


@each_picture
def test_a_picture_shows_what_is_drawn_now(path):
    with Image.open(FOLDER / path) as picture:
        assert picture.info[gallery_picture.DIGEST] == gallery_picture.digest(drawn(path)), "stale: make gallery"
        assert picture.size == (480, 300)
        assert len(picture.getcolors(256)) > 20  # not an empty sheet


@each_picture
def test_a_picture_is_of_its_class(path):
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


def test_lines_differ_in_colours_and_without_colours():
    assert len({style["color"] for style in gallery_picture.STYLES}) == len(gallery_picture.STYLES)
    assert len({style["linestyle"] for style in gallery_picture.STYLES}) == len(gallery_picture.STYLES)


def test_the_digest_tells_each_number_and_label():
    figure = gallery_picture.draw(PICTURES[Path("OneCycleScheduler.png")])
    line, same = figure.axes[0].lines[0], gallery_picture.digest(figure)
    values = line.get_ydata().copy()
    for factor, differs in ((1 + 1e-9, False), (1 + 1e-4, True)):
        changed = values.copy()
        changed[50] *= factor
        line.set_ydata(changed)
        assert (gallery_picture.digest(figure) != same) is differs
    line.set_ydata(values)
    line.set_label("another")
    assert gallery_picture.digest(figure) != same


def test_a_table_has_three_pictures_in_a_row():
    assert gallery.table(gallery.SCHEDULERS[:4]).splitlines()[2:] == [
        "| ![OneCycleScheduler](OneCycleScheduler.png) | ![CyclicScheduler](CyclicScheduler.png) | "
        "![LinearCyclicalScheduler](LinearCyclicalScheduler.png) |",
        "| ![CosineAnnealingScheduler](CosineAnnealingScheduler.png) | | |",
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run of the script, in a process that has drawn nothing before: the folder, and the lines of its output."""
    folder = tmp_path_factory.mktemp("gallery")
    lines = [
        "import matplotlib, runpy, sys",
        "style = dict(matplotlib.rcParams)",
        f"sys.path.insert(0, {str(SCRIPTS)!r})",
        "sys.argv[1:] = ['--output', 'new/pictures']",
        f"runpy.run_path({str(SCRIPTS / 'gallery.py')!r}, run_name='__main__')",
        "print('changed:', sorted(name for name, value in matplotlib.rcParams.items() if style[name] != value))",
        "from matplotlib import pyplot",
        "print('open:', pyplot.get_fignums())",
    ]
    done = run_python("-c", "\n".join(lines), folder=folder)
    return folder / "new" / "pictures", done.stdout.splitlines()


@pytest.mark.proof
def test_the_script_draws_all_of_them_elsewhere(run):
    folder, (said, *_) = run
    assert re.fullmatch(r"wrote \d+ schedulers, \d+ schedules and curves to new/pictures/", said)
    assert sorted(path.relative_to(folder) for path in folder.rglob("*.png")) == sorted(PICTURES)
    for path in PICTURES:
        with Image.open(folder / path) as new, Image.open(FOLDER / path) as committed:
            assert new.info[gallery_picture.DIGEST] == committed.info[gallery_picture.DIGEST], path


@pytest.mark.proof
def test_drawing_changes_no_style_and_opens_no_figures(run):
    _, (_, changed, opened) = run
    assert changed == "changed: []"
    assert opened == "open: []"
