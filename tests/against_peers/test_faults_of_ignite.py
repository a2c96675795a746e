"""Where ignite 0.5.5 is wrong on torch 2.13: what it does, and that ours does not.

The reference is torch's own loop, or arithmetic. A fault that a later ignite mends fails its test here, so that the
README's table stays true.
"""

import tempfile

import matplotlib as mpl
import numpy as np
import pytest
import torch
from cases import for_each
from ignite import handlers as ignite
from ignite.engine import Engine, Events
from matplotlib import pyplot as plt
from optimizers import make_optimizer, make_trainer, values_of
from rigs import optimizer_of
from torch.optim import lr_scheduler as peer
from torch_schedulers import TORCH

import lehr.handlers as lehr

STEPS = 60


def loop_of_torch(kind, groups=1, tensor=False, steps=STEPS):
    """Construct, then step once after each optimizer step."""
    optimizer = optimizer_of(groups, tensor)
    scheduler, rates, momenta = TORCH[kind](optimizer), [], []
    for _ in range(steps):
        rates.append(values_of(optimizer))
        momenta.append(values_of(optimizer, "momentum"))
        optimizer.step()
        scheduler.step()
    return rates, momenta


def run_wrapped(library, kind, groups=1, tensor=False):
    """The same in a run of an engine that trains: the rates and momenta that each iteration trains with."""
    optimizer = optimizer_of(groups, tensor)
    rates, momenta = [], []

    def train(engine, batch):
        rates.append(values_of(optimizer))
        momenta.append(values_of(optimizer, "momentum"))
        optimizer.step()

    trainer = Engine(train)
    trainer.add_event_handler(Events.ITERATION_STARTED, library.LRScheduler(TORCH[kind](optimizer)))
    trainer.run([0] * STEPS)
    return rates, momenta


# 1. The wrapper of torch's schedulers.

# What ignite writes first, and what torch does, at a learning rate of 0.1.
FIRST_VALUES = {
    "ExponentialLR": (0.09, 0.1),
    "MultiplicativeLR": (0.095, 0.1),
    "LinearLR": (0.004, 0.02),
    "ConstantLR": (0.025, 0.05),
    "PolynomialLR": (0.1 * (30 / 31) ** 2, 0.1),
    "CosineAnnealingLR": (None, 0.1),
}


@pytest.mark.parametrize("kind", FIRST_VALUES)
def test_ignite_loses_the_first_value_of_a_torch_scheduler(kind):
    expected = loop_of_torch(kind)[0]
    theirs = run_wrapped(ignite, kind)[0]
    wrong, right = FIRST_VALUES[kind]
    assert expected[0] == [pytest.approx(right)]
    assert theirs[0] == [pytest.approx(wrong)] if wrong else theirs[0][0] > 0.1
    assert not np.allclose(theirs, expected, rtol=1e-3)
    assert run_wrapped(lehr, kind)[0] == expected


def test_ignite_scales_the_whole_of_a_linear_warm_up_by_its_start_factor():
    expected = np.array(loop_of_torch("LinearLR")[0])
    np.testing.assert_allclose(run_wrapped(ignite, "LinearLR")[0], 0.2 * expected)


def test_ignite_runs_warm_restarts_one_event_early():
    expected = loop_of_torch("CosineAnnealingWarmRestarts")[0]
    theirs = run_wrapped(ignite, "CosineAnnealingWarmRestarts")[0]
    assert theirs[:-1] == [pytest.approx(row) for row in expected[1:]]


@pytest.mark.parametrize("kind", ["SequentialLR", "ChainedScheduler"])
def test_ignite_cannot_wrap_what_has_no_formula_of_its_own(kind):
    with pytest.raises(NotImplementedError):
        run_wrapped(ignite, kind)


@for_each("tensor", [False, True], one_in=3)
@for_each("groups", [1, 3])
@for_each("kind", TORCH)
def test_a_wrapped_scheduler_gives_what_torchs_own_loop_has(kind, groups, tensor):
    assert run_wrapped(lehr, kind, groups, tensor) == loop_of_torch(kind, groups, tensor)


# 2. The plateau.


def plateau_run(library, **kwargs):
    optimizer = optimizer_of(2, tensor=False)
    evaluator = make_trainer()
    scheduler = library.ReduceLROnPlateauScheduler(optimizer, "loss", factor=0.1, patience=0, **kwargs)
    evaluator.add_event_handler(Events.COMPLETED, scheduler)
    rates = []
    for _ in range(5):
        evaluator.state.metrics = {"loss": 1.0}
        evaluator.run([0])
        rates.append(values_of(optimizer))
    return rates, scheduler


