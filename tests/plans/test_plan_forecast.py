"""A plan with a forecast of the loss: its text, tables, pictures and page, and the difference of two plans."""

from types import SimpleNamespace

import numpy as np
import pytest
from cases import for_each
from ignite.engine import Events
from matplotlib.figure import Figure
from optimizers import make_optimizer, make_trainer

from lehr.engine import ParamHistory
from lehr.handlers import OneCycleScheduler, ParamScheduler, diff_plans, dry_run, plot_plan
from lehr.handlers.schedules import Anneal, Constant


class Made:
    """Stands in for a ``LossForecast``: computes losses by a formula and stores the arguments of the last call."""

    def predict(self, values, num_events, scale=1.0, width=0.01):
        self.asked = values, num_events
        loss = scale * (2.0 + 1.0 / (1.0 + np.cumsum(values.mean(axis=1))))
        loss[:4] = np.nan  # a forecast has no loss in a warm-up
        return SimpleNamespace(loss=loss, low=(1 - width) * loss, high=(1 + width) * loss)


def planned(schedule, groups=2, epochs=4, length=10):
    trainer, optimizer = make_trainer(), make_optimizer(groups)
    ParamScheduler(optimizer, "lr", schedule=schedule).attach(trainer)
    OneCycleScheduler(optimizer, "momentum", max_value=0.95, total_steps=40).attach(trainer)
    return dry_run(trainer, epochs, length)


@pytest.fixture
def plan():
    return planned(Anneal([0.1, 0.3], 0.0, 40))


def test_the_loss_stands_under_the_learning_rate_and_the_plan_stays_as_it_was(plan):
    made = Made()
    new = plan.forecast(made)
    assert [*new] == ["lr", "loss", "momentum"]
    assert [*plan] == ["lr", "momentum"]
    np.testing.assert_array_equal(made.asked[0], plan["lr"])
    assert made.asked[1] == 40
    curve = Made().predict(plan["lr"], 40)
    np.testing.assert_array_equal(new["loss"][:, 0], curve.loss)
    np.testing.assert_array_equal(new.columns["loss"].band, [curve.low, curve.high])
    assert (new.max_epochs, new.epoch_length, new.num_iterations) == (4, 10, 40)
    assert f"{curve.loss[-1]:.4g}" in str(new).splitlines()[4]


def test_options_and_other_names(plan):
    new = plan.forecast(Made(), name="loss of the teacher", scale=2.0)
    np.testing.assert_array_equal(new["loss of the teacher"], 2 * plan.forecast(Made())["loss"])
    both = new.forecast(Made())
    assert [*both] == ["lr", "loss", "loss of the teacher", "momentum"]


def test_tables_have_it(plan, tmp_path):
    new = plan.forecast(Made())
    new.to_csv(tmp_path / "plan.csv")
    heading, first, *_ = (tmp_path / "plan.csv").read_text().splitlines()
    assert heading == "iteration,lr[0],lr[1],loss,momentum[0],momentum[1]"
    assert first.split(",")[3] == ""
    assert float((tmp_path / "plan.csv").read_text().splitlines()[-1].split(",")[3]) == new["loss"][-1, 0]


def test_the_picture_has_a_line_with_its_band_and_the_recorded_losses(plan):
    new = plan.forecast(Made())
    history = ParamHistory({"loss": [2.5] * 30})
    figure = Figure()
    panels = plot_plan(new, figure.subplots(3), recorded=history)
    lines = {line.get_label(): line for line in panels[1].lines}
    np.testing.assert_array_equal(lines["forecast"].get_ydata(), new["loss"][:, 0])
    np.testing.assert_array_equal(lines["recorded"].get_xdata(), np.arange(1, 31))
    [band] = panels[1].collections
    low, high = new.columns["loss"].band
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (np.nanmin(low), np.nanmax(high))
    assert [panel.get_ylabel() for panel in panels] == ["lr", "loss", "momentum"]
    assert not panels[0].collections


def test_the_page_has_a_panel_with_the_band(plan, tmp_path):
    from lehr.handlers.plans.checks.findings import Findings
    from lehr.handlers.plans.pages.figure import figure_of
    from lehr.handlers.plans.pages.page_inputs import Contents

    new = plan.forecast(Made())
    figure = figure_of(Contents(new, Findings(()), None, None, ("a", "b")))
    bands = [trace for trace in figure["data"] if trace["name"] == "band"]
    assert [trace.get("fill") for trace in bands] == [None, "tonexty"]
    np.testing.assert_array_equal([trace["y"] for trace in bands], new.columns["loss"].band)
    assert {trace["yaxis"] for trace in bands} == {"y2"}
    assert [trace["showlegend"] for trace in bands] == [True, False]
    new.to_html(tmp_path / "plan.html", other=planned(Constant(0.1)).forecast(Made()))
    assert "loss, forecast at the end" in (tmp_path / "plan.html").read_text(encoding="utf-8")


def test_a_difference_says_what_the_forecasts_differ_by(plan):
    one, other = plan.forecast(Made()), planned(Constant(0.1)).forecast(Made())
    diff = diff_plans(one, other)
    assert {one.name for one in diff} == {"lr"}
    first, second = one["loss"][-1, 0], other["loss"][-1, 0]
    expected = (
        f"loss, forecast at the end: {first:.5g} ({0.99 * first:.5g} to {1.01 * first:.5g}) and {second:.5g} "
        f"({0.99 * second:.5g} to {1.01 * second:.5g}); the second is {abs(second / first - 1):.2%} "
        f"{'lower' if second < first else 'higher'}"
    )
    assert str(diff).splitlines()[-1].removesuffix(", and the bands overlap") == expected
    close = diff_plans(plan.forecast(Made(), width=0.5), planned(Constant(0.1)).forecast(Made(), width=0.5))
    assert str(close).endswith(", and the bands overlap")
    wide = diff_plans(plan.forecast(Made(), width=0.0), planned(Constant(0.1)).forecast(Made(), width=0.0))
    assert not str(wide).endswith(", and the bands overlap")


def test_equal_plans_and_one_forecast_alone(plan):
    assert (
        str(diff_plans(plan.forecast(Made()), planned(Anneal([0.1, 0.3], 0.0, 40)).forecast(Made()))) == "no difference"
    )
    assert "loss: only in the second" in str(diff_plans(plan, plan.forecast(Made())))


@for_each(
    ["error", "words", "change"],
    [
        (TypeError, "forecast must be a LossForecast, given 3", lambda plan: plan.forecast(3)),
        (ValueError, "param_name must be among 'lr', 'momentum', given 'rate'",
         lambda plan: plan.forecast(Made(), param_name="rate")),
        (ValueError, "name must be a name that the plan does not have, given 'lr'",
         lambda plan: plan.forecast(Made(), name="lr")),
    ],
)  # fmt: skip
def test_wrong_arguments(error, words, change):
    with pytest.raises(error, match=words):
        change(planned(Constant(0.1)))


def test_a_plan_of_a_resumed_run_has_no_learning_rate_before_it():
    trainer, optimizer = make_trainer(), make_optimizer(1)
    scheduler = ParamScheduler(optimizer, "lr", schedule=Constant(0.1))
    scheduler.attach(trainer)
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=1), trainer.terminate)
    trainer.run([0] * 10, max_epochs=4)
    plan = dry_run(trainer, 4, 10)
    assert plan.start == 10
    with pytest.raises(ValueError, match="begins at iteration 11, where the run is resumed"):
        plan.forecast(Made())
