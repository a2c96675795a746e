"""Values that differed from those of the library that a config names. The numbers are the library's own."""

import warnings

import numpy as np
import pytest
import torch
from cases import for_each
from ignite.engine import Engine, Events

from lehr.handlers import ResumeWarning, configure_scheduler


def optimizer_of(*rates, **more):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    for key, values in more.items():
        for group, value in zip(groups, values, strict=True):
            group[key] = value
    return torch.optim.SGD(groups, lr=rates[0])


def values(config, events, rates=(0.5,), **kwargs):
    return configure_scheduler(optimizer_of(*rates), config, **kwargs).simulate(events)[:, 0]


def driven(config, losses, optimizer, epoch_length=None):
    """The learning rates of each epoch in which a validation follows."""
    rows = []

    def iteration(engine, batch):
        if engine.state.iteration % (epoch_length or 1) == 1 % (epoch_length or 1):
            rows.append([group["lr"] for group in optimizer.param_groups])
        engine.state.metrics["loss"] = losses[len(rows) - 1]

    trainer = Engine(iteration)
    given = {} if epoch_length is None else {"epoch_length": epoch_length}
    configure_scheduler(optimizer, config, **given).attach(trainer, Events.ITERATION_STARTED)
    trainer.run([None] * len(losses) * (epoch_length or 1), max_epochs=1)
    return rows


def one_cycle(top, begin, end):
    return {"type": "mmengine.OneCycleLR", "eta_max": top, "total_steps": end - begin, "begin": begin, "end": end}


RESTARTS = {"type": "mmengine.CosineRestartLR", "eta_min": 0.0}
CYCLES = {"type": "transformers.cosine_with_restarts", "num_cycles": 0}
POLYNOMIAL = {"type": "transformers.polynomial", "power": 0.0, "lr_end": 0.1}


@for_each(
    ("config", "kwargs", "expected"),
    [
        # mmengine keeps the levels of a one-cycle in the param groups, where the last constructor wins.
        (
            [one_cycle(1.0, 0, 6), one_cycle(0.1, 6, 12)],
            {},
            [0.04, 0.0994415, 0.0811746, 0.0462637, 0.0133478, 4e-07, 0.004, 0.0994415],
        ),
        (
            [one_cycle(0.1, 6, 12), one_cycle(1.0, 0, 6)],
            {},
            [0.04, 0.994415, 0.811746, 0.462637, 0.133478, 4e-06, 0.04, 0.994415],
        ),
        # The entries after it start from its initial value, 0.04.
        (
            [one_cycle(1.0, 0, 6), {**RESTARTS, "begin": 6, "end": 12, "periods": [4]}],
            {},
            [0.04, 0.994415, 0.811746, 0.462637, 0.133478, 4e-06, 0.04, 0.0341421, 0.02, 0.0058579, 0.0058579],
        ),
        # At event 0 the entries act in the order of the list, and later iterations before epochs.
        (
            [
                {"type": "mmengine.LinearLR", "start_factor": 0.5, "end": 4},
                {"type": "mmengine.PolyLR", "end": 20, "by_epoch": False, "eta_min": 0.1},
                {**RESTARTS, "end": 4, "periods": [2, 2], "restart_weights": [0.5, 1]},
            ],
            {"epoch_length": 3},
            [0.25, 0.242105, 0.234211, 0.150877, 0.147697, 0.144518, 0.5, 0.469231],
        ),
        # In epochs of one iteration too.
        (
            [
                {**RESTARTS, "eta_min": 0.05, "end": 9, "periods": [3, 6], "restart_weights": [1, 0.5]},
                {"type": "mmengine.StepLR", "step_size": 2, "gamma": 0.5, "by_epoch": False},
            ],
            {"epoch_length": 1},
            [0.5, 0.3875, 0.0979167, 0.25, 0.119976, 0.10625, 0.0520833, 0.0510417],
        ),
        # A gamma of 0 acts again after another entry has set the value.
        (
            [
                {"type": "mmengine.StepLR", "step_size": 3, "gamma": 0.0, "end": 12},
                {"type": "mmengine.CosineAnnealingLR", "end": 12, "eta_min": 0.1},
            ],
            {},
            [0.5, 0.493185, 0.473205, 0.00851642, 0.0196152, 0.0325401, 0.0205605],
        ),
        # A power of 0 is constant until the last step, and drops after it.
        (
            {**POLYNOMIAL, "num_warmup_steps": 3, "num_training_steps": 6},
            {},
            [0.0, 0.166667, 0.333333, 0.5, 0.5, 0.5, 0.5, 0.1, 0.1],
        ),
        ({**POLYNOMIAL, "num_warmup_steps": 3, "num_training_steps": 2}, {}, [0.0, 0.166667, 0.333333, 0.1, 0.1]),
        # More cycles than steps.
        ({**CYCLES, "num_cycles": 3, "num_warmup_steps": 0, "num_training_steps": 2}, {}, [0.5, 0.25, 0.0, 0.0]),
        # No cycles: the value before the decay, until the end.
        (
            {**CYCLES, "num_warmup_steps": 1, "num_training_steps": 4},
            {},
            [0.0, 0.5, 0.5, 0.5, 0.0, 0.0],
        ),
    ],
)
def test_lists_and_arguments_at_the_edge(config, kwargs, expected):
    np.testing.assert_allclose(values(config, len(expected), **kwargs), expected, rtol=1e-5)


