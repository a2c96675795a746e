"""Arguments of ``step``: a metric, an epoch, or both, as in torch and in timm's training script."""

import warnings

import pytest
from optimizers import make_optimizer
from torch.optim import lr_scheduler as in_torch

from lehr.engine import ParamHistory
from lehr.handlers import (
    ConcatScheduler,
    CosineDecayScheduler,
    LinearScheduler,
    ReduceOnPlateauScheduler,
    as_torch_scheduler,
)

EPOCHS, UPDATES = 4, 3
LOSSES = [3.0, 2.0, 2.5, 1.0]


def cosine(optimizer, duration=EPOCHS * UPDATES):
    return CosineDecayScheduler(optimizer, "lr", duration=duration)


def momentum(optimizer):
    return LinearScheduler(optimizer, "momentum", start_value=0.5, end_value=0.9, duration=EPOCHS * UPDATES)


def plateau(optimizer, **kwargs):
    return ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0, **kwargs)


def timm_loop(scheduler, by_update, first_epoch=0, epochs=EPOCHS, losses=LOSSES):
    """Return the learning rate and momentum of each optimizer step in the loop of timm's training script."""
    optimizer, seen = scheduler.optimizer, []
    if first_epoch:
        scheduler.step_update(first_epoch * UPDATES) if by_update else scheduler.step(first_epoch)
    for epoch in range(first_epoch, epochs):
        for update in range(UPDATES):
            seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
            optimizer.step()
            if by_update:
                scheduler.step_update(num_updates=epoch * UPDATES + update + 1, metric=7.0)
        scheduler.step(epoch + 1, losses[epoch])
    return seen


def simulated(*schedulers, events=EPOCHS * UPDATES):
    return list(zip(*(one.simulate(events)[:, 0].tolist() for one in schedulers), strict=True))


def test_timm_counts_updates():
    optimizer, history = make_optimizer(lr=0.1), ParamHistory()
    schedulers = cosine(optimizer), momentum(optimizer)
    wanted = simulated(*schedulers)
    assert timm_loop(as_torch_scheduler(schedulers, history=history), True) == wanted
    assert history["lr"][:-1] == [[lr] for lr, _ in wanted]
    assert len(history["lr"]) == len(wanted) + 1


def test_timm_may_have_no_metric():
    optimizer = make_optimizer(lr=0.1)
    schedulers = cosine(optimizer), momentum(optimizer)
    wanted = simulated(*schedulers)
    assert timm_loop(as_torch_scheduler(schedulers), True, losses=[None] * EPOCHS) == wanted
    seen = timm_loop(as_torch_scheduler(plateau(make_optimizer(lr=0.1))), True, losses=[None] * EPOCHS)
    assert {lr for lr, _ in seen} == {0.1}


def test_timm_counts_epochs():
    optimizer = make_optimizer(lr=0.1)
    scheduler = cosine(optimizer, EPOCHS)
    wanted = [lr for (lr,) in simulated(scheduler, events=EPOCHS) for _ in range(UPDATES)]
    assert [lr for lr, _ in timm_loop(as_torch_scheduler(scheduler), False)] == wanted


@pytest.mark.parametrize("by_update", [True, False])
def test_timm_resumes_at_an_epoch(by_update):
    optimizer = make_optimizer(lr=0.1)
    scheduler = cosine(optimizer, EPOCHS * UPDATES if by_update else EPOCHS)
    adapted, whole = as_torch_scheduler(scheduler), make_optimizer(lr=0.1)
    wanted = timm_loop(as_torch_scheduler(cosine(whole, EPOCHS * UPDATES if by_update else EPOCHS)), by_update)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The epoch parameter|Detected call of")
        assert timm_loop(adapted, by_update, first_epoch=2) == wanted[2 * UPDATES :]


@pytest.mark.parametrize("by_update", [True, False])
def test_timm_gives_a_plateau_the_metric_of_each_epoch(by_update):
    optimizer = make_optimizer(lr=0.1)
    seen = timm_loop(as_torch_scheduler(plateau(optimizer)), by_update)
    assert [lr for lr, _ in seen] == [lr for lr in (0.1, 0.1, 0.1, 0.05) for _ in range(UPDATES)]


