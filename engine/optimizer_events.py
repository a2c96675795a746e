"""Events of an optimizer's real steps, which gradient accumulation makes fewer of and a GradScaler skips."""

import weakref
from typing import Any

import torch
from ignite.engine import Engine, EventEnum
from torch.optim import Optimizer


class OptimizerEvents(EventEnum):
    """The steps that an optimizer really makes, as events of an engine.

    - ``STEP_STARTED``: just before the optimizer changes its parameters; a scheduler attached to it writes the value
      of this very step.
    - ``STEP_COMPLETED``: just after.

    A step that raised an error is started again by the next one, which has the same number; a scheduler counts both
    together as one.

    They come from torch's own step hooks, so it does not matter who calls ``step()``: a batch that only accumulates
    gradients fires nothing, and neither does a step that a ``GradScaler`` skips, also where a fused optimizer skips it
    by itself. (To know about that one, its ``found_inf`` is read, which on a GPU waits for the device.)

    ``scheduler.attach(engine, OptimizerEvents.STEP_STARTED)`` sees to all that is needed. For other handlers call
    :meth:`attach` first.

    Filters work as for ignite's events, ``STEP_STARTED(every=10)``: they see the number of the step, from 1, which
    :meth:`attach` keeps in ``engine.state.optimizer_steps``, a list with a count for each optimizer. It is saved with
    the engine; to load the state of one that was saved without it, add the entry ``"optimizer_steps"`` to that, such as
    ``[0]``. While an event is fired, ``engine.state.optimizer`` is the optimizer whose step it is, and
    ``engine.state.optimizer_step`` the number of that step.

    Example:
        >>> from ignite.engine import create_supervised_trainer
        >>> model = torch.nn.Linear(1, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> trainer = create_supervised_trainer(
        ...     model, optimizer, torch.nn.functional.mse_loss, gradient_accumulation_steps=4
        ... )
        >>> handle = OptimizerEvents.attach(trainer, optimizer)
        >>> @trainer.on(OptimizerEvents.STEP_COMPLETED)
        ... def tell(engine):
        ...     print("iteration", engine.state.iteration, "step", engine.state.optimizer_step)
        >>> _ = trainer.run([(torch.ones(1, 1), torch.ones(1, 1))] * 9)
        iteration 4 step 1
        iteration 8 step 2
        >>> handle.remove()
    """

    STEP_STARTED = "step_started"
    STEP_COMPLETED = "step_completed"

    @staticmethod
    def attach(engine: Engine, *optimizers: Optimizer) -> "StepsHandle":
        """Fire the events of an engine at the steps of one or several optimizers.

        To attach an optimizer twice fires its events once, until both handles are removed. The optimizers do not keep
        the engine alive, nor the other way round.

        Args:
            engine: the engine, usually the trainer.
            optimizers: one or more optimizers of torch.

        Returns:
            A handle whose ``remove()`` takes the hooks off again; the counts stay.

        Raises:
            TypeError: ``engine`` is no engine, or an optimizer is none of torch's.
            ValueError: no optimizers.
        """
        if not isinstance(engine, Engine):
            raise TypeError(f"engine must be an ignite Engine, given {engine!r}")
        if not optimizers:
            raise ValueError("optimizers must be one or more, given none")
        for at, optimizer in enumerate(optimizers):
            if not isinstance(optimizer, Optimizer):
                raise TypeError(f"optimizers[{at}] must be a torch optimizer, given {optimizer!r}")
        _register_events(engine)
        return StepsHandle([_hooks_of(engine, optimizer) for optimizer in optimizers])


def is_step_event(event: object) -> bool:
    """Whether it is one of these events, with a filter or without."""
    return event == OptimizerEvents.STEP_STARTED or event == OptimizerEvents.STEP_COMPLETED


def steps_of(engine: Engine, optimizer: Optimizer) -> int | None:
    """How many steps of an optimizer have been counted for an engine; None where it is not attached."""
    attached = _HOOKS.get(engine)
    hooks = None if attached is None else attached.get(optimizer)
    return None if hooks is None else hooks.steps(engine)


def stepping_optimizers(engine: Engine) -> list[Optimizer]:
    """The optimizers whose steps an engine is told of."""
    return [optimizer for optimizer, hooks in _HOOKS.get(engine, {}).items() if hooks.is_on]


