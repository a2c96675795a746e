"""``Run`` and its constructors: which learning rates, steps and losses they accept, and their errors."""

import numpy as np
import pytest
import torch
from cases import for_each
from ignite.engine import Engine, Events

from lehr.engine import ParamHistory
from lehr.handlers import LinearScheduler
from lehr.handlers.forecast import Run
from lehr.handlers.forecast.lr_values import warmup_of
from lehr.handlers.schedules import Constant, LinearInterpolation, Plateau, SideBySide, WarmupStableDecay

SCHEDULE = WarmupStableDecay(0.1, 10, 70, 20)


def test_the_learning_rate_of_each_event_up_to_the_last_step():
    run = Run(SCHEDULE, [9, 50, 79], [3.0, 2.5, 2.2])
    np.testing.assert_array_equal(run.lrs, SCHEDULE(np.arange(80)))
    assert run.warmup == 10
    assert run.fitted_steps.tolist() == [50, 79]


def test_a_schedule_a_scheduler_and_an_array_are_the_same_run():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = LinearScheduler(optimizer, "lr", 10, start_value=0.1, end_value=0.01)
    values = scheduler.simulate(20)
    runs = [Run(one, [5, 19], [3.0, 2.0]) for one in (scheduler, scheduler.schedule, values, values[:, 0].tolist())]
    for run in runs[1:]:
        np.testing.assert_array_equal(run.lrs, runs[0].lrs)


def test_several_groups_count_by_their_mean_or_one_of_them():
    schedule = SideBySide([Constant(0.1), Constant(0.3)])
    assert Run(schedule, [3], [2.0]).lrs.tolist() == pytest.approx([0.2] * 4)
    assert Run(schedule, [3], [2.0], group=1).lrs.tolist() == pytest.approx([0.3] * 4)
    assert Run(schedule, [3], [2.0], group=1.0).lrs.tolist() == pytest.approx([0.3] * 4)
    with pytest.raises(ValueError, match="group must be less than 2"):
        Run(schedule, [3], [2.0], group=2)
    for group in ("a", False):
        with pytest.raises(TypeError, match="group must be a number"):
            Run([0.1] * 5, [3], [2.0], group=group)


def test_arrays_are_copied_and_cannot_be_written():
    lrs, steps, losses = np.ones(10), np.arange(10), np.ones(10)
    run = Run(lrs, steps, losses)
    lrs[:], losses[:] = 5, 5
    assert run.lrs.max() == run.losses.max() == 1
    with pytest.raises(ValueError, match="read-only"):
        run.losses[0] = 2


WRONG = {
    "a loss is NaN": ([0.1] * 10, [3, 5], [2.0, np.nan], ValueError, "finite and above 0, given nan at step 5"),
    "a loss is infinite": ([0.1] * 10, [3, 5], [np.inf, 2.0], ValueError, "leave out .* runs that diverge"),
    "a loss is 0": ([0.1] * 10, [3], [0.0], ValueError, "above 0"),
    "a learning rate is negative": ([0.1, -0.1, 0.1], [2], [2.0], ValueError, "given -0.1 at event 1"),
    "a learning rate is NaN": ([0.1, np.nan, 0.1], [2], [2.0], ValueError, "given nan at event 1"),
    "learning rates are in another unit": ([0.1, 300.0], [1], [2.0], ValueError, "another unit, such as percent"),
    "no learning rate is above 0": ([0.0, 0.0], [1], [2.0], ValueError, "above 0 at some event"),
    "steps fall": ([0.1] * 10, [5, 3], [2.0, 2.1], ValueError, "given 3 after 5: sort"),
    "steps are there twice": ([0.1] * 10, [5, 5], [2.0, 2.1], ValueError, "given 5 after 5: keep one"),
    "steps are fractions of epochs": ([0.1] * 10, [0.5, 1.0], [2.0, 2.1], ValueError, "not in epochs"),
    "steps are epochs": ([0.1] * 1000, [1, 2, 3], [3.0, 2.0, 1.5], ValueError, "not in epochs"),
    "steps are tokens": (SCHEDULE, [10**6, 10**7], [3.0, 2.0], ValueError, "not in tokens"),
    "steps are very many": (Constant(0.1), [10**9], [3.0], ValueError, "not in tokens or samples"),
    "steps are beyond the array": ([0.1] * 10, [5, 10], [2.0, 2.1], ValueError, "each of 11 events, given 10"),
    "steps are negative": ([0.1] * 10, [-1], [2.0], ValueError, "at least 0"),
    "lengths differ": ([0.1] * 10, [1, 2], [2.0], ValueError, "given 2 and 1"),
    "no loss": ([0.1] * 10, [], [], ValueError, "losses must have at least one number, given none"),
    "steps are a text": ([0.1] * 10, "many", [2.0], TypeError, "steps must be numbers"),
    "the schedule is a number": (0.1, [1], [2.0], TypeError, "a schedule, a scheduler, or an array"),
    "the schedule is a text": ("cosine", [1], [2.0], TypeError, "a schedule, a scheduler, or an array"),
    "the schedule has texts": (["a", "b"], [1], [2.0], TypeError, "must have numbers"),
    "steps are booleans": ([0.1] * 10, [False, True], [2.0, 2.1], TypeError, "steps must be numbers, given"),
    "losses are complex": ([0.1] * 10, [1], [2.0j], TypeError, "losses must be numbers, given"),
    "losses are texts": ([0.1] * 10, [1, 2], ["2.0", "2.1"], TypeError, "losses must be numbers, given"),
    "losses are tensors of a graph": (
        [0.1] * 10,
        [1],
        torch.ones(1, requires_grad=True),
        TypeError,
        r"losses must be numbers, .*: for a tensor, give loss.item\(\)",
    ),
    "learning rates are booleans": ([True] * 10, [1], [2.0], TypeError, "must have numbers, one for each event"),
    "learning rates are texts": (["0.1"] * 10, [1], [2.0], TypeError, "must have numbers, one for each event"),
    "rows of learning rates differ": ([[0.1], [0.1, 0.2]], [1], [2.0], TypeError, "must have numbers, one for each"),
    "the schedule depends on a metric": (Plateau(), [1], [2.0], ValueError, "depends on a metric"),
}


