"""Names of torch's schedulers that ours do not have."""

from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class NotOfTorch:
    """An attribute that a scheduler does not have, with an error that says what to use.

    By names such as ``step`` a trainer knows a scheduler of torch. It would call ours after the optimizer's step, and
    train each step with the value before. A method ``__getattr__`` would do the same, but make each event a quarter
    slower.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, scheduler: Any, owner: type) -> NoReturn:
        raise AttributeError(
            f"{owner.__name__} has no {self._name!r}, since it writes before the optimizer's step: give "
            "as_torch_scheduler(scheduler) to what calls step() after the optimizer; in your own loop, call "
            "scheduler.apply() before it",
            name=self._name,
            obj=scheduler,
        )


def without_torch_names(cls: type[T]) -> type[T]:
    """Let access to a name by which trainers know a scheduler of torch raise an error, for a class and its subclasses.

    A class decorator, so that type checkers report these names as missing.
    """
    for name in ("step", "get_last_lr", "last_epoch", "base_lrs"):
        attribute = NotOfTorch()
        attribute.__set_name__(cls, name)
        setattr(cls, name, attribute)
    return cls
