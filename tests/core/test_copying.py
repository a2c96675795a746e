"""What a user's function is simulated on: a copy of what is its own, and the same training."""

from collections import deque
from functools import partial

import pytest
import torch
from cases import for_each
from optimizers import make_optimizer, make_trainer
from torch.utils.data import DataLoader

from lehr.handlers.core.simulation.private_copies import private_copy

SHARED = {
    "engine": make_trainer(),
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


@for_each("way", WAYS)
@for_each("shared", SHARED)
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


def big_optimizer():
    """Ten million parameters with a momentum each, and tensors among the hyper-parameters."""
    weight = torch.nn.Parameter(torch.zeros(10_000_000))
    rate = torch.tensor(0.5)
    optimizer = torch.optim.SGD([weight], lr=rate, momentum=0.9, foreach=False)
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    return optimizer


@pytest.mark.parametrize("way", WAYS)
def test_an_optimizer_has_a_stand_in_without_its_memory(way):
    optimizer = big_optimizer()
    original = WAYS[way](optimizer)
    stand_in = held_by(private_copy(original))[0]
    assert isinstance(stand_in, torch.optim.SGD)
    assert stand_in is not optimizer
    (group,), (own,) = stand_in.param_groups, optimizer.param_groups
    assert {**group, "params": 0} == {**own, "params": 0}
    assert group["lr"] is not own["lr"]
    group["lr"].fill_(7.0)
    assert own["lr"] == 0.5
    assert group["params"][0].device.type == "meta"
    assert group["params"][0].shape == own["params"][0].shape
    assert not stand_in.state
    assert optimizer.state


def test_a_tensor_in_a_param_group_is_copied_once_for_all_who_hold_it():
    optimizer = big_optimizer()
    holder = Holder([optimizer, optimizer.param_groups[0]["lr"]])
    stand_in, rate = private_copy(holder).held
    assert stand_in.param_groups[0]["lr"] is rate is not optimizer.param_groups[0]["lr"]


def test_a_tensor_that_is_trained_is_copied_in_a_stand_in():
    optimizer = torch.optim.SGD(
        [torch.nn.Parameter(torch.zeros(2))], lr=torch.tensor(0.5, requires_grad=True), foreach=False
    )
    stand_in = private_copy(Holder(optimizer)).held
    with torch.no_grad():
        stand_in.param_groups[0]["lr"].fill_(7.0)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_wrapped_optimizer_has_a_stand_in_with_its_groups():
    class Wrapper(torch.optim.Optimizer):
        def __init__(self, wrapped):
            self.wrapped = wrapped

        @property
        def param_groups(self):
            return self.wrapped.param_groups

    optimizer = make_optimizer(2)
    stand_in = private_copy(Holder(Wrapper(optimizer))).held
    assert [group["lr"] for group in stand_in.param_groups] == [0.5, 1.5]
    stand_in.param_groups[0]["lr"] = 7.0
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_number_that_is_a_view_of_a_large_tensor_is_copied_alone():
    copied = private_copy(Holder(torch.zeros(1_000_000)[3])).held
    assert copied.untyped_storage().nbytes() == 4


def test_tensors_are_copied_unless_they_are_trained_or_huge():
    tensors = [torch.tensor([1.0]), torch.ones(1_000_000), torch.ones(1_000_001), torch.ones(2, requires_grad=True)]
    copied = private_copy(Holder(tensors)).held
    assert [mine is theirs for mine, theirs in zip(copied, tensors, strict=True)] == [False, False, True, True]
    assert torch.equal(copied[1], tensors[1])


def test_what_stands_in_slots_and_deques_is_found():
    class Slotted:
        __slots__ = ("model",)

    model, slotted = torch.nn.Linear(2, 2), Slotted()
    slotted.model = model
    assert private_copy(Holder(slotted)).held.model is model
    assert private_copy(Holder(deque([model]))).held[0] is model


def test_kept_objects_are_not_copied():
    holder, optimizer = Holder(None), make_optimizer()
    holder.held = [holder, optimizer]
    copied = private_copy(holder.held, kept=[holder, optimizer])
    assert copied is not holder.held
    assert copied[0] is holder
    assert copied[1] is optimizer


@for_each("way", WAYS)
@for_each("shared", SHARED)
def test_what_is_replaced_is_something_else_in_the_copy(shared, way):
    original, instead = WAYS[way](SHARED[shared]), [object()]
    copied = private_copy(original, replaced=[(SHARED[shared], instead)])
    assert held_by(copied)[0] is instead
    assert held_by(original)[0] is SHARED[shared]
    assert held_by(copied)[1] == [1]
    assert held_by(copied)[1] is not held_by(original)[1]


def test_what_is_replaced_is_so_everywhere_and_is_not_looked_into():
    old = Holder(number for number in range(3))  # which could not be copied
    holder, optimizer, stand_in, new = Holder(None), make_optimizer(), make_optimizer(2), Holder(None)
    holder.held = [old, {"old": old, "optimizer": optimizer}, (holder, optimizer)]
    copied = private_copy(holder, replaced=[(old, new), (optimizer, stand_in)])
    assert copied.held[0] is copied.held[1]["old"] is new
    assert copied.held[1]["optimizer"] is copied.held[2][1] is stand_in
    assert copied.held[2][0] is copied is not holder
    assert holder.held[0] is old
    assert private_copy(holder.held[2][1], replaced=[(optimizer, stand_in)]) is stand_in


def test_some_is_kept_and_some_replaced():
    kept, old, new = Holder(None), Holder(None), Holder(None)
    copied = private_copy(Holder([kept, old, new]), kept=[kept], replaced=[(old, new)]).held
    assert copied[0] is kept
    assert copied[1] is new
    assert copied[2] is not new  # what stands in for another is itself copied where it stands
