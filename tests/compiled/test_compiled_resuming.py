"""A state that is loaded into an optimizer whose step is compiled."""

import copy

import pytest
import torch
from compiling import EVENTS, TOLERANCE, WARM_UP, Counting, largest_difference, params_of, params_of_a_group, train
from torch.optim import SGD, AdamW

from lehr.handlers import ParamScheduler
from lehr.handlers.schedules import Anneal

# The tests run a trainer anew on purpose.
pytestmark = [
    pytest.mark.usefixtures("fresh_compiler"),
    pytest.mark.proof,
    pytest.mark.filterwarnings("ignore:.* the engine begins a run at iteration 0"),
    pytest.mark.filterwarnings("ignore:.* must be .*, but .* writes"),
]

TOTAL = WARM_UP + EVENTS
HALF = TOTAL // 2
FALL = Anneal(0.1, 0.01, TOTAL)


class Run:
    """Training with two groups that share a tensor, whose step is compiled."""

    def __init__(self, kind, lr=None):
        lr = torch.tensor(0.1) if lr is None else lr
        self.optimizer = kind([{"params": params_of_a_group(), "lr": lr} for _ in range(2)], lr=lr)
        self.scheduler = ParamScheduler(self.optimizer, "lr", schedule=FALL)
        self.backend, self.rates = Counting(), []
        self.step = torch.compile(lambda: self.optimizer.step(), backend=self.backend)
        self.attached = False

    @property
    def lr(self):
        return self.optimizer.param_groups[0]["lr"]

    def train(self, batches, warm_up=WARM_UP):
        def check(index):
            assert all(group["lr"] is self.lr for group in self.optimizer.param_groups)
            self.rates.append(float(self.lr))

        return train(self.optimizer, [self.scheduler], self.step, check, batches, warm_up)

    def saved(self):
        weights = [param.detach().clone() for param in params_of(self.optimizer)]
        return copy.deepcopy((weights, self.optimizer.state_dict(), self.scheduler.state_dict()))

    def load(self, weights, optimizer, scheduler):
        with torch.no_grad():
            for param, weight in zip(params_of(self.optimizer), weights, strict=True):
                param.copy_(weight)
        self.optimizer.load_state_dict(optimizer)
        self.scheduler.load_state_dict(scheduler)


KINDS = pytest.mark.parametrize("kind", [AdamW, pytest.param(SGD, marks=pytest.mark.proof)])


@KINDS
def test_a_run_that_is_resumed_trains_what_the_unbroken_one_does(kind):
    unbroken = Run(kind)
    expected = unbroken.train(range(TOTAL))
    assert unbroken.rates == [FALL(index) for index in range(TOTAL)]
    first = Run(kind)
    first.train(range(HALF))
    resumed = Run(kind)
    resumed.load(*first.saved())
    lr = resumed.lr
    trained = resumed.train(range(HALF, TOTAL), warm_up=1)
    assert resumed.lr is lr
    assert first.rates + resumed.rates == unbroken.rates
    assert largest_difference(trained, expected) <= TOLERANCE


@KINDS
def test_torch_replaces_the_tensor_by_a_copy_when_a_state_is_loaded_in_mid_run(kind):
    run = Run(kind)
    run.train(range(HALF))
    saved, lr = run.saved(), run.lr
    run.train(range(HALF, TOTAL), warm_up=0)
    run.load(*saved)
    assert run.lr is not lr  # so who holds the tensor does not see what is written from now on
    copied, graphs = run.lr, run.backend.graphs
    trained = run.train(range(HALF, TOTAL), warm_up=1)
    assert run.lr is copied
    assert lr.item() == FALL(TOTAL - 1)
    assert run.rates == [FALL(index) for index in (*range(TOTAL), *range(HALF, TOTAL))]
    assert largest_difference(trained, Run(kind).train(range(TOTAL))) <= TOLERANCE
    # The state of AdamW, of which there are other tensors now, is part of what its graph was compiled for.
    assert run.backend.graphs == graphs + (kind is AdamW)


def test_the_first_step_after_loading_a_state_is_compiled_again():
    run = Run(AdamW)
    run.train(range(HALF))
    run.load(*run.saved())
    with pytest.raises(RuntimeError, match="Detected recompile when torch.compile stance is 'fail_on_recompile'"):
        run.train(range(HALF, TOTAL), warm_up=0)


def test_a_state_that_was_saved_with_a_float_brings_the_float_along():
    with_float = Run(AdamW, lr=0.1)
    with_float.train(range(HALF))
    saved = with_float.saved()
    run = Run(AdamW)
    run.load(*saved)
    assert type(run.lr) is float
    lr = torch.tensor(run.lr)
    for group in run.optimizer.param_groups:
        group["lr"] = lr
    run.train(range(HALF, TOTAL), warm_up=1)
    assert run.lr is lr
    assert lr.item() == FALL(TOTAL - 1)