@for_each("case", WRONG)
def test_wrong_input_is_refused_with_what_to_do(case):
    schedule, steps, losses, error, message = WRONG[case]
    with pytest.raises(error, match=message) as raised:
        Run(schedule, steps, losses)
    assert len(str(raised.value)) <= 500


WARMUPS = {
    "none": ([1.0, 1.0, 0.5], 0),
    "linear": ([0.0, 0.5, 1.0, 1.0, 0.5, 0.5], 2),
    "stairs": ([0.1, 0.1, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5], 4),
    "a rise late in the run": ([1.0, 1.0, 1.0, 2.0, 2.0], 0),
    "a rise to the end": ([0.1, 0.2, 0.3, 0.4], 3),
    "a cosine at once": ([1.0, 0.9, 0.5], 0),
}


@pytest.mark.parametrize("case", WARMUPS)
def test_warmups(case):
    lrs, expected = WARMUPS[case]
    assert warmup_of(np.array(lrs)) == expected


def test_the_history_of_a_training():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    trainer = Engine(lambda engine, batch: optimizer.step())
    LinearScheduler(optimizer, "lr", 30, start_value=0.1, end_value=0.01, save_history=True).attach(trainer)
    losses = []

    @trainer.on(Events.ITERATION_COMPLETED)
    def keep():
        losses.append(3.0 - 0.01 * trainer.state.iteration)

    trainer.run([None] * 10, max_epochs=3)
    run = Run.from_history(trainer.state.param_history, "lr", losses, name="mine")
    assert run.steps.tolist() == list(range(30))
    np.testing.assert_array_equal(run.lrs, trainer.state.param_history.to_numpy("lr")[:, 0])


def test_a_history_with_a_metric_and_with_groups():
    history = ParamHistory({"lr": [[0.1, 0.3], [0.1, 0.5]], "loss": [np.nan, 2.0]})
    run = Run.from_history(history, "lr", "loss", group=1)
    assert (run.steps.tolist(), run.losses.tolist(), run.lrs.tolist()) == ([1], [2.0], [0.3, 0.5])
    assert Run.from_history(history, "lr", [2.5], steps=[1]).lrs.tolist() == pytest.approx([0.2, 0.3])
    with pytest.raises(ValueError, match="within the schedule of 2 events, given the last step 500"):
        Run.from_history(history, "lr", [2.5], steps=[500])
    with pytest.raises(ValueError, match="param_name must be a name in the history"):
        Run.from_history(history, "momentum", "loss")
    with pytest.raises(ValueError, match="losses must be a name in the history"):
        Run.from_history(history, "lr", "accuracy")
    with pytest.raises(TypeError, match="history must be a ParamHistory"):
        Run.from_history({"lr": [0.1]}, "lr", [2.0])
    with pytest.raises(
        ValueError, match="losses must have one loss for each of 2 recorded events, given 3: give steps"
    ):
        Run.from_history(history, "lr", [2.5, 2.4, 2.3])
    with pytest.raises(ValueError, match="param_name must be a name in the history"):
        Run.from_history(history, ["lr"], "loss")
    with pytest.raises(ValueError, match="losses must have at least one"):
        Run.from_history(ParamHistory({"lr": [0.1], "loss": [np.nan]}), "lr", "loss")


def test_a_resumed_run_needs_its_history():
    """Without the old history, the learning rates begin at the resume, but the metric begins with the run."""
    history = ParamHistory({"lr": [0.1] * 5, "loss": [np.nan] * 5 + [3.0, 2.0]})
    with pytest.raises(ValueError, match="up to 4 of 'lr' and up to 6 of 'loss': when you resume a run, load the"):
        Run.from_history(history, "lr", "loss")


