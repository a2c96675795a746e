"""``as_torch_scheduler``: each step trains with the values that ``simulate`` returns."""

import io
import json
import sys
import types
import warnings

import pytest
import torch
from cases import for_each
from optimizers import make_optimizer
from rigs import ALL
from torch.optim import lr_scheduler as in_torch
from torch_loops import LOSSES, begun, held, in_one_optimizer, optimizer_of

from lehr.engine import ParamHistory
from lehr.handlers import (
    ConcatScheduler,
    CosineDecayScheduler,
    ExponentialScheduler,
    LinearScheduler,
    LRScheduler,
    ParamGroupScheduler,
    ReduceOnPlateauScheduler,
    ResumeWarning,
    StepStateScheduler,
    as_torch_scheduler,
)
from lehr.handlers.core.for_other_trainers import metric_driven_parts
from lehr.handlers.schedules import Anneal

EVENTS = 10
each_kind = for_each("name", in_one_optimizer)


def give(metric, observe, torch_scheduler):
    """Pass a metric if a metric drives the scheduler."""
    if metric_driven_parts(torch_scheduler.scheduler):
        observe(metric)


def trained(optimizer, scheduler, losses):
    """Return the values in the optimizer at each of its steps, in a torch loop."""
    rows = []
    for loss in losses:
        rows.append(held(optimizer))
        optimizer.step()
        give(loss, scheduler.observe, scheduler)
        scheduler.step()
    return rows


@each_kind
def test_each_step_trains_with_the_values_of_a_plain_loop(name):
    rig, other = ALL[name](), ALL[name]()
    wanted, torch_scheduler = [], as_torch_scheduler(other.scheduler)
    for loss in LOSSES:
        rig.scheduler.apply()
        wanted.append(held(optimizer_of(rig.scheduler)))
        give(
            loss, lambda metric: [part.observe(metric) for part in metric_driven_parts(rig.scheduler)], torch_scheduler
        )
    assert trained(optimizer_of(other.scheduler), torch_scheduler, LOSSES) == wanted


@each_kind
def test_a_history_has_the_values_of_each_step(name):
    scheduler, history = ALL[name]().scheduler, ParamHistory()
    optimizer, torch_scheduler = optimizer_of(scheduler), as_torch_scheduler(scheduler, history=history)
    trained(optimizer, torch_scheduler, LOSSES)
    other, plain_loop = ALL[name]().scheduler, ParamHistory()
    other.history = plain_loop
    for loss in LOSSES:
        other.apply()
        give(loss, lambda metric: [part.observe(metric) for part in metric_driven_parts(other)], torch_scheduler)
    other.apply()
    assert {name: list(column) for name, column in history.items()} == {
        name: list(column) for name, column in plain_loop.items()
    }


@each_kind
def test_a_resumed_run_has_the_values_of_the_unbroken_run(name):
    wanted = trained(*begun(name), LOSSES)
    optimizer, torch_scheduler = begun(name)
    rows, file = trained(optimizer, torch_scheduler, LOSSES[:4]), io.BytesIO()
    torch.save((optimizer.state_dict(), torch_scheduler.state_dict()), file)
    file.seek(0)
    of_optimizer, state = torch.load(file, weights_only=True)
    json.dumps(state, allow_nan=False)
    optimizer, torch_scheduler = begun(name)
    optimizer.load_state_dict(of_optimizer)
    torch_scheduler.load_state_dict(state)
    assert torch_scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
    assert rows + trained(optimizer, torch_scheduler, LOSSES[4:]) == wanted


@each_kind
def test_a_resumed_run_needs_no_state_of_the_optimizer(name):
    wanted = trained(*begun(name), LOSSES)
    optimizer, torch_scheduler = begun(name)
    rows, state = trained(optimizer, torch_scheduler, LOSSES[:4]), torch_scheduler.state_dict()
    optimizer, torch_scheduler = begun(name)
    torch_scheduler.load_state_dict(state)
    assert rows + trained(optimizer, torch_scheduler, LOSSES[4:]) == wanted