def test_ignite_drops_min_lr():
    assert plateau_run(ignite, min_lr=0.05)[0][-1] == [pytest.approx(1e-5), pytest.approx(2e-5)]
    optimizer = optimizer_of(2, tensor=False)
    scheduler = peer.ReduceLROnPlateau(optimizer, factor=0.1, patience=0, min_lr=0.05)
    expected = []
    for _ in range(5):
        scheduler.step(1.0)
        expected.append(values_of(optimizer))
    assert plateau_run(lehr, min_lr=0.05)[0] == expected
    assert expected[-1] == [0.05, 0.05]


def test_ignite_reads_min_lr_at_another_index():
    assert plateau_run(ignite, min_lr=0.15, param_group_index=1)[0][-1] == [0.1, pytest.approx(2e-5)]
    assert plateau_run(lehr, min_lr=0.15, param_group_index=1)[0][-1] == [0.1, 0.15]


def test_the_state_of_ignites_plateau_does_not_load_safely(tmp_path):
    for library in (ignite, lehr):
        torch.save(plateau_run(library)[1].state_dict(), tmp_path / f"{library.__name__}.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(tmp_path / f"{ignite.__name__}.pt", weights_only=True)
    torch.load(tmp_path / f"{lehr.__name__}.pt", weights_only=True)


# 3. The warm-up of several groups.


def warmed_up(library, end_value):
    optimizer = optimizer_of(2, tensor=False)
    scheduler = library.create_lr_scheduler_with_warmup(
        peer.ExponentialLR(optimizer, gamma=0.5), warmup_start_value=0.0, warmup_duration=3, warmup_end_value=end_value
    )
    rates = []
    for _ in range(7):
        scheduler(None)
        rates.append(values_of(optimizer))
    return rates


def test_the_peak_of_ignites_warm_up_leaks_into_the_rest_of_training():
    assert [rate for rate, _ in warmed_up(ignite, end_value=1.0)[3:6]] == pytest.approx([0.5, 0.25, 0.125])
    assert warmed_up(lehr, end_value=1.0) == [
        [0.0, 0.0],
        [0.5, 0.5],
        [1.0, 1.0],
        [0.1, 0.2],
        [0.05, 0.1],
        [0.025, 0.05],
        [0.0125, 0.025],
    ]
    assert warmed_up(lehr, end_value=None)[2:5] == [[0.1, 0.2], [0.05, 0.1], [0.025, 0.05]]


# 4. Going back, and cycles that forget (cycle_mult below 1 is in test_against_ignite.py).


def test_ignites_piecewise_linear_cannot_be_rewound():
    for library in (ignite, lehr):
        scheduler = library.PiecewiseLinear(make_optimizer(), "lr", [(0, 1.0), (4, 0.5), (8, 0.25)])
        for _ in range(8):
            scheduler(None)
        scheduler.event_index = 2
        if library is ignite:
            with pytest.raises(IndexError):
                scheduler.get_param()
        else:
            assert scheduler.get_param() == 0.75


def test_ignites_cycles_forget_how_they_began():
    values = {}
    for library in (ignite, lehr):
        scheduler = library.CosineAnnealingScheduler(make_optimizer(), "lr", 1.0, 0.0, 4, cycle_mult=2.0)
        for _ in range(6):
            scheduler(None)
        scheduler.event_index = 2
        values[library] = scheduler.get_param()
    assert values == {ignite: pytest.approx(0.8535533906), lehr: 0.5}


# 5. Loading.


def test_ignite_takes_the_configuration_from_the_state():
    for library in (ignite, lehr):
        saved = library.CosineAnnealingScheduler(make_optimizer(), "lr", 1.0, 0.0, 4)
        changed = library.CosineAnnealingScheduler(make_optimizer(), "lr", 0.1, 0.0, 4)
        if library is ignite:
            changed.load_state_dict(saved.state_dict())
            assert changed.get_param() == 1.0
        else:
            with pytest.warns(UserWarning, match=r"(?s)saved: .*start_value=1.0.*now: .*start_value=0.1"):
                changed.load_state_dict(saved.state_dict())
            assert changed.get_param() == 0.1


def test_ignite_takes_the_state_of_another_class():
    for library in (ignite, lehr):
        saved = library.CosineAnnealingScheduler(make_optimizer(), "momentum", 1.0, 0.0, 4)
        other = library.LinearCyclicalScheduler(make_optimizer(), "lr", 1.0, 0.0, 4)
        if library is ignite:
            other.load_state_dict(saved.state_dict())
            assert other.param_name == "momentum"
        else:
            with pytest.raises(ValueError, match="scheduler 'LinearCyclicalScheduler', given 'CosineAnnealingSch"):
                other.load_state_dict(saved.state_dict())


# 6. Simulation.


class SimulationError(Exception):
    """Raised in the middle of a simulation."""


def interrupted_after(events):
    asked = []

    def rate(epoch):
        asked.append(epoch)
        if len(asked) > events:
            raise SimulationError
        return 0.5**epoch

    return rate


def test_ignites_simulation_writes_the_optimizer_to_disk(monkeypatch):
    written = []
    made = tempfile.TemporaryDirectory
    monkeypatch.setattr(tempfile, "TemporaryDirectory", lambda *args: written.append(1) or made(*args))
    for library, disk in ((lehr, 0), (ignite, 1)):
        optimizer = optimizer_of(1, tensor=False)
        library.LRScheduler.simulate_values(3, peer.StepLR(optimizer, 3))
        assert len(written) == disk


def test_an_interrupted_simulation_leaves_ignites_optimizer_elsewhere():
    for library, left in ((lehr, [0.1]), (ignite, [0.0125])):
        optimizer = optimizer_of(1, tensor=False)
        scheduler = peer.LambdaLR(optimizer, interrupted_after(5))
        before = values_of(optimizer)
        with pytest.raises(SimulationError):
            library.LRScheduler.simulate_values(20, scheduler)
        assert before == [0.1]
        assert values_of(optimizer) == [pytest.approx(left[0])]
        assert scheduler.last_epoch == 0 if library is lehr else scheduler.last_epoch > 0


# 7. The history and the pictures of groups.


def grouped(library):
    optimizer = optimizer_of(2, tensor=False)
    members = [
        library.CosineAnnealingScheduler(optimizer, "lr", 1.0 + group, 0.0, 4, param_group_index=group)
        for group in range(2)
    ]
    return library.ParamGroupScheduler(members, save_history=True)


def test_groups_under_one_name_interleave_in_ignites_history():
    histories = {}
    for library in (ignite, lehr):
        trainer = make_trainer()
        trainer.add_event_handler(Events.ITERATION_STARTED, grouped(library))
        trainer.run([0] * 2)
        histories[library] = list(trainer.state.param_history["lr"])
    assert histories[ignite] == [[1.0], [2.0], [pytest.approx(0.85355339)], [pytest.approx(1.70710678)]]
    assert histories[lehr] == [[1.0, 2.0], [pytest.approx(0.85355339), pytest.approx(1.70710678)]]


def test_ignite_cannot_plot_groups():
    mpl.use("Agg")
    optimizer = optimizer_of(2, tensor=False)
    try:
        assert not hasattr(ignite.ParamGroupScheduler, "plot_values")
        assert len(lehr.ParamGroupScheduler.plot_values(5, schedulers=grouped(lehr).schedulers)) == 2
        with pytest.raises(ValueError, match="too many values to unpack"):
            ignite.LRScheduler.plot_values(5, lr_scheduler=peer.StepLR(optimizer, 3))
        assert len(lehr.LRScheduler.plot_values(5, lr_scheduler=peer.StepLR(optimizer, 3))) == 2
    finally:
        plt.close("all")


# 8. Tensors and tuples.


def test_ignite_replaces_a_tensor_by_a_float():
    for library in (ignite, lehr):
        optimizer = optimizer_of(1, tensor=True)
        tensor = optimizer.param_groups[0]["lr"]
        library.LinearCyclicalScheduler(optimizer, "lr", 1.0, 0.0, 4)(None)
        assert (optimizer.param_groups[0]["lr"] is tensor) == (library is lehr)
        assert optimizer.param_groups[0]["lr"] == 1.0


def test_ignite_cannot_schedule_betas():
    for library in (ignite, lehr):
        optimizer = make_optimizer(1, torch.optim.Adam)
        library.LinearCyclicalScheduler(optimizer, "betas[0]", 0.5, 0.0, 4)(None)
        assert optimizer.param_groups[0]["betas"] == ((0.9, 0.999) if library is ignite else (0.5, 0.999))
        assert ("betas[0]" in optimizer.param_groups[0]) == (library is ignite)