def table(tmp_path, text):
    path = tmp_path / "run.csv"
    path.write_text(text)
    return path


def test_a_table(tmp_path):
    path = table(tmp_path, "step,lr,loss\n0,0.0,\n2,0.2,3.0\n4,0.2,2.5\n6,0.1,2.0\n")
    run = Run.from_csv(path)
    assert run.lrs.tolist() == pytest.approx([0, 0.1, 0.2, 0.2, 0.2, 0.15, 0.1])
    assert (run.steps.tolist(), run.losses.tolist(), run.name) == ([2, 4, 6], [3.0, 2.5, 2.0], str(path))


def test_a_table_of_a_history(tmp_path):
    history = ParamHistory({"lr": [0.1, 0.2, 0.2], "loss": [3.0, np.nan, 2.0]})
    history.to_csv(tmp_path / "run.csv")
    run = Run.from_csv(tmp_path / "run.csv")
    assert (run.steps.tolist(), run.losses.tolist(), run.lrs.tolist()) == ([0, 2], [3.0, 2.0], [0.1, 0.2, 0.2])


def test_a_table_with_groups(tmp_path):
    history = ParamHistory({"lr": [[0.1, 0.3], [0.2, 0.4]], "loss": [3.0, 2.0]})
    history.to_csv(tmp_path / "run.csv")
    assert Run.from_csv(tmp_path / "run.csv").lrs.tolist() == pytest.approx([0.2, 0.3])
    assert Run.from_csv(tmp_path / "run.csv", group=1).lrs.tolist() == [0.3, 0.4]


def test_a_table_that_begins_after_the_warmup(tmp_path):
    path = table(tmp_path, "step,lr,loss\n100,0.2,3.0\n110,0.2,2.5\n120,0.1,2.0\n")
    with pytest.raises(ValueError, match="num_warmup_events must be given, .* begin with step 100"):
        Run.from_csv(path)
    warm = Run.from_csv(path, num_warmup_events=80)
    assert warm.lrs[[0, 40, 80, 99]].tolist() == pytest.approx([0, 0.1, 0.2, 0.2])
    assert Run.from_csv(path, num_warmup_events=0).lrs[0] == 0.2
    with pytest.raises(ValueError, match="at most the first step"):
        Run.from_csv(path, num_warmup_events=101)


WRONG_TABLES = {
    "no loss": ("step,lr\n1,0.1\n", "must have the columns"),
    "empty": ("", "must have the columns"),
    "no rows": ("step,lr,loss\n", "must have a row"),
    "a text": ("step,lr,loss\n1,fast,2.0\n", "lr must be a number, given 'fast' in line 2"),
    "steps fall": ("step,lr,loss\n2,0.1,2.0\n1,0.1,2.0\n", "must rise, given 1 after 2"),
    "epochs": ("step,lr,loss\n0.5,0.1,2.0\n1.5,0.1,2.0\n", "count events, not epochs"),
    "tokens": ("step,lr,loss\n1e12,0.1,2.0\n", "not tokens or samples"),
    "a step twice": ("step,lr,loss\n2,0.1,2.0\n2,0.1,2.0\n", "given 2 after 2: keep one row for each step"),
    "no losses": ("step,lr,loss\n0,0.1,\n1,0.1,\n", "run.csv' must have a row with a loss, given none"),
    "other names": ("iteration,lr,loss\n0,0.1,2.0\n", "given 'iteration', 'lr', 'loss': rename"),
    "a negative loss": ("step,lr,loss\n0,0.1,2.0\n1,0.1,-2.0\n", "run.csv': losses must be finite and above 0"),
    "a negative learning rate": ("step,lr,loss\n0,0.1,2.0\n1,-0.1,2.0\n", "run.csv': .* learning rates from 0 to 100"),
    "one late row": ("step,lr,loss\n900,0.1,2.0\n", "num_warmup_events must be given"),
    "NaN": ("step,lr,loss\n0,0.1,2.0\n1,0.1,nan\n", "loss must be finite, given 'nan' in line 3"),
}


@for_each("case", WRONG_TABLES)
def test_wrong_tables(tmp_path, case):
    text, message = WRONG_TABLES[case]
    with pytest.raises(ValueError, match=message):
        Run.from_csv(table(tmp_path, text))


def test_a_table_that_is_no_text(tmp_path):
    path = tmp_path / "run.csv"
    path.write_bytes(b"step,lr,loss\n0,0.1,\xff\n")
    with pytest.raises(ValueError, match=r"run\.csv' must be text in UTF-8"):
        Run.from_csv(path)


def test_a_run_that_never_reaches_a_peak_has_no_losses_to_fit():
    run = Run(LinearInterpolation([(0, 0.0), (10, 1.0)]), [2, 5], [3.0, 2.0])
    assert run.fitted_steps.tolist() == [5]