@each_kind
def test_a_metric_that_comes_after_the_step_takes_effect_at_the_next_step(name):
    wanted, history = trained(*begun(name), LOSSES), ParamHistory()
    optimizer, torch_scheduler = begun(name, history)
    torch_scheduler.warns_without_metric = False
    rows = []
    for loss in LOSSES:
        rows.append(held(optimizer))
        optimizer.step()
        torch_scheduler.step()
        give(loss, torch_scheduler.revise, torch_scheduler)
        assert torch_scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
    assert rows == wanted
    assert {len(column) for column in history.values()} == {len(LOSSES) + 1}


def test_the_history_of_a_plain_loop():
    optimizer, history = make_optimizer(lr=0.1), ParamHistory()
    schedulers = cosine(optimizer), LinearScheduler(optimizer, "momentum", start_value=0.5, end_value=0.9, duration=4)
    for scheduler in schedulers:
        scheduler.history = history
    wanted = {scheduler.param_name: scheduler.simulate(5).tolist() for scheduler in schedulers}
    for _ in range(5):
        for scheduler in schedulers:
            scheduler.apply()
    assert {name: list(column) for name, column in history.items()} == wanted
    other = cosine(optimizer)
    other.history = history
    with pytest.raises(ValueError, match="name must not be that of another scheduler's history"):
        other.apply()
    for scheduler in schedulers:
        scheduler.history = None
        scheduler.apply()
    assert len(history["lr"]) == 5
    with pytest.raises(TypeError, match="history must be a ParamHistory or None, given 3"):
        other.history = 3


def test_the_history_of_a_sequence_has_each_event_once():
    optimizer, histories = make_optimizer(lr=0.1), [ParamHistory(), ParamHistory()]
    parts = [
        as_torch_scheduler(cosine(optimizer), history=histories[0]),
        as_torch_scheduler(ExponentialScheduler(optimizer, "lr", 0.5), history=histories[1]),
    ]
    seen = rates(optimizer, in_torch.SequentialLR(optimizer, parts, [3]), 6)
    assert [[value] for value in seen] == [*histories[0]["lr"], *list(histories[1]["lr"])[:3]]


def cosine(optimizer, duration=6, **kwargs):
    return CosineDecayScheduler(optimizer, "lr", duration=duration, **kwargs)


def rates(optimizer, scheduler, steps):
    """Take steps in a torch loop, and return the learning rate of the first group at each step."""
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_in_sequential_lr_it_begins_at_its_event_0():
    optimizer = make_optimizer(lr=0.1)
    wanted = cosine(optimizer).simulate(9)[:, 0].tolist()
    first, main = in_torch.LinearLR(make_optimizer(lr=0.1), 0.1, 1.0, 3), cosine(optimizer)
    warm_up = rates(first.optimizer, first, 3)
    main = as_torch_scheduler(main)
    both = in_torch.SequentialLR(optimizer, [in_torch.LinearLR(optimizer, 0.1, 1.0, 3), main], [3])
    assert rates(optimizer, both, 12) == warm_up + wanted


def test_sequential_lr_goes_on_after_a_resume():
    def make():
        optimizer = make_optimizer(lr=0.1)
        parts = [as_torch_scheduler(cosine(optimizer)), as_torch_scheduler(ExponentialScheduler(optimizer, "lr", 0.5))]
        return optimizer, in_torch.SequentialLR(optimizer, parts, [4])

    wanted = rates(*make(), 8)
    for stop in (2, 4, 6):
        optimizer, scheduler = make()
        seen, states = rates(optimizer, scheduler, stop), (optimizer.state_dict(), scheduler.state_dict())
        optimizer, scheduler = make()
        optimizer.load_state_dict(states[0])
        scheduler.load_state_dict(states[1])
        assert seen + rates(optimizer, scheduler, 8 - stop) == wanted


def test_in_a_chain_the_next_scheduler_multiplies_its_value():
    optimizer = make_optimizer(lr=0.1)
    main = cosine(optimizer)
    wanted = [0.1, *(main.simulate(4)[1:, 0] * 0.5).tolist()]
    chain = in_torch.ChainedScheduler([as_torch_scheduler(main), in_torch.ExponentialLR(optimizer, 0.5)], optimizer)
    assert rates(optimizer, chain, 4) == wanted


