"""Beginning again, going on, going further: what check_plan finds before a run, and what the run says."""

import copy
import inspect
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cases import for_each
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, FastaiLRFinder
from logs import logged, logging_trainer
from optimizers import make_optimizer, make_trainer, values_of
from torch.optim import lr_scheduler as peer

from lehr.engine import OptimizerEvents
from lehr.handlers import (
    ConcatScheduler,
    ConstantScheduler,
    CosineAnnealingScheduler,
    CosineDecayScheduler,
    LinearScheduler,
    LRScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    PiecewiseLinear,
    ReduceOnPlateauScheduler,
    ResumeWarning,
    StateParamScheduler,
    check_plan,
    create_lr_scheduler_with_warmup,
    dry_run,
    paused,
)
from lehr.handlers.schedules import Anneal, Constant

LENGTH = 10


@pytest.fixture
def trainer(caplog):
    return logging_trainer(caplog)


def found(trainer, *codes, epochs=4, **kwargs):
    """The findings with one of these codes."""
    return [finding for finding in check_plan(trainer, epochs, LENGTH, **kwargs) if finding.code in codes]


def run(trainer, epochs):
    """The ResumeWarnings of a run."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.run(range(LENGTH), max_epochs=epochs)
    return [str(one.message) for one in caught if issubclass(one.category, ResumeWarning)]


# Past the end.


@pytest.mark.parametrize("epochs", [4, 6], ids=["the same max_epochs", "longer"])
def test_a_run_past_the_end_of_a_schedule_is_a_finding_and_told(epochs, trainer):
    scheduler = OneCycleScheduler(make_optimizer(), "lr", 0.1, total_steps=40)
    scheduler.attach(trainer)
    assert found(trainer, "past-end", "not-reset") == []
    assert run(trainer, 4) == []
    (finding,) = found(trainer, "past-end", "not-reset", epochs=epochs)
    assert (finding.code, finding.severity) == ("past-end", "warning")
    assert finding.numbers == {"event_index": 40, "length": 40.0, "value": pytest.approx(4e-7), "highest": 0.1}
    (message,) = run(trainer, epochs)
    assert "all events of the engine's run are past the end of the schedule: they write 4e-07" in message
    assert "call seek(0)" in message


@pytest.mark.parametrize(
    ("make", "is_fault"),
    [
        (lambda o: peer.LinearLR(o, 1.0, 0.0, total_iters=40), True),
        (lambda o: peer.PolynomialLR(o, total_iters=40), True),
        (lambda o: peer.SequentialLR(o, [peer.ConstantLR(o), peer.PolynomialLR(o, total_iters=30)], [10]), True),
        (lambda o: create_lr_scheduler_with_warmup(peer.PolynomialLR(o, total_iters=30), 0.0, 10), True),
        (lambda o: peer.LinearLR(o, 0.1, 1.0, total_iters=10), False),
        (lambda o: peer.CosineAnnealingLR(o, 40), False),  # rises again
        (lambda o: peer.StepLR(o, 1, 0.1), False),  # has no end
        (lambda o: peer.LambdaLR(o, lambda index: 1e-6), False),
    ],
)
def test_a_run_past_the_end_of_a_scheduler_of_torch_is_a_finding_and_told(make, is_fault, trainer):
    made = make(make_optimizer(2))
    (made if isinstance(made, ConcatScheduler) else LRScheduler(made)).attach(trainer)
    assert run(trainer, 4) == []
    assert len(found(trainer, "past-end", epochs=6)) == is_fault
    assert ["past the end of the schedule" in message for message in run(trainer, 6)] == [True] * is_fault


@pytest.mark.parametrize(
    "make",
    [
        lambda o: PiecewiseLinear(o, "lr", [(0, 0.0), (20, 0.5)]),
        lambda o: CosineAnnealingScheduler(o, "lr", 0.1, 0.0, 20),
        lambda o: LinearScheduler(o, "lr", 20, start_value=0.1, end_value=0.01),
        lambda o: CosineDecayScheduler(o, "momentum", 20, start_value=0.9),
        lambda o: ParamGroupScheduler(
            [LinearScheduler(o, "lr", 20, param_group_index=0), ConstantScheduler(o, "lr", 0.1, param_group_index=1)],
            ["body", "head"],
        ),
    ],
    ids=["a warm-up, then hold", "cycles", "a floor", "no learning rate", "a group that freezes"],
)
def test_a_longer_run_after_an_end_that_is_meant_is_no_fault(make, trainer):
    make(make_optimizer(2)).attach(trainer)
    assert run(trainer, 4) == []
    assert found(trainer, "past-end", "not-reset", epochs=6) == []
    assert run(trainer, 6) == []


def test_a_run_that_begins_anew_without_its_scheduler_is_a_finding_and_told_once(trainer):
    scheduler = CosineDecayScheduler(make_optimizer(), "lr", 1000)
    scheduler.attach(trainer)
    assert run(trainer, 2) == []
    (finding,) = found(trainer, "past-end", "not-reset", epochs=2)
    assert (finding.code, finding.severity, finding.numbers) == ("not-reset", "warning", {"event_index": 20})
    (message,) = run(trainer, 2)
    assert "is at event 20, and the engine begins a run at iteration 0" in message
    assert run(trainer, 2) == []


def test_a_scheduler_of_the_next_fold_is_told_of_while_the_trainer_of_the_fold_before_exists(caplog):
    scheduler, trainers = CosineDecayScheduler(make_optimizer(), "lr", 1000), []
    for count in (0, 20, 40):
        trainers.append(logging_trainer(caplog))
        scheduler.attach(trainers[-1])
        assert [one.numbers for one in found(trainers[-1], "not-reset", epochs=2)] == [{"event_index": count}] * (
            count > 0
        )
        messages = run(trainers[-1], 2)
        assert ["begins a run at iteration 0" in message for message in messages] == [True] * (count > 0)


@pytest.mark.parametrize("index", [0, 20])
def test_seek_says_that_it_is_meant(index, trainer):
    scheduler = CosineDecayScheduler(make_optimizer(), "lr", 1000)
    scheduler.attach(trainer)
    trainer.run(range(LENGTH), max_epochs=2)
    scheduler.seek(index)
    assert found(trainer, "past-end", "not-reset", epochs=2) == []
    assert run(trainer, 2) == []


def test_the_runs_of_an_evaluator_are_no_fault(trainer):
    evaluator = make_trainer()
    evaluator.add_event_handler(Events.COMPLETED, lambda engine: engine.state.metrics.update(loss=1.0))
    ReduceOnPlateauScheduler(make_optimizer(), "lr", "loss").attach(evaluator, Events.COMPLETED)
    CosineDecayScheduler(make_optimizer(), "momentum", 1000).attach(evaluator)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0, 0]))
    assert run(trainer, 4) == []
    ReduceOnPlateauScheduler(make_optimizer(), "lr", "loss").attach(alone := make_trainer(), Events.COMPLETED)
    alone.add_event_handler(Events.STARTED, lambda engine: engine.state.metrics.update(loss=1.0))
    assert run(alone, 1) + run(alone, 1) == []


def test_a_plateau_on_an_evaluator_that_goes_on_in_a_new_run_of_the_trainer_is_a_finding_and_told_once(trainer):
    optimizer, evaluator = make_optimizer(lr=1.0), make_trainer()
    evaluator.add_event_handler(Events.COMPLETED, lambda engine: engine.state.metrics.update(loss=1.0))
    plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)
    plateau.attach(evaluator, Events.COMPLETED)
    before = copy.deepcopy([plateau.state_dict(), optimizer.state_dict()])
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
    evaluator.run([0])  # before training
    assert found(trainer, "not-reset", epochs=2, metrics={"loss": [1.0] * 2}) == []
    assert run(trainer, 2) == []
    (finding,) = found(trainer, "not-reset", epochs=2, metrics={"loss": [1.0] * 2})
    assert finding.numbers == {"event_index": 3}
    (message,) = run(trainer, 2)
    assert "the engine that runs this one has begun a run at iteration 0" in message
    assert "load the states that it and its optimizer had before its first event" in message
    assert run(trainer, 2) == []
    plateau.load_state_dict(before[0])
    optimizer.load_state_dict(before[1])
    assert found(trainer, "not-reset", epochs=2, metrics={"loss": [1.0] * 2}) == []
    assert run(trainer, 2) == []
    assert values_of(optimizer) == [0.5]  # as after the first run without the evaluation before it


def test_one_scheduler_of_two_trainers_counts_the_events_of_both_and_that_is_no_fault():
    scheduler, trainers = CosineDecayScheduler(make_optimizer(), "lr", 1000), [make_trainer(), make_trainer()]
    for trainer in trainers:
        scheduler.attach(trainer)
    for epochs in (1, 2):
        for trainer in trainers:
            assert run(trainer, epochs) == []
    assert [found(trainer, "not-restored", "not-reset") for trainer in trainers] == [[], []]


# keep_fraction.


def resumed(policy, epoch_length, iteration):
    """A run of 2 epochs of 10 iterations, saved after the first, goes on with 2 epochs of 6."""
    saved = LinearScheduler(make_optimizer(lr=1.0), "lr", 20, start_value=1.0)
    for _ in range(10):
        saved(None)
    optimizer, trainer = make_optimizer(lr=1.0), make_trainer()
    scheduler = LinearScheduler(optimizer, "lr", 12, start_value=1.0)
    scheduler.attach(trainer)
    with pytest.warns(ResumeWarning, match="the saved schedule differs"):
        scheduler.load_state_dict(saved.state_dict(), policy)
    trainer.load_state_dict({"iteration": iteration, "epoch_length": epoch_length, "max_epochs": 2})
    return optimizer, trainer, scheduler


def test_keep_fraction_fits_an_engine_whose_epochs_became_shorter():
    optimizer, trainer, scheduler = resumed("keep_fraction", 6, 6)
    assert [one for one in check_plan(trainer, 2, 6) if one.code == "not-restored"] == []
    seen = []
    trainer.add_event_handler(Events.ITERATION_STARTED, lambda: seen.append(values_of(optimizer)[0]))
    trainer.run(range(6))
    np.testing.assert_allclose(seen, 1 - np.arange(6, 12) / 12)
    assert scheduler.event_index == 16
    assert "read 4 events earlier" in repr(scheduler)
    # And once more, with the shift in its state.
    optimizer, trainer, again = resumed("keep_fraction", 6, 6)
    again.load_state_dict(scheduler.state_dict())
    trainer.load_state_dict({"iteration": 12, "epoch_length": 6, "max_epochs": 3})
    assert [one for one in check_plan(trainer, 3, 6) if one.code == "not-restored"] == []
    with pytest.warns(ResumeWarning, match="past the end"):  # not of a wrong event index
        trainer.run(range(6))
    assert again.event_index == 22


def test_keep_fraction_fits_an_engine_that_counts_as_before():
    _, trainer, scheduler = resumed("keep_fraction", 10, 10)
    assert [one for one in check_plan(trainer, 2, 10) if one.code == "not-restored"] == []
    trainer.run(range(10))
    assert scheduler.event_index == 20


def test_keep_fraction_fits_an_engine_where_the_fraction_is_no_whole_event():
    def warmed_up(duration):
        cosine = CosineDecayScheduler(make_optimizer(lr=1.0), "lr", duration, start_value=1.0)
        return create_lr_scheduler_with_warmup(cosine, 0.0, duration // 3)  # one event less than duration * 4 / 3

    saved, trainer, scheduler = warmed_up(15), make_trainer(), warmed_up(30)
    for _ in range(10):
        saved(None)
    scheduler.attach(trainer)
    with pytest.warns(ResumeWarning, match="the saved schedule differs"):
        scheduler.load_state_dict(saved.state_dict(), "keep_fraction")
    trainer.load_state_dict({"iteration": 20, "epoch_length": 20, "max_epochs": 2})
    assert [one for one in check_plan(trainer, 2, 20) if one.code == "not-restored"] == []
    trainer.run(range(20))
    assert scheduler.event_index == 30


def test_the_advice_to_seek_counts_with_the_shift():
    _, trainer, scheduler = resumed("keep_fraction", 4, 4)  # the half of 8 iterations, which nothing else says
    (finding,) = [one for one in check_plan(trainer, 2, 4) if one.code == "not-restored"]
    assert "call seek(8)" in finding.suggestion
    with pytest.warns(ResumeWarning, match=r"call seek\(8\)"):
        trainer.run(range(4))
    scheduler.seek(8)
    assert scheduler.simulate(1, start=8)[0, 0] == pytest.approx(1 - 4 / 12)


def test_the_repr_shows_a_handover():
    _, _, scheduler = resumed("keep_value", 10, 10)
    assert "approached from 0.55 over 2 events from event 10 on" in repr(scheduler)


# The learning rate finder.


def finding_trainer():
    model = torch.nn.Linear(1, 1)
    optimizer, used = torch.optim.SGD(model.parameters(), lr=1e-4), []

    def step(engine, batch):
        used.append(optimizer.param_groups[0]["lr"])
        loss = model(torch.ones(1, 1)).sum() ** 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return Engine(step), model, optimizer, used


@pytest.mark.parametrize("step_mode", ["exp", "linear"])
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.filterwarnings("ignore:Run completed without loss diverging")
def test_schedulers_step_aside_while_a_finder_runs(step_mode, fails):
    trainer, model, optimizer, used = finding_trainer()
    scheduler = CosineDecayScheduler(optimizer, "lr", 50, start_value=1.0, save_history=True)
    scheduler.attach(trainer)
    by_steps = CosineDecayScheduler(optimizer, "dampening", 50, start_value=0.5)
    by_steps.attach(trainer, OptimizerEvents.STEP_STARTED)
    order = {event: list(handlers) for event, handlers in trainer._event_handlers.items()}
    finder = FastaiLRFinder()
    attach = {"num_iter": 25, "end_lr": 0.1, "step_mode": step_mode}
    with finder.attach(trainer, {"model": model, "optimizer": optimizer}, **attach) as finding:
        if fails:
            once = trainer.add_event_handler(Events.ITERATION_COMPLETED(once=5), lambda: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                finding.run(range(50))
            once.remove()
        else:
            finding.run(range(50))
    if not fails:
        assert used[1:] == finder.get_results()["lr"][: len(used) - 1]
    assert max(used) < 0.2
    assert (scheduler.event_index, by_steps.event_index) == (0, 0)
    assert not any(map(len, trainer.state.param_history.values()))
    assert trainer.state.optimizer_steps == [0]
    assert trainer.has_event_handler(scheduler)
    assert trainer.has_event_handler(by_steps)
    if fails:
        return  # the finder leaves handlers of its own behind
    left = {event: handlers for event, handlers in trainer._event_handlers.items() if handlers}
    assert left == {event: handlers for event, handlers in order.items() if handlers}
    used.clear()
    assert run(trainer, 5) == []
    assert used == scheduler.simulate(50)[:, 0].tolist()
    assert by_steps.event_index == 50


def test_paused_leaves_count_history_and_optimizer_as_they_are(trainer):
    optimizer = make_optimizer(lr=1.0)
    scheduler = CosineDecayScheduler(optimizer, "lr", 40, save_history=True)
    scheduler.attach(trainer)
    phases = PhaseScheduler(optimizer, "momentum", [Constant(0.9), Constant(0.5)])
    phases.attach(trainer, Events.EPOCH_STARTED(every=1))
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=1), phases.next_phase)
    called = []
    trainer.add_event_handler(Events.ITERATION_STARTED, lambda: called.append(1))
    with paused(trainer), paused(trainer):
        later = trainer.add_event_handler(Events.ITERATION_STARTED, lambda: called.append(2))
        assert run(trainer, 1) == []
    assert (scheduler.event_index, phases.phase, values_of(optimizer)) == (0, 0, [1.0])
    assert called == [1, 2] * LENGTH
    assert not any(map(len, trainer.state.param_history.values()))
    later.remove()
    trainer.state.max_epochs = None
    assert run(trainer, 1) == []
    assert (scheduler.event_index, phases.phase) == (LENGTH, 1)
    assert len(trainer.state.param_history["lr"]) == LENGTH


def test_paused_wants_an_engine_and_ends_after_an_error(trainer):
    scheduler = CosineDecayScheduler(make_optimizer(), "lr", 40)
    scheduler.attach(trainer)
    with pytest.raises(TypeError, match="engine must be an ignite Engine, given 3"), paused(3):
        pass
    with pytest.raises(ZeroDivisionError), paused(trainer):
        raise ZeroDivisionError
    assert run(trainer, 1) == []
    assert scheduler.event_index == LENGTH


# Checkpoints at the last iteration of an epoch.


def phased(events=None):
    optimizer, trainer = make_optimizer(), make_trainer()
    phases = PhaseScheduler(optimizer, "lr", [Constant(0.1), Anneal(1.0, 0.05, 10)], save_history=True)
    phases.attach(trainer, events or Events.ITERATION_STARTED)
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=2), phases.next_phase)
    return trainer, phases, optimizer


def test_a_phase_that_begins_at_an_epochs_end_is_not_lost_after_a_save_at_its_last_iteration():
    trainer, phases, _ = phased()
    saved = []
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED(once=20), lambda: saved.extend([trainer.state_dict(), phases.state_dict()])
    )
    trainer.run(range(LENGTH), max_epochs=4)
    expected = trainer.state.param_history["lr"][20:]
    assert saved[1]["unfinished"] == {"phases": [[0, 20]], "lost": []}
    resumed, again, _ = phased()
    resumed.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    plan = dry_run(resumed, 4, LENGTH)
    assert run(resumed, 4) == []
    assert resumed.state.param_history["lr"][:] == expected
    assert plan["lr"][20:].tolist() == expected


def test_a_state_from_between_two_iterations_or_after_an_epoch_is_as_before():
    trainer, phases, _ = phased()
    states = []
    for event in (Events.ITERATION_COMPLETED(once=5), Events.EPOCH_COMPLETED, Events.COMPLETED):
        trainer.add_event_handler(event, lambda: states.append(phases.state_dict()))
    trainer.run(range(LENGTH), max_epochs=3)
    states.append(phases.state_dict())
    assert [state for state in states if "unfinished" in state] == []


@pytest.mark.parametrize("event", [Events.EPOCH_COMPLETED, Events.ITERATION_COMPLETED | Events.EPOCH_COMPLETED])
@pytest.mark.parametrize("at", [Events.ITERATION_COMPLETED(once=20), Events.EPOCH_COMPLETED(once=2)])
def test_a_phase_that_begins_after_a_saver_begins_after_the_events_that_the_saver_missed(event, at):
    def trained(states):
        optimizer, trainer, seen, saved = make_optimizer(), make_trainer(), [], []
        phases = PhaseScheduler(optimizer, "lr", [Constant(0.1), Anneal(1.0, 0.05, 10)])
        things = (trainer, phases, optimizer)
        for thing, state in zip(things, states, strict=False):
            thing.load_state_dict(state)
        trainer.add_event_handler(at, lambda: saved.extend(copy.deepcopy(one.state_dict()) for one in things))
        phases.attach(trainer, event)
        trainer.add_event_handler(Events.EPOCH_COMPLETED(once=2), phases.next_phase)
        trainer.add_event_handler(Events.ITERATION_STARTED, lambda: seen.append(values_of(optimizer)[0]))
        assert run(trainer, 4) == []
        return seen, saved

    unbroken, saved = trained([])
    assert trained(saved)[0] == unbroken[20:]


@pytest.mark.parametrize(
    "unfinished",
    [3, {}, {"phases": [[1, 20]], "lost": []}, {"phases": [[0, -1]], "lost": []}, {"phases": [], "lost": 3}],
)
def test_an_entry_of_what_is_unfinished_that_is_none_is_refused_and_nothing_loaded(unfinished):
    _, phases, _ = phased()
    before = phases.state_dict()
    with pytest.raises((TypeError, ValueError), match="must be|must have"):
        phases.load_state_dict({**before, "event_index": 7, "unfinished": unfinished})
    assert phases.state_dict() == before


def test_a_phase_that_a_users_function_may_begin_after_the_saver_is_told():
    def make():
        optimizer, trainer = make_optimizer(), make_trainer()
        phases = PhaseScheduler(optimizer, "lr", [Constant(0.1), Constant(0.5)])
        phases.attach(trainer)
        saver = Checkpoint({"trainer": trainer, "phases": phases}, lambda checkpoint, *args: states.append(checkpoint))
        trainer.add_event_handler(Events.ITERATION_COMPLETED(once=20), saver)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: trainer.state.epoch == 2 and phases.next_phase())
        return trainer, phases

    states = []
    trainer, _ = make()
    (finding,) = found(trainer, "inexact-resume")
    assert "next_phase of PhaseScheduler" in finding.message
    trainer.run(range(LENGTH), max_epochs=2)
    resumed, phases = make()
    Checkpoint.load_objects({"trainer": resumed, "phases": phases}, states[0])
    (message,) = run(resumed, 4)
    assert "before other handlers of the same event passed next_phase to it" in message


def plateaued(saver_event=None, first=False, evaluate_at=Events.EPOCH_COMPLETED):
    optimizer, trainer, evaluator = make_optimizer(), make_trainer(), make_trainer()
    plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)
    evaluator.add_event_handler(Events.COMPLETED, lambda engine: engine.state.metrics.update(loss=1.0))
    plateau.attach(evaluator, Events.COMPLETED)
    states = []
    saver = Checkpoint({"trainer": trainer, "plateau": plateau}, lambda checkpoint, *args: states.append(checkpoint))
    if saver_event is not None and first:
        trainer.add_event_handler(saver_event, saver)
    trainer.add_event_handler(evaluate_at, lambda: evaluator.run([0]))
    if saver_event is not None and not first:
        trainer.add_event_handler(saver_event, saver)
    return trainer, plateau, states


EPOCH, ITERATION = Events.EPOCH_COMPLETED, Events.ITERATION_COMPLETED


@for_each(
    ("event", "first", "evaluate_at", "is_lost"),
    [
        (ITERATION(once=20), False, EPOCH, True),
        (ITERATION(once=20), False, EPOCH(every=2), True),
        (ITERATION(once=20), False, EPOCH(every=3), False),
        (ITERATION(once=20), False, ITERATION(every=10), False),
        (ITERATION(once=20), True, ITERATION(every=10), True),
        (ITERATION(once=15), True, ITERATION(every=15), True),
        (ITERATION(once=20), True, Events.EPOCH_STARTED, False),
        (EPOCH(once=2), True, EPOCH, True),
        (EPOCH(once=2), False, EPOCH, False),
    ],
)
def test_a_lost_metric_of_an_evaluator_is_told_when_the_run_resumes(event, first, evaluate_at, is_lost):
    trainer, _, states = plateaued(event, first, evaluate_at)
    assert run(trainer, 4) == []
    resumed, plateau, _ = plateaued(None, evaluate_at=evaluate_at)
    Checkpoint.load_objects({"trainer": resumed, "plateau": plateau}, states[0])
    messages = run(resumed, 6)
    assert ["passed a metric to it. The resumed run lacks" in one for one in messages] == [True] * is_lost
    if event.filter(trainer, 20) or event.filter(trainer, 2):  # the finding looks at the ends of epochs
        plan, _, _ = plateaued(event, first, evaluate_at)
        assert len(found(plan, "inexact-resume", metrics={"loss": [1.0] * 4})) == is_lost


@pytest.mark.parametrize(
    ("event", "first", "iteration"),
    [
        (Events.ITERATION_COMPLETED(every=5), False, 10),
        (Events.ITERATION_COMPLETED(every=15), False, 30),
        (Events.EPOCH_COMPLETED, True, 10),
    ],
)
def test_a_saver_whose_checkpoint_loses_a_metric_is_a_finding(event, first, iteration):
    trainer, _, _ = plateaued(event, first)
    (finding,) = found(trainer, "inexact-resume", metrics={"loss": [1.0] * 4})
    assert (finding.severity, finding.numbers) == ("warning", {"iteration": iteration})
    assert "the metric of ReduceOnPlateauScheduler" in finding.message


@pytest.mark.parametrize("event", [Events.EPOCH_COMPLETED, Events.ITERATION_COMPLETED(once=5), None])
def test_a_saver_that_comes_last_or_within_an_epoch_is_no_fault(event):
    trainer, _, _ = plateaued(event)
    assert found(trainer, "inexact-resume", metrics={"loss": [1.0] * 4}) == []


def test_a_saver_at_iterations_of_schedules_without_metrics_is_no_fault():
    trainer, phases, _ = phased()
    saver = Checkpoint({"trainer": trainer, "phases": phases}, lambda *args: None)
    trainer.add_event_handler(Events.ITERATION_COMPLETED(every=5), saver)
    assert found(trainer, "inexact-resume") == []


def test_a_lost_metric_is_told_when_the_run_resumes():
    def make():
        optimizer, trainer = make_optimizer(), make_trainer()
        plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: trainer.state.metrics.update(loss=1.0))
        plateau.attach(trainer, Events.EPOCH_COMPLETED)
        return trainer, plateau

    trainer, plateau = make()
    saved = []
    for event in (Events.ITERATION_COMPLETED(once=20), Events.EPOCH_COMPLETED(once=3)):
        trainer.add_event_handler(event, lambda: saved.append((trainer.state_dict(), plateau.state_dict())))
    trainer.run(range(LENGTH), max_epochs=4)
    for state, is_told in zip(saved, [True, False], strict=True):
        resumed, again = make()
        resumed.load_state_dict(state[0])
        again.load_state_dict(state[1])
        messages = [one for one in run(resumed, 4) if "ignite does not call these handlers again" in one]
        assert bool(messages) == is_told


@pytest.mark.parametrize("at", [Events.ITERATION_COMPLETED(once=20), Events.EPOCH_COMPLETED(once=2)])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_the_events_that_a_save_between_missed_are_made_up_exactly(at, first):
    def make():
        optimizer, trainer = make_optimizer(), make_trainer()
        schedule = LinearScheduler(optimizer, "lr", 100, save_history=True)
        saved = []
        if first:
            trainer.add_event_handler(at, lambda: saved.extend([trainer.state_dict(), schedule.state_dict()]))
        schedule.attach(trainer, Events.ITERATION_COMPLETED | Events.EPOCH_COMPLETED)
        if not first:
            trainer.add_event_handler(at, lambda: saved.extend([trainer.state_dict(), schedule.state_dict()]))
        return trainer, schedule, optimizer, saved

    trainer, schedule, optimizer, saved = make()
    trainer.run(range(LENGTH), max_epochs=4)
    resumed, again, other, _ = make()
    resumed.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    assert run(resumed, 4) == []
    assert again.event_index == schedule.event_index == 44
    assert values_of(other) == values_of(optimizer)


def test_terminate_epoch_in_a_saved_run_is_a_finding():
    trainer, _, _ = plateaued(Events.EPOCH_COMPLETED)
    assert found(trainer, "inexact-resume") == []
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=5), trainer.terminate_epoch)
    (finding,) = found(trainer, "inexact-resume")
    assert "terminate_epoch ends epochs early" in finding.message
    unsaved, _, _ = plateaued()
    unsaved.add_event_handler(Events.ITERATION_COMPLETED(once=5), lambda: unsaved.terminate_epoch())
    assert found(unsaved, "inexact-resume") == []


# Real steps.


def stepping(reverse=False):
    first, second = make_optimizer(), make_optimizer()

    def step(engine, batch):
        first.step()
        if engine.state.iteration % 5 == 0:
            second.step()

    trainer = Engine(step)
    schedulers = [ParamScheduler(one, "lr", schedule=Constant(0.1)) for one in (first, second)]
    for scheduler, name in list(zip(schedulers, "ab", strict=True))[:: -1 if reverse else 1]:
        scheduler.attach(trainer, OptimizerEvents.STEP_STARTED, name)
    return trainer, schedulers


def test_optimizers_that_were_attached_in_another_order_are_told_of():
    trainer, schedulers = stepping()
    trainer.run(range(LENGTH), max_epochs=2)
    states = [trainer.state_dict(), *(scheduler.state_dict() for scheduler in schedulers)]
    for reverse in (False, True):
        resumed, again = stepping(reverse)
        for thing, state in zip([resumed, *again], states, strict=True):
            thing.load_state_dict(state)
        messages = run(resumed, 3)
        assert len(messages) == 2 * reverse
        assert all("attach the optimizers in the order in which the saved run attached them" in one for one in messages)
        assert all("seek" not in one for one in messages)


def test_a_scheduler_of_real_steps_that_no_step_reaches_is_told_after_the_first_epoch(trainer, caplog):
    scheduler = ParamScheduler(make_optimizer(), "lr", schedule=Constant(0.1))
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED)
    trainer.run(range(LENGTH), max_epochs=1)
    assert logged(caplog) == []
    trainer.run(range(LENGTH), max_epochs=4)
    (message,) = logged(caplog)
    assert "has had no event in the first epoch: no step of its optimizer, SGD, has fired an event" in message


def test_a_state_parameter_at_real_steps_that_never_come_is_told_too(trainer, caplog):
    OptimizerEvents.attach(trainer, optimizer := make_optimizer())
    scheduler = StateParamScheduler("rate", create_new=True, schedule=Constant(0.1))
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED)
    trainer.run(range(LENGTH), max_epochs=4)
    (message,) = logged(caplog)
    assert "has had no event in the first epoch: no step of its optimizer, SGD, has fired an event" in message
    assert optimizer


def test_a_scheduler_of_real_steps_that_steps_reach_is_no_fault(caplog):
    trainer, _ = stepping()
    trainer.run(range(LENGTH), max_epochs=4)
    assert logged(caplog) == []


class Prepared(torch.optim.Optimizer):
    """A wrapper without hooks of its own, as accelerate's."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    def step(self, closure=None):
        self.optimizer.step(closure)


