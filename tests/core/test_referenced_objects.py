"""Which objects a training step refers to."""

import logging
from types import SimpleNamespace

import torch

from lehr.handlers.core.trials.training_step_references import Search


class Net(torch.nn.Module):
    """A user's own model."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)


class Holder:
    """A user's own object."""

    def __init__(self, **held):
        vars(self).update(held)


def step_with(holder):
    return lambda engine, batch: holder


def test_a_model_is_found_in_objects_lists_and_dictionaries_and_its_layers_are_not_found_again():
    model = Net()
    for holder in (Holder(model=model), [model], {"model": model}, Holder(inner=[Holder(models=(model,))])):
        assert Search(step_with(holder)).found == [model]


def test_objects_of_libraries_are_not_searched():
    handler, space = logging.NullHandler(), SimpleNamespace()
    handler.model = space.model = Net()
    assert Search(step_with(handler)).found == []
    assert Search(step_with(space)).found == [space.model]
