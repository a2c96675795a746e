"""Pictures of plans: panels, lines, phases, axes, and recorded values over planned values."""

import io

import matplotlib
import numpy as np
import pytest
from ignite.engine import Events
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from optimizers import make_optimizer, make_trainer
from torch.utils.data import DataLoader

from lehr.engine import ParamHistory
from lehr.engine.plots import COLORS, LINE_STYLES, draw_values, style_of, thinned
from lehr.handlers import (
    BatchSizeScheduler,
    ExponentialScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    StateParamScheduler,
    WarmupStableDecayScheduler,
    dry_run,
    plot_plan,
)
from lehr.handlers.plans.plot_plan import MOST_POINTS
from lehr.handlers.schedules import Anneal, Concatenation, Constant


def planned(*schedulers, epochs=4, length=10):
    trainer = make_trainer()
    for scheduler, event in schedulers:
        scheduler.attach(trainer, event)
    return dry_run(trainer, epochs, length), trainer


@pytest.fixture
def optimizer():
    optimizer = make_optimizer(3)
    for group, name in zip(optimizer.param_groups, ("body", "neck", "head"), strict=True):
        group["name"] = name
    return optimizer


@pytest.fixture
def plan(optimizer):
    lr = ParamScheduler(optimizer, "lr", save_history=True, schedule=Anneal([0.1, 0.2, 0.3], 0.0, 40))
    momentum = WarmupStableDecayScheduler(optimizer, "momentum", 10, 20, 10, start_value=0.5, end_value=0.5)
    dropout = StateParamScheduler("dropout", create_new=True, schedule=Concatenation([Constant(1), Constant(2)], [2]))
    return planned(
        (lr, Events.ITERATION_STARTED), (momentum, Events.ITERATION_STARTED), (dropout, Events.EPOCH_STARTED)
    )[0]


def test_a_panel_for_each_name_with_a_line_for_each_group(plan):
    style = dict(matplotlib.rcParams)
    figure = Figure()
    panels = plot_plan(plan, figure.subplots(3))
    assert [panel.get_ylabel() for panel in panels] == ["lr", "momentum", "dropout"]
    assert [panel.get_xlabel() for panel in panels] == ["", "", "iteration"]
    lines = panels[0].lines
    assert [line.get_label() for line in lines] == ["body", "neck", "head"]
    for line, values in zip(lines, plan["lr"].T, strict=True):
        assert line.get_xdata().tolist() == list(range(1, 41))
        assert line.get_ydata().tolist() == values.tolist()
    assert [text.get_text() for text in panels[0].get_legend().get_texts()] == ["body", "neck", "head"]
    assert dict(matplotlib.rcParams) == style


def test_a_plan_of_one_iteration_is_a_point(optimizer):
    plan, _ = planned(
        (ParamScheduler(optimizer, "lr", schedule=Constant(0.1)), Events.ITERATION_STARTED), epochs=1, length=1
    )
    (panel,) = plot_plan(plan, Figure().subplots())
    assert [(line.get_marker(), line.get_ydata().tolist()) for line in panel.lines] == [("o", [0.1])]


def test_groups_with_the_same_values_share_a_line(plan):
    panels = plot_plan(plan, Figure().subplots(3))
    assert [line.get_label() for line in panels[1].lines] == ["body, neck, head"]


def test_lines_differ_in_colour_and_in_style(plan):
    lines = plot_plan(plan, Figure().subplots(3))[0].lines
    assert [(line.get_color(), line.get_linestyle()) for line in lines] == list(
        zip(COLORS[:3], LINE_STYLES[:3], strict=True)
    )


def luminance(color):
    return float(np.dot(to_rgb(color), (0.2126, 0.7152, 0.0722)))


def test_many_lines_are_shaded_in_their_order():
    shades = [luminance(style_of(line, 30)["color"]) for line in range(30)]
    assert shades == sorted(shades)
    assert shades[-1] > shades[0] + 0.5


def test_many_groups_have_a_title_instead_of_a_legend():
    optimizer = make_optimizer(30)
    lr = ParamScheduler(optimizer, "lr", schedule=Anneal([0.1 + at for at in range(30)], 0.0, 40))
    (panel,) = plot_plan(planned((lr, Events.ITERATION_STARTED))[0], Figure().subplots())
    assert len(panel.lines) == 30
    assert panel.get_legend() is None
    assert panel.get_title() == ("plan of 40 iterations: 4 epochs of 10\n30 lines, from group 0 (dark) to group 29")