@pytest.mark.parametrize("wrap", [Prepared, lambda optimizer: Prepared(Prepared(optimizer)), "plain"])
def test_the_steps_of_a_wrapped_optimizer_are_those_of_the_optimizer_in_it(wrap):
    optimizer = make_optimizer()
    plain = SimpleNamespace(optimizer=optimizer, param_groups=optimizer.param_groups, step=optimizer.step)
    wrapped = plain if wrap == "plain" else wrap(optimizer)
    trainer = Engine(lambda engine, batch: wrapped.step())
    scheduler = LinearScheduler(wrapped, "lr", 10, start_value=1.0)
    scheduler.attach(trainer, OptimizerEvents.STEP_STARTED)
    trainer.run(range(LENGTH))
    assert scheduler.event_index == 10
    assert values_of(optimizer) == pytest.approx([0.1])
    assert dry_run(trainer, 1, LENGTH)["lr"].shape == (10, 1)


def test_a_wrapper_of_nothing_is_refused_with_what_to_give():
    class Empty(torch.optim.Optimizer):
        def __init__(self):
            self.param_groups = [{"lr": 0.1}]

        def __repr__(self):
            return "Empty()"

    with pytest.raises(TypeError, match="a wrapper whose attribute 'optimizer' is a torch optimizer, given Empty"):
        OptimizerEvents.attach(make_trainer(), Empty())