class StepsHandle:
    """Takes the hooks off again that :meth:`OptimizerEvents.attach` has put on."""

    def __init__(self, hooks: "list[StepHooks]") -> None:
        self._hooks = [weakref.ref(one) for one in hooks]
        for one in hooks:
            one.add_user()

    def remove(self) -> None:
        """Take them off; a second time does nothing."""
        for reference in self._hooks:
            if (hooks := reference()) is not None:
                hooks.remove_user()
        self._hooks = []

    def __enter__(self) -> "StepsHandle":
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class StepHooks:
    """What stands between the steps of one optimizer and the events of one engine; it keeps neither alive.

    Args:
        engine: whose events to fire.
        at: where the count of this optimizer is in ``engine.state.optimizer_steps``.
    """

    def __init__(self, engine: Engine, optimizer: Optimizer, at: int) -> None:
        self._engine, self._optimizer, self._at = weakref.ref(engine), weakref.ref(optimizer), at
        self._handles: list[Any] = []
        self._users = 0
        self._in_step = False  # a step has started and not completed: it is being made, or has failed
        weakref.finalize(engine, self._take_off).atexit = False

    @property
    def is_on(self) -> bool:
        """Whether anybody wants the events."""
        return bool(self._handles)

    def steps(self, engine: Engine) -> int:
        """How many steps it has made."""
        counts: list[int] = vars(engine.state)["optimizer_steps"]
        return counts[self._at] if self._at < len(counts) else 0

    def add_user(self) -> None:
        """One more who wants the events."""
        optimizer = self._optimizer()
        if not self._handles and optimizer is not None:
            self._handles = [
                optimizer.register_step_pre_hook(self._started),
                optimizer.register_step_post_hook(self._completed),
            ]
        self._users += 1

    def remove_user(self) -> None:
        """One less; the last one takes the hooks along."""
        self._users -= 1
        if self._users == 0:
            self._take_off()

    def _take_off(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _started(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        engine = self._engine()
        again, self._in_step = self._in_step, engine is not None and not _is_skipped(optimizer)
        if engine is not None and self._in_step:
            self._fire(engine, OptimizerEvents.STEP_STARTED, self.steps(engine) + 1, again)

    def _completed(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        engine = self._engine()
        if engine is None or not self._in_step:
            return
        self._in_step = False
        state: Any = engine.state
        counts = list(state.optimizer_steps)
        counts += [0] * (self._at + 1 - len(counts))
        counts[self._at] += 1  # before the event, at which the engine may be saved
        state.optimizer_steps = counts
        self._fire(engine, OptimizerEvents.STEP_COMPLETED, counts[self._at])

    def _fire(self, engine: Engine, event: OptimizerEvents, step: int, again: bool = False) -> None:
        state: Any = engine.state
        outer = {name: getattr(state, name) for name in ("optimizer", "optimizer_step", "optimizer_step_again")}
        state.optimizer, state.optimizer_step, state.optimizer_step_again = self._optimizer(), step, again
        last = engine.last_event_name  # ignite looks at it to tell where the data began anew
        try:
            engine.fire_event(event)
        finally:
            engine.last_event_name = last
            state.optimizer, state.optimizer_step_again = outer["optimizer"], outer["optimizer_step_again"]
            if state.optimizer is not None:  # one optimizer steps within the step of another
                state.optimizer_step = outer["optimizer_step"]


Hooks = weakref.WeakKeyDictionary[Optimizer, StepHooks]
_HOOKS: "weakref.WeakKeyDictionary[Engine, Hooks]" = weakref.WeakKeyDictionary()
_ATTACHED: "weakref.WeakKeyDictionary[Engine, int]" = weakref.WeakKeyDictionary()


def _hooks_of(engine: Engine, optimizer: Optimizer) -> StepHooks:
    hooks = _HOOKS.setdefault(engine, weakref.WeakKeyDictionary())
    if optimizer not in hooks:
        at = _ATTACHED[engine] = _ATTACHED.get(engine, -1) + 1  # optimizers that are gone keep their places
        hooks[optimizer] = StepHooks(engine, optimizer, at)
        state: Any = engine.state
        state.optimizer_steps = [*state.optimizer_steps, *[0] * (at + 1 - len(state.optimizer_steps))]
    return hooks[optimizer]


def _register_events(engine: Engine) -> None:
    if engine.has_registered_events(OptimizerEvents.STEP_STARTED):
        return
    engine.register_events(*OptimizerEvents, event_to_attr=dict.fromkeys(OptimizerEvents, "optimizer_step"))
    state: Any = engine.state
    state.optimizer, state.optimizer_step_again = None, False
    state.optimizer_steps = getattr(state, "optimizer_steps", [])
    if "optimizer_steps" not in engine.state_dict_user_keys:
        engine.state_dict_user_keys.append("optimizer_steps")


def _is_skipped(optimizer: Optimizer) -> bool:
    """Whether a GradScaler has told a fused optimizer that this step is not to be made."""
    found_inf = getattr(optimizer, "found_inf", None)
    return isinstance(found_inf, torch.Tensor) and bool(found_inf.item())