def test_one_cycles_that_are_no_list_of_mmengines_keep_their_own_levels():
    first, second = one_cycle(1.0, 0, 6), one_cycle(0.1, 0, 6)
    alone = [values(one, 6) for one in (first, second)]
    expected = np.concatenate(alone)
    for config in (
        {"sequential": True, "schedulers": [first, second]},
        {"type": "ConcatScheduler", "schedulers": [first, second], "durations": [6]},
    ):
        assert np.array_equal(values(config, 12), expected)


def test_lr_min_of_timm_bounds_the_scaled_value():
    plateau = {"type": "timm.PlateauLRScheduler", "patience_t": 0, "decay_rate": 0.5, "mode": "min"}
    optimizer = optimizer_of(0.5, 0.5, lr_scale=[1.0, 0.5])
    rows = driven({**plateau, "lr_min": 0.1}, [1.0] * 6, optimizer)
    assert rows == [[0.5, 0.25], [0.5, 0.25], [0.25, 0.125], [0.125, 0.1], [0.1, 0.1], [0.1, 0.1]]
    optimizer = optimizer_of(0.5, 0.5, lr_scale=[1.0, 0.001])
    rows = driven({**plateau, "decay_rate": 0.01}, [1.0] * 7, optimizer)
    np.testing.assert_allclose(rows[-1], [5e-9, 5e-10], rtol=1e-12)  # a reduction by 1e-8 or less is not made


def test_a_state_of_timms_plateau_before_the_bounds_were_scaled_goes_on_with_its_values():
    plateau = {"type": "timm.PlateauLRScheduler", "patience_t": 0, "decay_rate": 0.5, "mode": "min"}
    scheduler = configure_scheduler(optimizer_of(0.5, 0.5, lr_scale=[1.0, 0.5]), plateau)
    state = scheduler.state_dict()
    state["progress"][0]["values"] = [0.125]  # one for all groups, before it is multiplied by the scales
    state["schedule"]["schedules"][0].update(eps=1e-8, min_value=0.0)
    with pytest.warns(ResumeWarning, match="eps"):
        scheduler.load_state_dict(state)
    assert scheduler.simulate(1).tolist() == [[0.125, 0.0625]]


@pytest.mark.parametrize("epoch_length", [None, 1, 3])
def test_a_warmup_before_timms_plateau_counts_epochs(epoch_length):
    plateau = {"type": "timm.PlateauLRScheduler", "patience_t": 0, "decay_rate": 0.5, "mode": "min"}
    config = {**plateau, "warmup_t": 2, "warmup_lr_init": 0.002}
    rows = driven(config, [1.0] * 6, optimizer_of(0.25), epoch_length)
    np.testing.assert_allclose(np.ravel(rows), [0.002, 0.126, 0.25, 0.25, 0.125, 0.0625])


@pytest.mark.parametrize("stop", [None, 1, 3])
@pytest.mark.parametrize("validates", [False, True])
def test_the_first_value_of_a_plateau_holds_before_its_first_metric(validates, stop):
    plateau = {"type": "timm.PlateauLRScheduler", "patience_t": 0, "decay_rate": 0.5, "mode": "min"}

    def run(epochs, state=()):
        optimizer, rows = optimizer_of(0.25), []
        scheduler = configure_scheduler(optimizer, {**plateau, "warmup_t": 2, "warmup_lr_init": 0.002})
        trainer = Engine(lambda engine, batch: rows.append(optimizer.param_groups[0]["lr"]))
        evaluator = Engine(lambda engine, batch: engine.state.metrics.update(loss=1.0))
        if validates:
            trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
            scheduler.attach(trainer, Events.EPOCH_STARTED(once=1))
            scheduler.attach(evaluator, Events.COMPLETED)
        else:
            trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: engine.state.metrics.update(loss=1.0))
            scheduler.attach(trainer, Events.EPOCH_STARTED(once=1) | Events.EPOCH_COMPLETED)
        for one, saved in zip((optimizer, scheduler, trainer), state, strict=False):
            one.load_state_dict(saved)
        trainer.run([0], max_epochs=epochs)
        return rows, (optimizer.state_dict(), scheduler.state_dict(), trainer.state_dict())

    rows = run(6)[0]
    if stop is not None:
        before, state = run(stop)
        rows = before + run(6, state)[0]
    np.testing.assert_allclose(rows, [0.002, 0.126, 0.25, 0.25, 0.125, 0.0625])


def test_mmagics_plateau_reduces_before_the_entries_after_it():
    plateau = {"type": "mmagic.ReduceLR", "patience": 0, "factor": 0.5, "min_lr": 0.3}
    halved = {"type": "mmengine.StepLR", "step_size": 3, "gamma": 0.5}
    before = driven([plateau, halved], [1.0] * 5, optimizer_of(0.5))
    after = driven([halved, plateau], [1.0] * 5, optimizer_of(0.5))
    assert np.ravel(before).tolist() == [0.5, 0.5, 0.3, 0.15, 0.3]
    assert np.ravel(after).tolist() == [0.5, 0.5, 0.3, 0.3, 0.3]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a state from before knows no order, and is the same
        scheduler = configure_scheduler(optimizer_of(0.5), [halved, plateau])
        state = scheduler.state_dict()
        state["schedule"].pop("compared", None)
        scheduler.load_state_dict(state)
