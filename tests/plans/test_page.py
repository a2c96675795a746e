"""What the HTML page of a plan contains. ``test_page_in_browser.py`` tests the page in a browser."""

import base64
import builtins
import html.parser
import json
import os
import re

import numpy as np
import pytest
from cases import for_each
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer

from lehr.engine import ParamHistory
from lehr.handlers import (
    OneCycleScheduler,
    ParamScheduler,
    StateParamScheduler,
    WarmupStableDecayScheduler,
    check_plan,
    diff_plans,
    dry_run,
)
from lehr.handlers.plans import Finding, Plan
from lehr.handlers.plans.pages.downsampling import kept_points
from lehr.handlers.plans.pages.escaping import plain_lines
from lehr.handlers.plans.pages.page_inputs import Contents
from lehr.handlers.plans.pages.placed_findings import placed
from lehr.handlers.plans.plan import PlanColumn
from lehr.handlers.schedules import Anneal, Concatenation, Constant

EVIL = "</script><script>alert(1)</script>"


def trained(group_names=("body", "head"), epochs=4, length=10, peak=0.4, run=True):
    """Return the plan and the findings of a trainer with three schedulers, and its history if it has ``run``."""
    optimizer, trainer = make_optimizer(len(group_names)), make_trainer()
    for group, name in zip(optimizer.param_groups, group_names, strict=True):
        group["name"] = name
    values = [Anneal([0.0, 0.0], [0.2, peak], 15), Anneal([0.2, peak], [0.0, 0.0], 15)]
    lr = ParamScheduler(optimizer, "lr", save_history=True, schedule=Concatenation(values, [15]))
    lr.attach(trainer, Events.ITERATION_STARTED)
    momentum = WarmupStableDecayScheduler(optimizer, "momentum", 10, 20, 10, start_value=0.5, end_value=0.5)
    momentum.attach(trainer, Events.ITERATION_STARTED)
    jump = Concatenation([Constant(0.1), Constant(0.4)], [2])
    dropout = StateParamScheduler("dropout", create_new=True, save_history=True, schedule=jump)
    dropout.attach(trainer, Events.EPOCH_STARTED)
    plan, findings = dry_run(trainer, epochs, length), check_plan(trainer, epochs, length)
    if run:
        trainer.run([0] * length, max_epochs=epochs)
    return plan, findings, getattr(trainer.state, "param_history", None)


@pytest.fixture
def page(tmp_path):
    """Return a function that writes the page of a plan and returns its text."""

    def write(plan, **contents):
        plan.to_html(tmp_path / "plan.html", **contents)
        return (tmp_path / "plan.html").read_text(encoding="utf-8")

    return write


def decoded(value):
    """Return data of plotly in which each encoded array is a NumPy array."""
    if isinstance(value, dict) and set(value) >= {"dtype", "bdata"}:
        array = np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
        return array.reshape([int(size) for size in value["shape"].split(",")]) if "shape" in value else array
    if isinstance(value, dict):
        return {key: decoded(one) for key, one in value.items()}
    return [decoded(one) for one in value] if isinstance(value, list) else value


def figure_in(text):
    """Return the traces, the layout and the config of the figure in a page."""
    rest, found = text[re.search(r'Plotly\.newPlot\(\s*"plan",\s*', text).end() :], []
    for _ in range(3):
        value, end = json.JSONDecoder().raw_decode(rest)
        found.append(decoded(value))
        rest = rest[end:].lstrip(" ,\n")
    return found


def lines_in(traces, axis="y"):
    return {trace["name"]: trace for trace in traces if trace["mode"].startswith("lines") and trace["yaxis"] == axis}