def test_members_of_one_scheduler_have_phases_of_their_own(optimizer):
    lr = WarmupStableDecayScheduler(optimizer, "lr", 10, 20, 10, start_value=0.1)
    momentum = ParamScheduler(optimizer, "momentum", schedule=Concatenation([Constant(0.9), Constant(0.8)], [20]))
    weight_decay = ParamScheduler(optimizer, "weight_decay", schedule=Constant(0.1))
    plan, _ = planned((ParamGroupScheduler([lr, momentum, weight_decay]), Events.ITERATION_STARTED))
    names = [[text.get_text() for text in panel.texts] for panel in plot_plan(plan, Figure().subplots(3))]
    assert names == [["warm-up", "stable", "decay"], ["constant", "constant"], []]


def sides_of(patch):
    """Return the left and right side of a shaded phase, which is a rectangle, or in matplotlib 3.8 a polygon."""
    box = patch.get_path().transformed(patch.get_patch_transform()).get_extents()
    return box.x0, box.x1


def test_phases_are_shaded_and_named(plan):
    _, momentum, dropout = plot_plan(plan, Figure().subplots(3))
    assert [text.get_text() for text in momentum.texts] == ["warm-up", "stable", "decay"]
    (shaded,) = momentum.patches
    assert sides_of(shaded) == (10.5, 30.5)
    assert [text.get_position()[0] for text in momentum.texts] == [5.5, 20.5, 35.5]
    (shaded,) = dropout.patches  # the second phase begins with the third epoch
    assert sides_of(shaded) == (20.5, 40.5)


def test_the_title_tells_the_length_of_the_run(plan):
    panels = plot_plan(plan, Figure().subplots(3))
    assert [panel.get_title() for panel in panels] == ["plan of 40 iterations: 4 epochs of 10", "", ""]


def test_a_group_with_dollar_signs_in_its_name_is_drawn():
    optimizer = make_optimizer(2)
    optimizer.param_groups[0]["name"] = r"$\frac$"
    figure = Figure()
    scheduler = ParamScheduler(optimizer, "lr", schedule=Anneal([0.1, 0.2], 0.0, 40))
    plot_plan(planned((scheduler, Events.ITERATION_STARTED))[0], figure.subplots())
    figure.savefig(io.BytesIO())  # matplotlib finds formulas only while it draws


def test_epochs_stand_along_the_top_of_the_first_panel(plan):
    figure = Figure()
    panels = plot_plan(plan, figure.subplots(3))
    figure.draw_without_rendering()
    (secondary,) = panels[0].child_axes
    assert secondary.get_xlabel() == "epochs"
    assert secondary.get_xlim() == pytest.approx((0, 4))
    assert not panels[1].child_axes


def test_what_stays_for_long_is_drawn_in_steps(plan):
    lr, _, dropout = plot_plan(plan, Figure().subplots(3))
    assert lr.lines[0].get_drawstyle() == "default"
    assert dropout.lines[0].get_drawstyle() == "steps-post"


def test_an_axis_is_logarithmic_where_that_helps():
    optimizer = make_optimizer()
    falling = ExponentialScheduler(optimizer, "lr", gamma=0.7)
    to_zero = ParamScheduler(optimizer, "weight_decay", schedule=Anneal(0.1, 0.0, 20))
    cycle = OneCycleScheduler(optimizer, "momentum", max_value=0.9, total_steps=40)
    event = Events.ITERATION_STARTED
    plan, _ = planned((falling, event), (to_zero, event), (cycle, event))
    assert [panel.get_yscale() for panel in plot_plan(plan, Figure().subplots(3))] == ["log", "linear", "linear"]
    assert [panel.get_yscale() for panel in plot_plan(plan, Figure().subplots(3), log=False)] == ["linear"] * 3
    assert plot_plan(plan, Figure().subplots(), names=["momentum"], log=True)[0].get_yscale() == "log"


