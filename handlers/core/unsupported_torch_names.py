"""Attributes of torch's schedulers, such as ``step``, that raise an error in the schedulers of this library."""

from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class NotOfTorch:
    """An attribute that raises an error. The error says what to use instead.

    A trainer recognizes a torch scheduler by attributes such as ``step``. It would call a scheduler of this library
    after the optimizer's step, and train each step with the previous value. A method ``__getattr__`` could raise the
    error as well, but would make each event a quarter slower.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, scheduler: Any, owner: type) -> NoReturn:
        raise AttributeError(
            f"{owner.__name__} has no {self._name!r}, because it writes before the optimizer's step: if a trainer "
            "calls step() after the optimizer, give the trainer as_torch_scheduler(scheduler); in your own loop, call "
            "scheduler.apply() before the optimizer's step",
            name=self._name,
            obj=scheduler,
        )


def without_torch_names(cls: type[T]) -> type[T]:
    """Let a class and its subclasses refuse the attributes by which trainers recognize a torch scheduler.

    This is a class decorator, so that type checkers report these names as missing.
    """
    for name in ("step", "get_last_lr", "last_epoch", "base_lrs"):
        attribute = NotOfTorch()
        attribute.__set_name__(cls, name)
        setattr(cls, name, attribute)
    return cls