class Markup(html.parser.HTMLParser):
    """Collects the tags with their attributes, and the text outside of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while tag in self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)


def test_a_panel_for_each_name_with_a_line_for_each_group(page):
    plan, _, _ = trained()
    traces, layout, _ = figure_in(page(plan))
    assert [layout[f"yaxis{at}"]["title"]["text"] for at in ("", 2, 3)] == ["lr", "momentum", "dropout"]
    for axis, name, labels in (
        ("y", "lr", ["body", "head"]), ("y2", "momentum", ["body, head"]), ("y3", "dropout", ["dropout"])
    ):  # fmt: skip
        lines = lines_in(traces, axis)
        assert list(lines) == labels
        for line, values in zip(lines.values(), plan[name].T, strict=False):
            assert line["y"].tolist() == values.tolist()
            assert line["x"].tolist() == list(range(1, 41))
    assert layout["xaxis3"]["title"]["text"] == "iteration"
    assert [lines_in(traces, axis)[name]["line"]["shape"] for axis, name in (("y", "body"), ("y3", "dropout"))] == [
        "linear", "hv"
    ]  # fmt: skip


def test_a_group_is_switched_in_all_panels_by_one_entry_of_the_legend(page):
    traces, _, _ = figure_in(page(trained()[0]))
    groups = {}
    for trace in traces:
        if trace["name"]:
            groups.setdefault(trace["legendgroup"], []).append(trace["showlegend"])
    assert all(shown == [True, *[False] * (len(shown) - 1)] for shown in groups.values())
    assert len(groups) == 4


def test_the_pointer_reads_iteration_epoch_and_event(page):
    traces, _, _ = figure_in(page(trained()[0]))
    rulers = {trace["yaxis"]: trace for trace in traces if trace["legendgroup"] == "ruler"}
    assert rulers["y"]["customdata"][[0, 10, 39]].tolist() == [[1, 1, 0], [11, 2, 10], [40, 4, 39]]
    assert rulers["y3"]["customdata"][[0, 9, 10, 39]].tolist() == [[1, 1, 0], [10, 1, 0], [11, 2, 1], [40, 4, 3]]
    assert "epoch %{customdata[1]}, event %{customdata[2]}" in rulers["y"]["hovertemplate"]


def test_a_resumed_plan_counts_the_events_before_it(page):
    scheduler = OneCycleScheduler(make_optimizer(), "lr", max_value=0.5, total_steps=20, save_history=True)
    scheduler.history = history = ParamHistory()
    for _ in range(8):
        scheduler.apply()
    plan = dry_run(scheduler, max_epochs=4, epoch_length=5)
    for _ in range(12):
        scheduler.apply()
    traces, _, _ = figure_in(page(plan, recorded=history))
    (ruler,) = (trace for trace in traces if trace["legendgroup"] == "ruler")
    assert ruler["customdata"][[0, 8, 19], 2].tolist() == [-1, 8, 19]
    (dots,) = (trace for trace in traces if trace["name"] == "recorded")
    assert dots["x"].tolist() == list(range(9, 21))
    assert dots["y"].tolist() == plan["lr"][8:, 0].tolist()


def buttons_of(layout):
    return {one["label"]: one["args"] for menu in layout["updatemenus"] for one in menu["buttons"]}


def test_buttons_change_the_unit_of_everything(page):
    plan, findings, history = trained()
    traces, layout, _ = figure_in(page(plan, findings=findings, recorded=history))
    restyled, relayout = buttons_of(layout)["epochs"]
    assert len(restyled["x"]) == len(traces)
    for x, trace in zip(restyled["x"], traces, strict=True):
        np.testing.assert_allclose(x, (trace["x"] - 1) / 10, rtol=1e-15)
    assert relayout["xaxis3.title.text"] == "epoch (of 10 iterations)"
    for kind in ("shapes", "annotations"):
        assert len(relayout[kind]) == len(layout[kind]) > 0
    for mine, theirs in zip(layout["shapes"], relayout["shapes"], strict=True):
        assert theirs["x0"] == pytest.approx((mine["x0"] - 1) / 10)
    restyled, relayout = buttons_of(layout)["iterations"]
    assert all(np.array_equal(x, trace["x"]) for x, trace in zip(restyled["x"], traces, strict=True))
    assert relayout["shapes"] == layout["shapes"]


def test_buttons_change_the_scale(page):
    columns = {
        "falling": PlanColumn(0.7 ** np.arange(40.0)[:, None], ("group 0",)),
        "negative": PlanColumn(-np.ones((40, 1)), ("",)),
    }
    plan = Plan(columns, max_epochs=4, epoch_length=10)
    _, layout, _ = figure_in(page(plan))
    assert (layout["yaxis"]["type"], layout["yaxis2"]["type"]) == ("log", "linear")  # logarithmic where `plot_plan` is
    types = {
        scale: [buttons_of(layout)[scale][0][f"{axis}.type"] for axis in ("yaxis", "yaxis2")]
        for scale in ("linear", "log")
    }
    assert types == {"linear": ["linear", "linear"], "log": ["log", "linear"]}  # "negative" has no positive value


def test_findings_are_listed_and_marked_where_they_are(page):
    plan, findings, _ = trained()
    assert [(one.code, one.severity) for one in findings] == [
        ("repeats", "warning"), ("jump", "warning"), ("zero-start", "info")
    ]  # fmt: skip
    text = page(plan, findings=findings)
    words = " ".join(Markup(text).words)
    for finding in findings:
        for part in (finding.code, finding.where, finding.message, finding.suggestion):
            assert part in words
    _, layout, _ = figure_in(text)
    marked = [one for one in layout["annotations"] if "hovertext" in one]
    assert [(one["text"], one["xref"], one["x"]) for one in marked] == [
        ("<b>3</b>", "x", 1), ("<b>1</b>", "x", 31), ("<b>2</b>", "x3", 21)
    ]  # fmt: skip
    assert plain_lines(findings[1].message) in marked[2]["hovertext"]
    lines = [one["x0"] for one in layout["shapes"] if one["type"] == "line"]
    assert lines == [1, 31, 21]


@for_each(
    ("code", "where", "numbers", "expected"),
    [
        ("jump", "'lr': a scheduler", {"iteration": 7}, ("lr", 7)),
        ("end-not-reached", "'lr': a scheduler", {"length": 90.0}, ("lr", 39)),
        ("repeats", "'lr': a scheduler", {"length": 12.0}, ("lr", 12)),
        ("repeats", "'lr': a scheduler", {"length": 99.0}, None),
        ("late-event", "'momentum': a scheduler", {"iterations": 3}, ("momentum", 0)),
        ("jump", "'lr': a scheduler", {"iteration": 40}, None),  # not an iteration of the plan
        ("jump", "'weight_decay': a scheduler", {"iteration": 7}, None),
        ("inexact-resume", "the run", {}, None),
        ("unit-mismatch", "'lr': a scheduler", {"length": 9.0}, None),
    ],
)
def test_the_place_of_a_finding(code, where, numbers, expected):
    finding = Finding(code, "warning", where, "a message", "a suggestion", numbers)
    found = [(one.name, one.iteration) for one in placed([finding], trained(run=False)[0])]
    assert found == ([] if expected is None else [expected])


def test_the_recorded_run_lies_over_the_plan(page):
    plan, _, history = trained()
    history["other"] = [[0.1]]
    text = page(plan, recorded=history)
    assert "recorded, but not in the plan: 'other'" in " ".join(Markup(text).words)
    traces, _, _ = figure_in(text)
    dots = [trace for trace in traces if trace["name"] == "recorded"]
    assert [trace["yaxis"] for trace in dots] == ["y", "y", "y3"]
    for trace, values in zip(dots[:2], plan["lr"].T, strict=True):
        assert trace["y"].tolist() == values.tolist()
        assert trace["mode"] == "markers"
    assert dots[2]["x"].tolist() == [1, 11, 21, 31]
    assert dots[2]["y"].tolist() == [0.1, 0.1, 0.4, 0.4]


def test_two_plans_side_by_side(page):
    one, other = trained()[0], trained(epochs=3, length=12, peak=0.3)[0]
    text = page(one, other=other, labels=("before & now", "after"))
    traces, layout, _ = figure_in(text)
    for axis, plan in (("y", one), ("y2", other)):
        lines = [trace for trace in lines_in(traces, axis).values() if trace["legendgroup"] != "overlay"]
        assert [line["y"].tolist() for line in lines] == plan["lr"].T.tolist()
    assert layout["xaxis"]["domain"][1] < layout["xaxis2"]["domain"][0]
    assert (layout["yaxis2"]["matches"], layout["yaxis4"]["matches"], layout["xaxis6"]["matches"]) == ("y", "y3", "x")
    overlaid = [trace for trace in traces if trace["legendgroup"] == "overlay" and trace["yaxis"] == "y"]
    assert [trace["y"].tolist() for trace in overlaid] == other["lr"].T.tolist()
    assert {trace["visible"] for trace in overlaid} == {"legendonly"}
    assert '<div class="labels">\n<div>before &amp; now</div>\n<div>after</div>\n</div>' in text
    restyled, relayout = buttons_of(layout)["epochs"]
    at = next(at for at, trace in enumerate(traces) if trace["yaxis"] == "y2")
    assert restyled["x"][at][12] == 1.0
    assert relayout["xaxis6.title.text"] == "epoch (of 12 iterations)"
    words = " ".join(Markup(text).words)
    difference = diff_plans(one, other)
    assert difference
    for line in str(difference).splitlines():
        assert line in words
    first = min(one.first for one in difference if one.name == "lr")
    assert next((one["text"], one["x"]) for one in layout["annotations"] if one.get("hovertext")) == (
        "<b>\u2260</b>", first + 1
    )  # fmt: skip


def test_a_name_that_one_plan_lacks_has_an_empty_panel(page):
    plan = trained()[0]
    other = Plan({"lr": plan.columns["lr"]}, 4, 10)
    traces, layout, _ = figure_in(page(plan, other=other))
    assert layout["yaxis5"]["title"]["text"] == "dropout"
    (empty,) = (trace for trace in traces if trace["yaxis"] == "y6")  # plotly draws axes only for a trace
    assert np.isnan(empty["y"]).all()
    assert [(one["text"], one["yref"]) for one in layout["annotations"] if one["text"].startswith("not in")] == [
        ("not in this plan", "y4 domain"), ("not in this plan", "y6 domain")
    ]  # fmt: skip


def test_findings_that_are_close_share_a_label(page):
    found = [Finding("jump", "warning", "'lr'", f"message {at}", "do", {"iteration": at}) for at in range(20, 29)]
    found += [Finding("jump", "info", "'lr'", "far", "do", {"iteration": 60})]
    plan = Plan({"lr": PlanColumn(np.arange(100.0)[:, None], ("group 0",))}, 1, 100)
    _, layout, _ = figure_in(page(plan, findings=found))
    labels = [one for one in layout["annotations"] if "hovertext" in one]
    assert [(one["text"], one["x"]) for one in labels] == [
        ("<b>1, 2, ...</b>", 21), ("<b>6, 7, ...</b>", 26), ("<b>10</b>", 61)
    ]  # fmt: skip
    assert "message 24" in labels[0]["hovertext"]
    assert [one["x0"] for one in layout["shapes"]] == [*range(21, 30), 61]
    _, layout, _ = figure_in(page(plan, findings=found[:9], other=plan))
    (label,) = (one for one in layout["annotations"] if "hovertext" in one)
    assert label["hovertext"].endswith("and 3 more, in the list below")


def test_a_constant_does_not_lie_between_1_less_and_1_more(page):
    columns = {name: PlanColumn(np.full((4, 1), value), ("",)) for name, value in (("a", 0.1), ("b", -0.2), ("c", 0.0))}
    _, layout, _ = figure_in(page(Plan(columns, 1, 4)))
    assert layout["yaxis"]["autorangeoptions"] == {"clipmin": 0.05, "clipmax": 0.2}
    assert layout["yaxis2"]["autorangeoptions"] == {"clipmin": -0.4, "clipmax": -0.1}
    assert "autorangeoptions" not in layout["yaxis3"]
    columns = {"a": columns["a"]}
    other = Plan({"a": PlanColumn(np.full((4, 1), 3.0), ("",))}, 1, 4)
    assert "autorangeoptions" not in figure_in(page(Plan(columns, 1, 4), other=other))[1]["yaxis"]  # other is wider


def test_a_name_of_two_lines_is_one_difference(page):
    one, other = (Plan({"a\nb": PlanColumn(np.full((4, 1), at), ("",))}, 1, 4) for at in (1.0, 2.0))
    assert page(one, other=other).count("<li>") == 1


def test_names_are_text(page):
    hostile = [EVIL, '<img src=x onerror="alert(1)">', "%{customdata[0]}", "a\ud800b"]
    optimizer, history = make_optimizer(4), ParamHistory()
    for group, name in zip(optimizer.param_groups, hostile, strict=True):
        group["name"], group[EVIL] = name, 0.5
    scheduler = ParamScheduler(optimizer, EVIL, schedule=Anneal([0.1, 0.2, 0.3, 0.4], 0.0, 8))
    plan = dry_run(scheduler, 2, 4)
    history[EVIL] = [[0.1, 0.2, 0.3, 0.4]]
    findings = [Finding("jump", "error", repr(EVIL), EVIL, EVIL, {"iteration": 3})]
    contents = {"findings": findings, "recorded": history, "other": plan, "labels": (EVIL, EVIL), "title": EVIL}
    text, harmless = page(plan, **contents), page(trained()[0], recorded=history)
    count = [len(Markup(one).tags) for one in (text, harmless)]
    assert [tag for tag, _ in Markup(text).tags].count(
        "script"
    ) == 4  # plotly, its settings, the figure, and the buttons
    assert [tag for tag, _ in Markup(harmless).tags].count("script") == 4
    assert "img" not in [tag for tag, _ in Markup(text).tags]
    assert all(not name.startswith("on") for _, attributes in Markup(text).tags for name in attributes)
    assert count[0] > 0
    traces, layout, _ = figure_in(text)
    shown = [trace["name"] for trace in traces] + [one["text"] for one in layout["annotations"]]
    shown += [one["hovertext"] for one in layout["annotations"] if "hovertext" in one]
    for words in shown:
        assert set(re.findall(r"<[^>]*>", words)) <= {"<b>", "</b>", "<br>"}
    for trace in traces:  # plotly replaces only these fields
        fields = set(re.findall(r"%\{([^}]*)\}", trace["hovertemplate"]))
        assert fields <= {"y:.6~g", "customdata[0]", "customdata[1]", "customdata[2]"}
        assert trace["hovertemplate"].count("%{customdata[0]}") == (trace["legendgroup"] == "ruler")


def test_nothing_is_loaded_from_elsewhere(page):
    plan, findings, history = trained()
    text = page(plan, findings=findings, recorded=history)
    markup = Markup(text)
    for tag, attributes in markup.tags:
        assert not {"src", "href", "action", "srcset", "data"} & set(attributes), tag
        assert tag not in ("link", "iframe", "object", "embed", "img")
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    (policy,) = (one["content"] for tag, one in markup.tags if "http-equiv" in one)
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    assert text.index("Content-Security-Policy") < text.index("<script")
    _, _, config = figure_in(text)
    assert "http" not in json.dumps(config)
    assert config["showSendToCloud"] is False


def test_the_same_plan_gives_the_same_bytes(page):
    first = [page(plan, findings=findings, recorded=history) for plan, findings, history in [trained(), trained()]]
    assert first[0] == first[1]


def test_a_long_line_keeps_its_extremes_and_jumps(page):
    values = np.sin(np.arange(10**6) / 10**5) + 2
    values[123_456], values[654_321], values[800_000:] = 7.0, -7.0, 5.0
    plan = Plan({"lr": PlanColumn(values[:, None], ("group 0",))}, max_epochs=100, epoch_length=10**4)
    finding = Finding("jump", "info", "'lr'", "a message", "a suggestion", {"iteration": 333_333})
    text = page(plan, findings=[finding])
    assert len(text) < 8_000_000
    (line,) = lines_in(figure_in(text)[0]).values()
    kept = line["x"] - 1
    assert 5000 < len(kept) <= 20_001
    assert line["y"].tolist() == values[kept].tolist()
    assert {0, 123_456, 333_333, 654_321, 799_999, 800_000, 10**6 - 1} <= set(kept.tolist())
    assert np.diff(kept).max() <= 400
    for start in range(0, 10**6, 5 * 10**4):  # each part keeps its extremes
        part, whole = line["y"][(kept >= start) & (kept < start + 5 * 10**4)], values[start:][: 5 * 10**4]
        assert (part.min(), part.max()) == pytest.approx((whole.min(), whole.max()), abs=3e-3)


def test_many_lines_share_the_points_of_a_page(page):
    table = np.random.default_rng(0).random((20_000, 100))
    plan = Plan({"lr": PlanColumn(table, tuple(f"group {at}" for at in range(100)))}, 10, 2000)
    traces, layout, _ = figure_in(page(plan))
    assert len(traces) == 100
    assert sum(len(trace["y"]) for trace in traces) < 120_000
    assert layout["hovermode"] == "closest"
    assert "%{fullData.name}" in traces[0]["hovertemplate"]
    assert traces[7]["customdata"][0].tolist() == [1, 1, -1]


def test_points_of_steps_that_are_not_numbers():
    values = np.full(1000, np.nan)
    values[500:] = 1.0
    assert {0, 499, 500, 999} <= set(kept_points([values], 20).tolist())
    assert kept_points([values[:7]], 20).tolist() == list(range(7))


def test_an_empty_plan_has_a_page(page):
    text = page(Plan({}, max_epochs=2, epoch_length=4, unforeseen=["a scheduler of yours"]))
    assert "Plan of nothing" in text
    assert "cannot predict it: a scheduler of yours" in text
    assert "<script" not in text


def test_a_plan_of_one_iteration_is_a_point(page):
    plan = Plan({"lr": PlanColumn(np.array([[0.1]]), ("group 0",))}, 1, 1)
    (line,) = lines_in(figure_in(page(plan))[0]).values()
    assert (line["mode"], line["y"].tolist()) == ("lines+markers", [0.1])


def test_a_file_is_replaced_when_the_page_is_complete(tmp_path, monkeypatch):
    path, plan = tmp_path / "plan.html", trained()[0]
    path.write_text("the old page")
    path.chmod(0o640)
    monkeypatch.setattr("pathlib.Path.replace", lambda *args: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        plan.to_html(path)
    assert (path.read_text(), os.listdir(tmp_path)) == ("the old page", ["plan.html"])
    monkeypatch.undo()
    link = tmp_path / "link.html"
    link.symlink_to(path)
    plan.to_html(str(link))
    assert link.is_symlink()
    assert path.read_text().startswith("<!doctype html>")
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(FileNotFoundError, match="No such file or directory: '.*missing/plan.html'"):
        plan.to_html(tmp_path / "missing" / "plan.html")
    with pytest.raises(IsADirectoryError):
        plan.to_html(tmp_path)
    plan.to_html(os.devnull)
    assert sorted(os.listdir(tmp_path)) == ["link.html", "plan.html"]


@for_each(
    ("contents", "error", "match"),
    [
        ({"findings": "jump"}, TypeError, "findings must be findings that check_plan returned, or None, given 'jump'"),
        ({"findings": [1]}, TypeError, r"findings must be .* given \[1\]"),
        ({"findings": 1}, TypeError, "findings must be .* given 1"),
        ({"recorded": {"lr": [[0.1]]}}, TypeError, "recorded must be a ParamHistory or None, given {"),
        ({"other": {"lr": [0.1]}}, TypeError, "other must be a Plan that dry_run returned, or None, given {"),
        ({"labels": "ab"}, TypeError, "labels must be two strings, given 'ab'"),
        ({"labels": ("a",)}, ValueError, r"labels must be two strings, given \('a',\)"),
        ({"labels": None}, TypeError, "labels must be two strings, given None"),
        ({"path": None}, TypeError, "path must be a string or a path, given None"),
        ({"path": b"plan.html"}, TypeError, "path must be a string or a path, given b'plan.html'"),
        ({"title": 1}, TypeError, "title must be a string or None, given 1"),
    ],
)
def test_bad_arguments(tmp_path, contents, error, match):
    with pytest.raises(error, match=match):
        trained(run=False)[0].to_html(**{"path": tmp_path / "plan.html", **contents})
    assert not list(tmp_path.iterdir())


def test_without_plotly_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    imported = builtins.__import__

    def without_plotly(name, *args, **kwargs):
        if name.startswith("plotly"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_plotly)
    with pytest.raises(ImportError, match=r"to_html needs plotly: pip install 'lehr\[html\]'"):
        trained(run=False)[0].to_html(tmp_path / "plan.html")
    assert not list(tmp_path.iterdir())


def test_equal_groups_share_a_line_if_they_do_in_both_plans():
    same, different = np.full((3, 2), 0.1), np.array([[0.1, 0.2]] * 3)
    plans = [Plan({"lr": PlanColumn(values, ("a", "b"))}, 1, 3) for values in (same, different)]
    from lehr.handlers.plans.pages.figure import figure_of

    traces = figure_of(Contents(plans[0], [], None, plans[1], ("1", "2")))["data"]
    assert list(lines_in(traces, "y")) == ["a", "b", "2, laid over"]
    traces = figure_of(Contents(plans[0], [], None, plans[0], ("1", "2")))["data"]
    assert list(lines_in(traces, "y")) == ["a, b", "2, laid over"]