def test_timm_counts_updates_of_a_warm_up_and_epochs_of_its_plateau():
    optimizer = make_optimizer(lr=0.1)
    warm_up = LinearScheduler(optimizer, "lr", start_value=0.0, end_value=0.1, duration=4)
    main = ConcatScheduler([warm_up, plateau(optimizer, initial_value=0.1)], [4])
    seen = [lr for lr, _ in timm_loop(as_torch_scheduler(main), True)]
    assert seen == [*warm_up.simulate(4)[:, 0].tolist(), *[0.1] * 5, *[0.05] * 3]


def test_an_epoch_and_a_metric_are_not_mistaken_for_one_another():
    driven, pure = (
        as_torch_scheduler(plateau(make_optimizer(lr=0.1))),
        as_torch_scheduler(cosine(make_optimizer(lr=0.1))),
    )
    before = driven.state_dict(), pure.state_dict()
    for call, kind, rule in (
        (lambda: driven.step(0.5, 1), TypeError, r"or an epoch \(an int\) and a metric, given 0\.5 and 1"),
        (lambda: driven.step(epoch=3), TypeError, "if a metric drives the scheduler, given only epoch=3"),
        (lambda: driven.step(0.5, epoch=3), ValueError, "epoch must be 1, the next epoch, in a call .* given 3"),
        (lambda: driven.step(1, "x"), TypeError, "the metric must be a number, given 'x'"),
        (lambda: pure.step(1.0, 0.5), TypeError, r"takes a metric alone, or an epoch \(an int\)"),
        (lambda: pure.step(-1, 0.5), ValueError, "epoch must be a whole number of at least 0, given -1"),
        (lambda: pure.step(0.5), TypeError, "takes a metric only if a metric drives the scheduler, given 0.5"),
        (lambda: pure.step_update(-1), ValueError, "num_updates must be a whole number of at least 0, given -1"),
    ):  # fmt: skip
        with pytest.raises(kind, match=rule):
            call()
    assert (driven.state_dict(), pure.state_dict()) == before


def test_an_epoch_instead_of_a_metric_causes_one_warning():
    optimizer = make_optimizer(lr=0.1)
    scheduler = as_torch_scheduler(plateau(optimizer))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for epoch in range(1, 4):
            optimizer.step()
            scheduler.step(epoch)
    (warning,) = caught
    assert "step(1) passes 1 as the metric that drives the scheduler, but 1 is also the number of this call" in str(
        warning.message
    )
    assert warning.filename == __file__
    assert optimizer.param_groups[0]["lr"] == 0.025  # torch's scheduler also takes the epochs for metrics


def test_metrics_that_are_counts_cause_no_warning():
    optimizer, theirs = make_optimizer(lr=0.1), make_optimizer(lr=0.1)
    ours, peer = as_torch_scheduler(plateau(optimizer)), in_torch.ReduceLROnPlateau(theirs, factor=0.5, patience=0)
    for wrong in (50, 40, 45, 30):
        for scheduler in (ours, peer):
            scheduler.optimizer.step()
            scheduler.step(wrong)
        assert ours.get_last_lr() == peer.get_last_lr()


def test_the_epoch_that_torch_has_deprecated_goes_to_it_with_torchs_warning():
    optimizer = make_optimizer(lr=0.1)
    scheduler, theirs = as_torch_scheduler(cosine(optimizer)), make_optimizer(lr=0.1)
    peer = in_torch.CosineAnnealingLR(theirs, EPOCHS * UPDATES)
    for one in (scheduler, peer):
        one.optimizer.step()
        with pytest.warns(UserWarning, match="The epoch parameter"):
            one.step(5)
    assert scheduler.get_last_lr() == pytest.approx(peer.get_last_lr(), rel=1e-14)
    assert scheduler.last_epoch == 5
