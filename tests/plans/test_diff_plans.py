"""``diff_plans`` finds where two plans differ and by how much."""

import math

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from optimizers import make_optimizer, make_trainer

from lehr.handlers import CosineDecayScheduler, ParamScheduler, diff_plans, dry_run
from lehr.handlers.plans import Plan
from lehr.handlers.plans.plan import PlanColumn


def plan(epochs=2, length=4, **tables):
    """Return a plan with these values: for each name an array, or a list with a row for each iteration."""
    columns = {}
    for name, table in tables.items():
        values = np.array(table, dtype=np.float64).reshape(epochs * length, -1)
        columns[name] = PlanColumn(values, tuple(f"group {at}" for at in range(values.shape[1])))
    return Plan(columns, epochs, length)


ONES = [1.0] * 8


def test_equal_plans_do_not_differ():
    diff = diff_plans(plan(lr=ONES), plan(lr=ONES))
    assert not diff
    assert (len(diff), list(diff), str(diff)) == (0, [], "no difference")


def test_real_plans_of_two_schedules():
    plans = []
    for end in (0.0, 0.1):
        trainer = make_trainer()
        CosineDecayScheduler(make_optimizer(2), "lr", 8, end_value=end).attach(trainer)
        plans.append(dry_run(trainer, 2, 4))
    diff = diff_plans(*plans)
    assert [(one.name, one.label, one.first, one.num_iterations) for one in diff] == [
        ("lr", "group 0", 1, 7),
        ("lr", "group 1", 1, 7),
    ]
    for group, one in enumerate(diff):
        mine, theirs = plans[0]["lr"][:, group], plans[1]["lr"][:, group]
        assert one.values == (mine[1], theirs[1])
        assert one.area == pytest.approx(np.abs(mine - theirs).sum())
        assert one.ratio == max(theirs / mine)
        assert one.ratio_at == int(np.argmax(theirs / mine)) == 7


def test_first_ratio_and_area():
    other = [1.0, 1.0, 2.0, 0.25, 1.0, 1.0, 1.0, 1.5]
    (one,) = diff_plans(plan(lr=ONES), plan(lr=other))
    assert (one.first, one.values, one.num_iterations) == (2, (1.0, 2.0), 3)
    assert (one.ratio, one.ratio_at, one.area) == (4.0, 3, 1.0 + 0.75 + 0.5)
    expected = "lr, group 0: from iteration 3 on (1 and 2), at 3 of them; ratio up to 4, at iteration 4; area 2.25"
    assert str(diff_plans(plan(lr=ONES), plan(lr=other))) == expected


@pytest.mark.parametrize(("one", "other"), [(0.0, 1.0), (-1.0, 1.0), (math.nan, 1.0)])
def test_a_ratio_to_0_to_another_sign_and_to_nothing_is_infinite(one, other):
    (found,) = diff_plans(plan(lr=[one, *ONES[1:]]), plan(lr=[other, *ONES[1:]]))
    assert (found.first, found.num_iterations, found.ratio) == (0, 1, math.inf)


def test_a_value_missing_in_both_plans_is_no_difference():
    assert not diff_plans(plan(lr=[math.nan, *ONES[1:]]), plan(lr=[math.nan, *ONES[1:]]))


def test_a_tolerance_is_relative():
    near = plan(lr=[1.0 + 1e-9] * 8)
    assert len(diff_plans(plan(lr=ONES), near)) == 1
    assert not diff_plans(plan(lr=ONES), near, rtol=1e-8)
    assert diff_plans(plan(lr=[0.0] * 8), plan(lr=[1e-300] * 8), rtol=0.5)


def test_names_groups_and_lengths_that_one_of_them_lacks_are_told():
    two = np.ones((8, 2))
    two[:, 1] = 3.0
    diff = diff_plans(plan(lr=ONES, momentum=ONES), plan(lr=two, dropout=ONES))
    assert diff.notes == ("momentum: only in the first", "dropout: only in the second")
    assert [(one.label, one.ratio) for one in diff] == [("group 1", 3.0)]  # one value for all against one for each
    three = diff_plans(plan(lr=np.ones((8, 3))), plan(lr=np.ones((8, 2))))
    assert three
    assert (len(three), three.notes) == (0, ("lr: 3 and 2 groups: only the first ones are compared",))
    longer = diff_plans(plan(lr=ONES), plan(epochs=3, lr=[*ONES, 2.0, 2.0, 2.0, 2.0]))
    assert longer
    assert str(longer) == "8 and 12 iterations: only the first ones are compared"


@pytest.mark.parametrize(
    ("arguments", "kwargs", "error", "match"),
    [
        ((plan(lr=ONES), {"lr": ONES}), {}, TypeError, "b must be a Plan that dry_run returned, given {"),
        ((None, plan(lr=ONES)), {}, TypeError, "a must be a Plan that dry_run returned, given None"),
        ((plan(lr=ONES), plan(lr=ONES)), {"rtol": -1}, ValueError, "rtol must be at least 0, given -1"),
    ],
)
def test_bad_arguments(arguments, kwargs, error, match):
    with pytest.raises(error, match=match):
        diff_plans(*arguments, **kwargs)


# Pictures of a difference.


def test_the_picture_has_both_lines_and_what_is_between_them():
    diff = diff_plans(plan(lr=ONES, momentum=ONES), plan(lr=[2.0] * 8, momentum=ONES))
    figure = Figure()
    panels = diff.plot(figure.subplots(2), labels=("before", "after"))
    first, second = panels
    assert [line.get_ydata().tolist() for line in first.lines[:2]] == [ONES, [2.0] * 8]
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["before", "after"]
    assert len(first.collections) == 1
    assert first.lines[2].get_xdata() == [1, 1]  # the first iteration where they differ
    assert len(second.lines) == 2  # the momentum is equal
    assert (first.get_ylabel(), second.get_ylabel(), second.get_xlabel()) == ("lr", "momentum", "iteration")


def test_a_figure_of_its_own_where_none_is_given():
    before = plt.get_fignums()
    panels = diff_plans(plan(lr=ONES, momentum=ONES), plan(lr=ONES)).plot()
    assert [panel.get_ylabel() for panel in panels] == ["lr"]
    plt.close(panels[0].figure)
    assert plt.get_fignums() == before


def test_axes_must_be_as_many_as_names():
    diff = diff_plans(plan(lr=ONES, momentum=ONES), plan(lr=ONES, momentum=ONES))
    with pytest.raises(ValueError, match="axes must be one for each of 'lr', 'momentum', given 1"):
        diff.plot(Figure().subplots())


def test_a_state_with_lists_can_be_compared():
    assert ParamScheduler  # the plan of a group that is added later begins with NaN
    table = np.full((8, 2), np.nan)
    table[4:] = 1.0
    (one, _) = diff_plans(plan(rate=table), plan(rate=np.ones((8, 2))))
    assert (one.first, one.num_iterations, one.ratio, one.area) == (0, 4, math.inf, 0.0)