# max_iters.


@pytest.mark.skipif("max_iters" not in inspect.signature(Engine.run).parameters, reason="ignite 0.5.3 has no max_iters")
@pytest.mark.parametrize("max_iters", [5, 20, 27])
def test_max_iters_is_planned_and_checked(max_iters):
    optimizer, trainer, seen = make_optimizer(), make_trainer(), []
    LinearScheduler(optimizer, "lr", 30, start_value=1.0).attach(trainer)
    ParamScheduler(optimizer, "momentum", schedule=Anneal(0.9, 0.0, 10)).attach(trainer, Events.EPOCH_COMPLETED)
    trainer.add_event_handler(
        Events.ITERATION_STARTED, lambda: seen.append(values_of(optimizer) + values_of(optimizer, "momentum"))
    )
    plan = dry_run(trainer, None, LENGTH, max_iters=max_iters)
    (finding,) = [
        one for one in check_plan(trainer, None, LENGTH, max_iters=max_iters)
        if one.code == "end-not-reached" and "LinearScheduler" in one.where
    ]  # fmt: skip
    assert finding.numbers["events"] == max_iters
    trainer.run(range(LENGTH), max_iters=max_iters)
    assert plan.num_iterations == max_iters
    assert np.column_stack([plan["lr"], plan["momentum"]]).tolist() == seen
    assert str(plan).startswith(f"a plan of {max_iters} iterations")


def test_metrics_of_whole_epochs_fit_max_iters(trainer):
    plateau = ReduceOnPlateauScheduler(make_optimizer(lr=1.0), "lr", "loss", factor=0.5, patience=0)
    plateau.attach(trainer, Events.EPOCH_COMPLETED)
    plan = dry_run(trainer, None, LENGTH, {"loss": [1.0, 1.0]}, max_iters=27)
    assert plan["lr"][[19, 20, 26], 0].tolist() == [1.0, 0.5, 0.5]


def test_max_iters_and_max_epochs_are_not_given_together(trainer):
    for call in (dry_run, check_plan):
        with pytest.raises(ValueError, match="max_epochs must be None if max_iters is set, given 4 and 40"):
            call(trainer, 4, LENGTH, max_iters=40)
        with pytest.raises(TypeError, match="max_epochs must be a number, given None"):
            call(trainer, None, LENGTH)
        with pytest.raises(ValueError, match="max_iters must be a whole number of at least 1, given 0"):
            call(trainer, None, LENGTH, max_iters=0)