@pytest.mark.parametrize("position", [0, 1])
def test_sequential_lr_is_refused_where_it_would_train_wrongly(position):
    optimizer = make_optimizer(lr=0.1)
    momentum = LinearScheduler(optimizer, "momentum", start_value=0.5, end_value=0.9, duration=8)
    plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss")
    for scheduler, rule in (
        (momentum, r"must write only 'lr', since .*, given one that writes \['momentum'\]"),
        (plateau, "must not be driven by a metric"),
    ):
        parts = [in_torch.ConstantLR(optimizer), in_torch.ConstantLR(optimizer)]
        parts[position] = as_torch_scheduler(scheduler)
        with pytest.raises(ValueError, match=rule):
            in_torch.SequentialLR(optimizer, parts, [3])


def test_lr_scheduler_can_wrap_it():
    optimizer = make_optimizer(lr=0.1)
    main = cosine(optimizer)
    wanted = main.simulate(8)
    assert LRScheduler(as_torch_scheduler(main)).simulate(8).tolist() == wanted.tolist()


def test_step_takes_a_metric_as_in_torch():
    optimizer, theirs = make_optimizer(lr=0.1), make_optimizer(lr=0.1)
    ours = as_torch_scheduler(ReduceOnPlateauScheduler(optimizer, "lr", "loss", patience=1, factor=0.5))
    peer = in_torch.ReduceLROnPlateau(theirs, patience=1, factor=0.5)
    for loss in LOSSES:
        optimizer.step()
        ours.step(torch.tensor(loss) if loss > 2 else loss)
        peer.step(loss)
        assert ours.get_last_lr() == peer.get_last_lr()


def test_a_plateau_after_a_warm_up_counts_events_and_metrics_apart():
    optimizer = make_optimizer(lr=0.1)
    warm_up = LinearScheduler(optimizer, "lr", start_value=0.0, end_value=0.1, duration=2)
    plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", patience=0, factor=0.5, initial_value=0.1)
    scheduler = as_torch_scheduler(ConcatScheduler([warm_up, plateau], [2]))
    seen = rates(optimizer, scheduler, 3)
    for loss in (1.0, 2.0):
        scheduler.observe(loss)
    assert seen + rates(optimizer, scheduler, 3) == [0.0, 0.05, 0.1, 0.1, 0.05, 0.05]


