"""Plans of training loops without an engine."""

import numpy as np
import pytest
from ignite.engine import Engine, Events
from optimizers import make_optimizer, make_trainer

from lehr.handlers import (
    ConcatScheduler,
    CosineDecayScheduler,
    LinearScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ReduceOnPlateauScheduler,
    check_plan,
    dry_run,
    plot_plan,
)


def two_schedulers(duration=12):
    optimizer = make_optimizer(lr=0.1)
    momentum = LinearScheduler(optimizer, "momentum", start_value=0.5, end_value=0.9, duration=duration)
    return CosineDecayScheduler(optimizer, "lr", duration=duration), momentum


def test_the_plan_has_what_the_loop_trains_with(axes):
    schedulers = two_schedulers()
    plan = dry_run(schedulers, max_epochs=3, epoch_length=4)
    optimizer, seen = schedulers[0].optimizer, []
    for _ in range(12):
        for scheduler in schedulers:
            scheduler.apply()
        seen.append([optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]])
    assert np.column_stack([plan["lr"], plan["momentum"]]).tolist() == seen
    assert plot_plan(dry_run(two_schedulers()[0], max_epochs=3, epoch_length=4), axes)


def test_steps_under_accumulation():
    scheduler = two_schedulers()[0]
    plan = dry_run([scheduler], max_epochs=3, epoch_length=4, gradient_accumulation_steps=3)
    assert plan["lr"][2::3, 0].tolist() == scheduler.simulate(4)[:, 0].tolist()


def gan(duration=20):
    """Return the schedulers of a generator and a discriminator. The generator's optimizer steps each 5th iteration."""
    of_generator, of_discriminator = (CosineDecayScheduler(make_optimizer(lr=0.1), "lr", duration) for _ in range(2))
    return [of_generator, of_discriminator], {of_generator.optimizer: 5}


def test_steps_under_accumulation_of_one_of_two_optimizers():
    schedulers, steps = gan()
    plan = dry_run(schedulers, max_epochs=5, epoch_length=4, gradient_accumulation_steps=steps)
    assert plan["lr"][4::5, 0].tolist() == schedulers[0].simulate(4)[:, 0].tolist()
    assert plan["lr"][:, 1].tolist() == schedulers[1].simulate(20)[:, 0].tolist()


@pytest.mark.parametrize("done", [1, 4, 5, 13])
def test_a_loop_of_two_optimizers_in_its_run_plans_the_rest(done):
    schedulers, steps = gan()
    whole = dry_run(schedulers, max_epochs=5, epoch_length=4, gradient_accumulation_steps=steps)
    for iteration in range(1, done + 1):
        for scheduler, every in zip(schedulers, (5, 1), strict=True):
            if iteration % every == 0:
                scheduler.apply()
    rest = dry_run(schedulers, max_epochs=5, epoch_length=4, gradient_accumulation_steps=steps)
    assert rest.start == done
    assert rest["lr"][done:].tolist() == whole["lr"][done:].tolist()


def test_a_loop_in_its_run_plans_the_rest():
    schedulers = two_schedulers()
    whole = dry_run(schedulers, max_epochs=3, epoch_length=4)
    for scheduler in schedulers:
        for _ in range(5):
            scheduler.apply()
    rest = dry_run(list(schedulers), max_epochs=3, epoch_length=4)
    assert np.isnan(rest["lr"][:5]).all()
    assert rest["lr"][5:].tolist() == whole["lr"][5:].tolist()
    assert [scheduler.event_index for scheduler in schedulers] == [5, 5]
    assert not check_plan(list(schedulers), max_epochs=3, epoch_length=4)


def test_a_mapping_names_other_events():
    optimizer = make_optimizer(lr=0.1)
    lr = ReduceOnPlateauScheduler(optimizer, "lr", "loss", patience=0, factor=0.5)
    momentum = LinearScheduler(optimizer, "momentum", start_value=0.5, end_value=0.9, duration=8)
    calls = {Events.EPOCH_COMPLETED: lr, Events.ITERATION_STARTED: [momentum]}
    plan = dry_run(calls, max_epochs=4, epoch_length=2, metrics={"loss": [2.0, 2.0, 1.0, 1.0]})
    assert plan["lr"][:, 0].tolist() == [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05]
    assert plan["momentum"].tolist() == momentum.simulate(8).tolist()


def test_mistakes_are_found_as_with_an_engine():
    optimizer = make_optimizer(lr=0.1)
    cosine, one_cycle = (
        two_schedulers(duration=1000)[0],
        OneCycleScheduler(optimizer, "lr", max_value=1.0, total_steps=12),
    )
    assert [one.code for one in check_plan(cosine, max_epochs=3, epoch_length=4)] == ["end-not-reached"]
    other = CosineDecayScheduler(optimizer, "lr", duration=12)
    codes = [one.code for one in check_plan([one_cycle, other], max_epochs=3, epoch_length=4)]
    assert "write-conflict" in codes
    assert not check_plan([*two_schedulers()], max_epochs=3, epoch_length=4)
    assert not check_plan(ParamGroupScheduler([*two_schedulers()]), max_epochs=3, epoch_length=4)


def test_metrics_that_the_loop_passes_itself_are_no_mistake():
    optimizer = make_optimizer(lr=0.1)
    warm_up = LinearScheduler(optimizer, "lr", start_value=0.01, end_value=0.1, duration=4)
    plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", initial_value=0.1)
    scheduler = ConcatScheduler([warm_up, plateau], [4])
    assert not check_plan(scheduler, max_epochs=3, epoch_length=4)
    trainer = make_trainer()
    scheduler.attach(trainer)
    assert [one.code for one in check_plan(trainer, max_epochs=3, epoch_length=4)] == ["never-observed"]


@pytest.mark.parametrize("planned", [3, None, "lr", [3], {Events.ITERATION_STARTED: 3}, Engine])
def test_anything_else_is_refused(planned):
    with pytest.raises(
        TypeError, match="trainer must be an ignite Engine, a scheduler, a list of schedulers, or a mapp"
    ):
        dry_run(planned, max_epochs=3, epoch_length=4)


@pytest.mark.parametrize("planned", [[], {}, {Events.ITERATION_STARTED: []}])
def test_no_scheduler_is_refused(planned):
    with pytest.raises(ValueError, match="trainer must have one or more schedulers, given"):
        check_plan(planned, max_epochs=3, epoch_length=4)
