"""What a user's function is simulated on: a copy of what is its own, and the same training."""

from functools import partial

import pytest
import torch
from optimizers import make_optimizer, make_trainer
from torch.utils.data import DataLoader

from lehr.handlers.private_copies import private_copy

SHARED = {
    "engine": make_trainer(),
    "optimizer": make_optimizer(),
    "module": torch.nn.Linear(2, 2),
    "tensor": torch.ones(3, requires_grad=True) * 2,
    "loader": DataLoader([1, 2, 3]),
}


class Holder:
    def __init__(self, held):
        self.held = held
        self.own = [1]

    def rate(self, event_index):
        return self.held, self.own


def held_by(thing):
    """The innermost thing held, and what the holder has of its own."""
    if isinstance(thing, partial):
        return thing.keywords["holder"].rate(0) if thing.keywords else thing.args[0].rate(0)
    return thing.rate(0) if isinstance(thing, Holder) else thing(0)


WAYS = {
    "attribute": lambda held: Holder(held),
    "method": lambda held: Holder(held).rate,
    "argument of a partial": lambda held: partial(max, Holder(held)),
    "keyword of a partial": lambda held: partial(max, holder=Holder(held)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shared", SHARED)
def test_a_training_is_shared_and_the_rest_is_copied(shared, way):
    original = WAYS[way](SHARED[shared])
    copied = private_copy(original)
    assert held_by(copied)[0] is SHARED[shared]
    assert held_by(copied)[1] == [1]
    assert held_by(copied)[1] is not held_by(original)[1]


@pytest.mark.parametrize(
    "container", [lambda x: [x], lambda x: (x,), lambda x: {"a": x}, lambda x: {x: 1}, lambda x: [[{1: x}]]]
)
def test_a_training_in_a_container_is_shared(container):
    model = torch.nn.Linear(2, 2)
    copied = private_copy(Holder(container(model)))
    assert copied.held == container(model)  # modules compare by identity


def test_things_that_hold_one_another_are_copied():
    first, second = Holder(None), Holder(None)
    first.held, second.held = second, first
    copied = private_copy(first)
    assert copied.held.held is copied is not first


def test_functions_are_shared():
    assert private_copy(Holder(open)).held is open


def test_what_cannot_be_copied_says_so():
    with pytest.raises(TypeError, match="cannot be simulated, since it cannot be copied: cannot pickle 'generator'"):
        private_copy(Holder(number for number in range(3)))


def test_a_copy_that_fails_otherwise_says_so():
    class Single:
        def __deepcopy__(self, memo):
            raise RuntimeError("there is only one")

    with pytest.raises(TypeError, match="cannot be simulated, since it cannot be copied: there is only one"):
        private_copy(Holder(Single()))
