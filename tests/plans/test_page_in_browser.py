"""Pages of plans in a headless browser: what they show, and what their buttons, their legend and the pointer do."""

import io
import itertools
import os
import shutil

import matplotlib.image
import numpy as np
import pytest
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer

from lehr.handlers import OneCycleScheduler, ParamScheduler, check_plan, dry_run
from lehr.handlers.plans import Plan
from lehr.handlers.schedules import Anneal, Concatenation

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.filterwarnings("ignore:There is no current event loop"),
]
BROWSER = os.environ.get("LEHR_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = "</script><script>document.title='changed'</script>"
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
# JavaScript that returns the state of plotly's figure.
STATE = """() => {
    const figure = document.getElementById("plan"), layout = figure._fullLayout;
    return {
        x: layout.xaxis.range, unit: layout.xaxis2.title.text, scale: layout.yaxis.type,
        hidden: figure._fullData.filter(trace => trace.visible !== true).map(trace => trace.name),
        line: figure._fullLayout.shapes.filter(shape => shape.type === "line").map(shape => shape.x0),
    };
}"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    playwright = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("needs Chromium: apt-get install chromium, or set LEHR_BROWSER to its path")
    with playwright.sync_playwright() as started:
        profile = str(tmp_path_factory.mktemp("profile"))
        context = started.chromium.launch_persistent_context(
            profile, executable_path=BROWSER, headless=True, args=ARGUMENTS
        )
        yield context
        context.close()


@pytest.fixture(scope="module")
def planned():
    optimizer, trainer = make_optimizer(2), make_trainer()
    for group, name in zip(optimizer.param_groups, ("body", HOSTILE), strict=True):
        group["name"] = name
    values = [Anneal([0.01, 0.02], [0.2, 0.4], 20), Anneal([0.05, 0.1], [0.01, 0.02], 20)]
    lr = ParamScheduler(optimizer, "lr", save_history=True, schedule=Concatenation(values, [20]))
    lr.attach(trainer, Events.ITERATION_STARTED)
    OneCycleScheduler(optimizer, "momentum", max_value=0.9, total_steps=40).attach(trainer)
    plan, findings = dry_run(trainer, 4, 10), check_plan(trainer, 4, 10)
    assert [(one.code, one.numbers["iteration"]) for one in findings] == [("jump", 20)]
    trainer.run([0] * 10, max_epochs=4)
    return plan, findings, trainer.state.param_history


class Opened:
    """A page that is open in the browser, with its requests and its console messages."""

    def __init__(self, browser, path, width):
        self.page = browser.new_page()
        self.page.set_viewport_size(dict(zip(("width", "height"), WIDTHS[width], strict=True)))
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("#plan .legend")

    def state(self):
        return self.page.evaluate(STATE)

    def until(self, **expected):
        """Wait until the state of the figure has these values."""
        for _ in range(100):
            if all(self.state()[key] == value for key, value in expected.items()):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError((expected, self.state()))

    def press(self, label):
        self.page.get_by_role("button", name=label, exact=True).click()

    def click(self, locator):
        box = locator.bounding_box()  # plotly draws the clickable area over the text
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def panel(self, at=0):
        return self.page.locator("#plan .nsewdrag").nth(at).bounding_box()

    def point_at(self, share, panel=0, height=0.5):
        box = self.panel(panel)
        self.page.mouse.move(box["x"] + share * box["width"], box["y"] + height * box["height"])
        self.page.wait_for_selector(".hoverlayer text")
        return self.page.locator(".hoverlayer text").all_text_contents()

    def picture(self):
        return matplotlib.image.imread(io.BytesIO(self.page.screenshot(full_page=True)))[..., :3]


@pytest.fixture
def opened(browser, planned, tmp_path, request):
    """Return a function that opens the page of the plan.

    After the test, check that no page has written to the console or requested another file.
    """
    pages = []

    def open_it(width="desktop", **contents):
        plan, findings, history = planned
        path = tmp_path / "plan.html"
        plan.to_html(path, **{"findings": findings, "recorded": history, **contents})
        pages.append((Opened(browser, path, width), path))
        return pages[-1][0]

    yield open_it
    for page, path in pages:
        assert page.complaints == []
        assert page.requests == [path.as_uri()]
        page.page.close()


def colours_of(picture):
    return len(np.unique((picture * 255).astype(np.uint8).reshape(-1, 3), axis=0))


@pytest.mark.parametrize("width", list(WIDTHS))
@pytest.mark.parametrize("plans", [1, 2])
def test_it_is_drawn_within_the_width(opened, planned, width, plans):
    page = opened(
        width, **({} if plans == 1 else {"other": planned[0], "labels": ("runs/of/last_week/before.yaml", "after")})
    )
    assert page.page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width][0]
    picture = page.picture()
    assert picture.shape[1] == WIDTHS[width][0]
    assert colours_of(picture) > 50
    for at in range(2 * plans):  # each panel shows lines, not one plain colour
        box = page.panel(at)
        rows, columns = (
            slice(int(box[one]), int(box[one] + box[size])) for one, size in (("y", "height"), ("x", "width"))
        )
        assert colours_of(picture[rows, columns]) > 10
    boxes = [one.bounding_box() for one in page.page.locator(".buttons button, .labels div").all()]
    for box in boxes:
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= WIDTHS[width][0]
        assert box["y"] + box["height"] <= page.panel()["y"]
    for one, other in itertools.combinations(boxes, 2):  # no two boxes overlap
        assert min(one["x"] + one["width"], other["x"] + other["width"]) <= max(one["x"], other["x"]) or min(
            one["y"] + one["height"], other["y"] + other["height"]
        ) <= max(one["y"], other["y"])


def test_pointing_at_it_shows_the_values(opened, planned):
    page, plan = opened(), planned[0]
    words = page.point_at(0.3)
    (where,) = (one for one in words if one.startswith("iteration"))
    iteration = int(where.split()[1].rstrip(","))
    assert 10 < iteration < 15
    assert where == f"iteration {iteration}, epoch {(iteration - 1) // 10 + 1}, event {iteration - 1}"
    for name, value in zip(("body", HOSTILE), plan["lr"][iteration - 1], strict=True):
        assert f"{name} : {value:.6g}" in words
        assert f"recorded : {value:.6g} ({name})" in words
    assert page.page.title() == "Plan of lr, momentum"


def test_pointing_at_a_finding_shows_its_words(opened, planned):
    page = opened()
    (number,) = page.page.locator("#plan .annotation").filter(has_text="1").all()
    box = number.bounding_box()
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.page.wait_for_selector(".hoverlayer text")
    words = "".join(page.page.locator(".hoverlayer text").all_text_contents())
    assert words.startswith(f"1. {planned[1][0].severity}: jump")
    assert "the value goes from" in words
    assert planned[1][0].message in page.page.locator("ol li").all_text_contents()[0]


def test_the_buttons_change_the_axes(opened):
    page = opened()
    before = page.state()
    assert (before["unit"], before["scale"], before["line"]) == ("iteration", "linear", [21])
    page.press("epochs")
    page.until(unit="epoch (of 10 iterations)", line=[2.0])
    assert page.state()["x"] == pytest.approx([-0.048, 4.048])
    page.press("log")
    page.until(scale="log", unit="epoch (of 10 iterations)")
    page.press("linear")
    page.press("iterations")
    page.until(**before)
    pressed = page.page.locator(".buttons [aria-pressed=true]").all_text_contents()
    assert pressed == ["iterations", "linear"]
    page.page.keyboard.press("Tab")  # from the pressed button to the next one
    page.page.keyboard.press("Enter")
    page.until(unit="epoch (of 10 iterations)")


def test_a_name_that_one_plan_lacks_and_names_with_dollars_are_drawn(opened, planned, tmp_path):
    columns, dollars = planned[0].columns, "$\\alpha$ %{x}"
    other = Plan({"lr": columns["lr"], dollars: columns["momentum"]}, 4, 10)
    page = opened(other=other, labels=("a long name " * 6, dollars))
    words = page.page.locator("#plan").text_content()
    assert words.count("not in this plan") == 2
    assert dollars in words


def test_dragging_zooms_all_panels_and_a_double_click_zooms_out(opened):
    page = opened()
    page.press("epochs")
    page.until(unit="epoch (of 10 iterations)")
    box, mouse, before = page.panel(), page.page.mouse, page.state()
    mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 100)
    mouse.down()
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 100, steps=4)
    mouse.up()
    page.page.wait_for_function("document.getElementById('plan')._fullLayout.xaxis2.range[0] > 0.5")
    assert page.state()["x"] == pytest.approx([0.976, 2.0], abs=0.02)
    page.page.mouse.dblclick(box["x"] + 100, box["y"] + 100)
    page.until(x=before["x"])


def test_the_legend_switches_a_group_off_and_on(opened):
    page = opened()
    assert page.state()["hidden"] == []
    entry = page.page.locator("#plan .legend .traces").filter(has_text="script").first.locator(".legendtoggle")
    page.click(entry)
    page.until(hidden=[HOSTILE.replace("<", "&lt;").replace(">", "&gt;")])
    words = page.point_at(0.3)
    assert any(one.startswith("body : ") for one in words)
    assert not any(one.startswith("</script>") for one in words)
    page.page.wait_for_timeout(500)  # two faster clicks are a double-click
    page.click(entry)
    page.until(hidden=[])


def test_the_legend_lays_the_other_plan_over_this_one(opened, planned):
    page = opened(other=planned[0], labels=("before", "after"))
    assert {*page.state()["hidden"]} == {"after, laid over"}
    page.click(page.page.locator("#plan .legend .traces").filter(has_text="laid over").locator(".legendtoggle"))
    page.until(hidden=[])
    assert any(one.startswith("after, laid over : ") and one.endswith("(body)") for one in page.point_at(0.3))


def test_a_million_iterations_open(browser, tmp_path):
    scheduler = OneCycleScheduler(make_optimizer(), "lr", max_value=0.1, total_steps=10**6)
    plan = dry_run(scheduler, max_epochs=100, epoch_length=10**4)
    plan.to_html(tmp_path / "plan.html")
    page = Opened(browser, tmp_path / "plan.html", "desktop")
    (where,) = (one for one in page.point_at(0.5) if one.startswith("iteration"))
    assert 490_000 < int(where.split()[1].rstrip(",")) < 510_000
    assert page.complaints == []
    page.page.close()