def test_planned_against_recorded(optimizer):
    lr = ParamScheduler(optimizer, "lr", save_history=True, schedule=Anneal([0.1, 0.2, 0.3], 0.0, 8))
    rate = StateParamScheduler("rate", save_history=True, create_new=True, schedule=Anneal(1.0, 0.0, 4))
    loader = DataLoader(range(10), batch_size=1)
    size = BatchSizeScheduler(loader, lambda epoch: 2**epoch, save_history=True)
    plan, trainer = planned(
        (lr, Events.ITERATION_STARTED(every=5)), (rate, Events.EPOCH_STARTED), (size, Events.EPOCH_COMPLETED)
    )
    trainer.run([0] * 10, max_epochs=4)
    history = trainer.state.param_history
    panels = plot_plan(plan, Figure().subplots(3), recorded=history)
    recorded = [[line for line in panel.lines if line.get_marker() == "o"] for panel in panels]
    assert [len(lines) for lines in recorded] == [3, 1, 1]
    for lines, name, events in zip(recorded, plan, (range(5, 41, 5), range(1, 41, 10), (11, 21, 31, 41)), strict=True):
        table = history.to_numpy(name)
        for line in lines:
            assert line.get_xdata().tolist() == list(events)
            assert line.get_ydata().tolist() in table.T.tolist()
            on_the_plan = plan[name].T[:, np.minimum(line.get_xdata(), 40) - 1]
            if name != "batch_size":  # its last event comes after the last iteration
                assert line.get_ydata().tolist() in on_the_plan.tolist()
    labels = [text.get_text() for text in panels[0].get_legend().get_texts()]
    assert labels == ["body", "neck", "head", "recorded"]


@pytest.mark.parametrize("is_restored", [True, False])
def test_recorded_events_of_a_resumed_run(optimizer, is_restored):
    lr = ParamScheduler(optimizer, "lr", save_history=True, schedule=Anneal([0.1, 0.2, 0.3], 0.0, 20))
    lr.history = ParamHistory()
    for _ in range(12):
        lr.apply()
    plan = dry_run(lr, max_epochs=4, epoch_length=5)
    assert plan.columns["lr"].first_event == 12
    if not is_restored:
        lr.history = ParamHistory()
    for _ in range(8):
        lr.apply()
    (panel,) = plot_plan(plan, Figure().subplots(), recorded=lr.history)
    recorded = [line for line in panel.lines if line.get_marker() == "o"]
    assert [line.get_xdata().tolist() for line in recorded] == [list(range(13, 21))] * 3
    assert sorted(line.get_ydata().tolist() for line in recorded) == plan["lr"][12:].T.tolist()


def test_nothing_is_opened_unless_there_are_no_axes(plan):
    before = plt.get_fignums()
    plot_plan(plan, Figure().subplots(3))
    assert plt.get_fignums() == before
    panels = plot_plan(plan)
    assert len(plt.get_fignums()) == len(before) + 1
    assert len(panels) == 3
    plt.close(panels[0].figure)


def test_a_line_of_very_many_points_keeps_its_peaks():
    values = np.sin(np.arange(10**6) / 10**5)
    values[123_456], values[654_321] = 7.0, -7.0
    kept = thinned(values, MOST_POINTS)
    shown = values[kept]
    assert len(kept) <= MOST_POINTS + 2
    assert (shown.max(), shown.min(), kept[0], kept[-1]) == (7.0, -7.0, 0, 10**6 - 1)
    assert np.all(np.diff(kept) > 0)
    assert thinned(values[:10], 10).tolist() == list(range(10))
    assert thinned(np.full(100, np.nan), 10).tolist()[-1] == 99


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"plan": {"lr": [0.1]}}, TypeError, "plan must be a Plan that dry_run returned, given {"),
        ({"names": ["lr", "rl"]}, ValueError, "names must be among 'lr', 'momentum', 'dropout', given 'rl'"),
        ({"recorded": {"lr": [[0.1]]}}, TypeError, "recorded must be a ParamHistory or None, given {"),
        ({"axes": Figure().subplots(2)}, ValueError, "axes must be one for each of .*, given 2"),
    ],
)
def test_bad_arguments(plan, kwargs, error, match):
    with pytest.raises(error, match=match):
        plot_plan(**{"plan": plan, **kwargs})


def test_histories_and_single_schedules_have_the_same_colours(axes):
    lines = ParamHistory({"lr": [[0.1, 0.2], [0.2, 0.3]]}).plot("lr", axes)
    assert [line.get_color() for line in lines] == list(COLORS[:2])
    assert [line.get_linestyle() for line in lines] == list(LINE_STYLES[:2])
    (third,) = draw_values([0, 1], [[1.0], [2.0]], "lr", axes)
    assert third.get_color() == COLORS[2]  # a second call takes the next colour
