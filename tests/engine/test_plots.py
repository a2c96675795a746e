"""Tests of plots: the axes that they draw into, their labels and their titles."""

import matplotlib
import numpy as np
from cases import for_each
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from optimizers import make_optimizer
from registry import EXAMPLES, CountingScheduler

from lehr.engine import ParamHistory
from lehr.engine.plots import draw_values
from lehr.handlers import CosineAnnealingScheduler, LinearCyclicalScheduler, ParamScheduler, PiecewiseLinear


@for_each("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_plot_values_draws_the_simulated_values(example, axes):
    axes.clear()
    style = dict(matplotlib.rcParams)
    optimizer = make_optimizer(3 if example.per_group else 1)
    kwargs = example.arguments(optimizer)
    lines = example.cls.plot_values(50, ax=axes, **kwargs)
    rows = np.array(example.cls.simulate_values(50, **example.arguments(optimizer)))
    assert len(lines) == (3 if example.per_group and example.cls is not CountingScheduler else 1)
    for line, column in zip(lines, rows.T[1:], strict=True):
        assert isinstance(line, Line2D)
        assert line.get_xdata().tolist() == rows[:, 0].tolist()
        assert line.get_ydata().tolist() == column.tolist()
    assert list(axes.lines) == lines
    assert axes.get_legend() is not None
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("event", "lr")
    assert dict(matplotlib.rcParams) == style


def test_the_current_axes_are_the_default(axes):
    plt.sca(axes)
    lines = EXAMPLES[0].cls.plot_values(num_events=20, **EXAMPLES[0].arguments(make_optimizer()))
    assert list(axes.lines) == lines


def test_several_plots_in_the_same_axes_are_named(axes):
    for cls in (CosineAnnealingScheduler, LinearCyclicalScheduler):
        cls.plot_values(8, ax=axes, param_name="lr", start_value=1.0, end_value=0.0, cycle_size=4)
    assert axes.get_title() == "CosineAnnealingScheduler, LinearCyclicalScheduler"
    assert [line.get_label() for line in axes.lines] == ["lr", "lr"]  # as in ignite


def test_a_picture_that_is_drawn_twice_has_one_title(axes):
    history = ParamHistory({"lr": [[0.1], [0.2]], "r": [[0.1], [0.2]]})
    for name in ("lr", "r", "lr"):
        history.plot(name, axes)
    assert axes.get_title() == "lr, recorded at 2 events, r, recorded at 2 events"


def test_a_title_of_the_user_is_kept(axes):
    axes.set_title("one cycle")
    for _ in range(2):
        EXAMPLES[0].cls.plot_values(8, ax=axes, **EXAMPLES[0].arguments(make_optimizer()))
    assert axes.get_title() == "one cycle"


def test_labels_and_titles_of_the_axes_are_kept(axes):
    axes.set_xlabel("epoch")
    axes.set_ylabel("rate")
    example = EXAMPLES[0]
    lines = example.cls.plot_values(20, ax=axes, **example.arguments(make_optimizer()))
    lines += draw_values([0, 1], [[1.0], [2.0]], "lr", axes, label="another", linestyle="--")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "rate")
    assert [line.get_label() for line in lines] == ["lr", "another"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["lr", "another"]
    assert lines[1].get_linestyle() == "--"
    assert all(line.get_visible() for line in axes.get_xgridlines() + axes.get_ygridlines())


def test_the_given_axes_are_used_instead_of_the_current_axes(axes):
    _, other = plt.subplots()
    lines = ParamHistory({"lr": [[0.1], [0.2]]}).plot("lr", axes)
    lines += PiecewiseLinear.plot_values(3, ax=axes, param_name="lr", milestones_values=[(0, 1)])
    assert list(axes.lines) == lines
    assert not other.lines
    plt.close(other.figure)


def test_no_events_draw_one_empty_line(axes):
    for cls, kwargs in ((PiecewiseLinear, {"milestones_values": [(0, 1)]}), (ParamScheduler, {"schedule": abs})):
        (line,) = cls.plot_values(0, ax=axes, param_name="lr", **kwargs)
        assert line.get_xdata().tolist() == []