def test_without_a_metric_it_warns_once_and_keeps_the_value():
    optimizer = make_optimizer(lr=0.1)
    scheduler = as_torch_scheduler(ReduceOnPlateauScheduler(optimizer, "lr", "loss", patience=0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert rates(optimizer, scheduler, 5) == [0.1] * 5
        scheduler.state_dict()
    (warning,) = caught
    assert "has received no metric: call step(metric)" in str(warning.message)
    assert warning.filename == __file__


def test_a_metric_is_refused_if_no_metric_drives_a_schedule():
    optimizer = make_optimizer(lr=0.1)
    scheduler = as_torch_scheduler(cosine(optimizer))
    for call in (lambda: scheduler.step(0.5), lambda: scheduler.step(metrics=0.5)):
        with pytest.raises(TypeError, match=r"takes a metric only if a metric drives the scheduler, given 0\.5"):
            call()
    with pytest.raises(ValueError, match="takes a metric only if a metric drives the scheduler"):
        scheduler.observe(0.5)
    assert scheduler.last_epoch == 0


def test_torch_still_warns_of_the_wrong_order():
    optimizer = make_optimizer(lr=0.1)
    scheduler = as_torch_scheduler(cosine(optimizer))
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()


def test_it_counts_each_step_of_several_processes_once():
    optimizer = make_optimizer(lr=0.1)
    wanted = cosine(optimizer).simulate(6)[:, 0].tolist()
    scheduler = as_torch_scheduler(cosine(optimizer), num_processes=3)
    seen = []
    for _ in range(6):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for _ in range(3):
            scheduler.step()
    assert seen == wanted
    plateaus = [
        as_torch_scheduler(ReduceOnPlateauScheduler(optimizer, "lr", "loss", patience=1, factor=0.5), num_processes=n)
        for optimizer, n in ((make_optimizer(lr=0.1), 1), (make_optimizer(lr=0.1), 3))
    ]
    for loss in LOSSES:
        for plateau, times in zip(plateaus, (1, 3), strict=True):
            plateau.optimizer.step()
            for _ in range(times):
                plateau.step(loss)
        assert plateaus[0].get_last_lr() == plateaus[1].get_last_lr()
    assert plateaus[0].get_last_lr() != [0.1]
    # The run resumes with another number of processes.
    state, optimizer = scheduler.state_dict(), make_optimizer(lr=0.1)
    other = as_torch_scheduler(cosine(optimizer))
    other.load_state_dict(state)
    assert other.last_epoch == 6
    assert optimizer.param_groups[0]["lr"] == scheduler.get_last_lr()[0]


@pytest.mark.parametrize("num_processes", [None, 2])
def test_it_warns_if_accelerate_steps_once_for_each_process(monkeypatch, num_processes):
    processes = types.SimpleNamespace(num_processes=2)
    state = types.SimpleNamespace(is_initialized=lambda: True, PartialState=lambda: processes)
    monkeypatch.setitem(sys.modules, "accelerate.state", state)
    optimizer = make_optimizer(lr=0.1)
    scheduler = as_torch_scheduler(cosine(optimizer), num_processes=num_processes)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rates(optimizer, scheduler, 3)  # with split_batches=True, accelerate steps once for all processes
        assert not caught
        for _ in range(4):
            scheduler.step()
    assert [str(one.message)[:22] for one in caught] == ["accelerate calls step("] * (num_processes is None)


def test_loading_changes_no_schedule_of_the_code():
    optimizer = make_optimizer(lr=0.1)
    state = as_torch_scheduler(cosine(optimizer)).state_dict()
    optimizer = make_optimizer(lr=0.1)
    other = cosine(optimizer, duration=12)
    scheduler = as_torch_scheduler(other)
    with pytest.warns(ResumeWarning, match="the saved schedule differs"):
        scheduler.load_state_dict(state)
    assert other.schedule == Anneal(0.1, 0.0, 12, cosine(make_optimizer(lr=0.1)).schedule.curve)


def test_the_schedule_is_read_in_blocks(monkeypatch):
    sizes, values = [], Anneal.values
    monkeypatch.setattr(Anneal, "values", lambda self, indices: sizes.append(len(indices)) or values(self, indices))
    optimizer = make_optimizer(lr=0.1)
    rates(optimizer, as_torch_scheduler(LinearScheduler(optimizer, "lr", end_value=0.0, duration=200)), 200)
    assert len(sizes) < 5


def test_it_refuses_schedulers_that_it_cannot_write():
    optimizer, other = make_optimizer(lr=0.1), make_optimizer(lr=0.1)
    begun = cosine(optimizer)
    begun.apply()
    state = StepStateScheduler(1.0, 0.5, 2, "dropout")
    for given, kind, rule in (
        ([], ValueError, "schedulers must be one or more, given"),
        (3, TypeError, "schedulers must be a scheduler of a parameter of an optimizer, given 3"),
        ([cosine(optimizer), state], TypeError, r"schedulers\[1\] must be a scheduler of a parameter"),
        ([cosine(optimizer), cosine(optimizer)], ValueError, r"given several that write \['lr'\]"),
        ([cosine(optimizer), ExponentialScheduler(other, "momentum", 0.5)], ValueError, "one torch.optim.Optimizer"),
        (begun, ValueError, "must be at event 0, given <CosineDecayScheduler of 'lr' at event 1"),
    ):
        with pytest.raises(kind, match=rule):
            as_torch_scheduler(given)
    for number in (0, -1, 1.5):
        with pytest.raises(ValueError, match="num_processes must be a whole number of at least 1"):
            as_torch_scheduler(cosine(optimizer), num_processes=number)
    assert "initial_lr" not in optimizer.param_groups[0]


def test_a_state_loads_completely_or_not_at_all():
    optimizer = make_optimizer(lr=0.1)
    scheduler = as_torch_scheduler(cosine(optimizer))
    rates(optimizer, scheduler, 3)
    before = scheduler.state_dict()
    for change in ({"last_epoch": "x"}, {"_step_count": None}, {"num_processes": 0}, {"scheduler": {}}, {"more": 1}):
        with pytest.raises((TypeError, ValueError)):
            scheduler.load_state_dict({**before, **change})
    with pytest.raises(ValueError, match="must have the entries"):
        scheduler.load_state_dict({})
    assert scheduler.state_dict() == before


def test_a_scheduler_has_no_methods_of_torch_schedulers():
    optimizer = make_optimizer(lr=0.1)
    scheduler = cosine(optimizer)
    for name in ("step", "get_last_lr", "last_epoch", "base_lrs"):
        with pytest.raises(AttributeError, match=rf"has no '{name}'.* as_torch_scheduler\(scheduler\)"):
            getattr(scheduler, name)
    with pytest.raises(AttributeError, match="'CosineDecayScheduler' object has no attribute 'stepp'"):
        scheduler.stepp  # noqa: B018
    assert not hasattr(
        as_torch_scheduler(scheduler), "total_steps"
    )  # with it, accelerate would stop stepping at total_steps


def test_apply_writes_before_the_step_of_the_optimizer():
    optimizer = make_optimizer(lr=0.1)
    scheduler = cosine(optimizer)
    seen = []
    for _ in range(4):
        scheduler.apply()
        seen.append(optimizer.param_groups[0]["lr"])
    assert seen == cosine(make_optimizer(lr=0.1)).simulate(4)[:, 0].tolist()


def test_apply_at_steps_counts_the_real_steps_of_the_optimizer():
    optimizer = make_optimizer(lr=0.1)
    lr, momentum = cosine(optimizer), LinearScheduler(optimizer, "momentum", start_value=0.5, end_value=0.9, duration=4)
    history = ParamHistory()
    lr.history, handles = history, [lr.apply_at_steps(), ParamGroupScheduler([momentum]).apply_at_steps()]
    wanted = list(zip(lr.simulate(3)[:, 0].tolist(), momentum.simulate(3)[:, 0].tolist(), strict=True))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0, growth_interval=100)
    parameter, seen = optimizer.param_groups[0]["params"][0], []
    for gradient in (1.0, float("inf"), 1.0, 1.0):
        parameter.grad = torch.full_like(parameter, gradient)
        scaler.scale(torch.zeros(1))
        taken = lr.event_index
        scaler.step(optimizer)
        scaler.update()
        if lr.event_index > taken:
            seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
    assert seen == wanted
    assert history["lr"] == [[row[0]] for row in wanted]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert lr.event_index == 3
    with pytest.raises(ValueError, match=r"must write to one torch\.optim\.Optimizer, given <StepStateScheduler"):
        StepStateScheduler(1.0, 0.5, 2, "dropout").apply_at_steps()


@pytest.mark.parametrize(
    "name",
    [
        "plateau",
        "plateau of one group",
        "plateau after a warm-up",
        "metric",
        "configured: a warmed up plateau with noise",
    ],
)
def test_after_a_resume_a_first_metric_continues_from_the_saved_progress(name):
    optimizer, unbroken = begun(name)
    trained(optimizer, unbroken, LOSSES[:4])
    states = optimizer.state_dict(), unbroken.state_dict()
    other, resumed = begun(name)
    other.load_state_dict(states[0])
    resumed.load_state_dict(states[1])
    for torch_scheduler in (unbroken, resumed):
        torch_scheduler.revise(1.0)
    assert held(other) == held(optimizer)
    parts = [metric_driven_parts(one.scheduler) for one in (unbroken, resumed)]
    assert [part.state_dict() for part in parts[0]] == [part.state_dict() for part in parts[1]]
