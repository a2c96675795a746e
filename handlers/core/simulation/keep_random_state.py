"""A context that restores the random state of the process after a simulation."""

import contextlib
import random
import weakref
from array import array
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from lehr.engine.type_checks_without_import import loaded_types
from lehr.handlers.schedules import Schedule

from .private_copies import PLAIN, reachable_from

# None of the code in these modules draws random numbers from the generators of the process.
WITHOUT_DRAWS = ("lehr.", "ignite.", "torch.optim.")

# Callable objects that no simulation calls, or that run no code of their own. A partial has no code of its own, and
# reachable_from also returns its function. A weak reference occurs in metrics, which refer to their engine.
NOT_CALLED = (type, partial, weakref.ReferenceType)
NOT_CALLED_OF_TORCH = ("torch.Tensor", "torch.nn.Module", "torch.optim.Optimizer")
KNOWN_CLASSES = ("lehr", "ignite", "torch", "numpy", "collections")

UNCHANGED = contextlib.nullcontext()


def random_state_kept(*simulated: object) -> contextlib.AbstractContextManager[None]:
    """Restore the random state of Python, NumPy and torch's CPU afterwards, if ``simulated`` has a user's function.

    If there is no user's function, the random state is neither read nor set. If there is a user's function, and another
    thread draws random numbers in the meantime, the same numbers are drawn again afterwards, because all threads share
    the random state.

    Args:
        simulated: the objects that the simulation calls: schedules, schedulers, and the filters of events.
    """
    is_changed = not all(map(_is_plain_formula, simulated)) and calls_user_code(simulated)
    return random_state_kept_if(is_changed)


def random_state_kept_if(is_changed: bool) -> contextlib.AbstractContextManager[None]:
    """Restore the random state of Python, NumPy and torch's CPU afterwards, if a user's function may change it."""
    return _random_state_restored() if is_changed else UNCHANGED


@contextlib.contextmanager
def _random_state_restored() -> Iterator[None]:
    import torch

    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)


def calls_user_code(thing: object) -> bool:
    """Return whether an object has a function of a user in it, or an object of a user's class.

    >>> from lehr.handlers.schedules import Anneal, FunctionSchedule
    >>> calls_user_code(Anneal(0.1, 0.0, duration=10)), calls_user_code(FunctionSchedule(abs))
    (False, True)
    """
    not_called = NOT_CALLED + loaded_types(*NOT_CALLED_OF_TORCH)
    return any(_is_user_code(part) for part in reachable_from(thing) if not isinstance(part, not_called))


def _is_plain_formula(thing: Any) -> bool:
    """Return whether an object is a schedule of lehr that contains only plain values, which is the usual case."""
    return (
        isinstance(thing, Schedule)
        and type(thing).__module__.startswith("lehr.")
        and PLAIN.issuperset(map(type, vars(thing).values()))
    )


def _is_user_code(thing: Any) -> bool:
    module = getattr(thing, "__module__", None)  # of a function, or of the class of an object
    if callable(thing):
        is_of_list = isinstance(getattr(thing, "__self__", None), list | array)  # the append of a history's column
        return not is_of_list and not str(module).startswith(WITHOUT_DRAWS)
    return module is not None and module.partition(".")[0] not in KNOWN_CLASSES
