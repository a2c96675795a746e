"""The events :class:`OptimizerEvents`, which fire at the steps of an optimizer, but not at skipped steps."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from ignite.engine import Engine, EventEnum
from torch.optim import Optimizer

from .handler_inspection import call_handlers, find_first, has_handlers, only_calls_handlers
from .values_in_errors import shown


class OptimizerEvents(EventEnum):
    """Events of an engine that fire at the steps of an optimizer, but not at skipped steps.

    - ``STEP_STARTED`` fires just before the optimizer changes its parameters. If a scheduler is attached to
      this event, the step uses the value that the scheduler writes.
    - ``STEP_COMPLETED`` fires just after the optimizer has changed its parameters.

    If a step raises an error, the next step has the same number, and a scheduler counts the two steps as one step.

    The events come from torch's own step hooks, so they fire whenever ``step()`` is called. A batch that only
    accumulates gradients fires no event. A step that a ``GradScaler`` skips fires no event, either. (A fused optimizer
    skips the step inside ``step()``. To detect this, lehr reads the optimizer's ``found_inf``, and so waits for the
    GPU.)

    To attach a scheduler, call ``scheduler.attach(engine, OptimizerEvents.STEP_STARTED)``. For other handlers, call
    :meth:`attach` first.

    Filters work as for ignite's events: ``STEP_STARTED(every=10)`` filters by the number of the step, counted from 1.
    ``engine.state.optimizer_steps`` is a list with the number of steps of each optimizer. The list is saved with the
    engine. If you load the state of an engine that was saved without this list, first add an entry
    ``"optimizer_steps"`` to the state, such as ``[0]``. While an event fires, ``engine.state.optimizer`` is the
    optimizer that makes the step, and ``engine.state.optimizer_step`` is the number of the step.

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
        """Fire the events of an engine at the steps of one or more optimizers.

        If you attach an optimizer twice, each step still fires each event only once. The events stop when you have
        removed both handles. The engine and the optimizers hold only weak references to each other.

        Args:
            engine: the engine, usually the trainer.
            optimizers: one or more torch optimizers, or wrappers whose attribute ``optimizer`` is a torch optimizer, as
                in accelerate.

        Returns:
            A handle. Its ``remove()`` removes the hooks, but keeps the counts.

        Raises:
            TypeError: ``engine`` is not an engine; an optimizer is not a torch optimizer.
            ValueError: there is no optimizer.
        """
        if not isinstance(engine, Engine):
            raise TypeError(f"engine must be an ignite Engine, given {shown(engine)}")
        if not optimizers:
            raise ValueError("optimizers must contain at least one optimizer, given none")
        found = [wrapped_optimizer(optimizer) for optimizer in optimizers]
        for at, (optimizer, given) in enumerate(zip(found, optimizers, strict=True)):
            if not isinstance(optimizer, Optimizer):
                raise TypeError(f"optimizers[{at}] must be a torch optimizer, given {shown(given)}")
            if not _has_hooks(optimizer):
                raise TypeError(
                    f"optimizers[{at}] must be a torch optimizer, or a wrapper whose attribute 'optimizer' is a torch "
                    f"optimizer, given {shown(given)}"
                )
        _register_events(engine)
        return StepsHandle([_hooks_of(engine, optimizer) for optimizer in found])


def wrapped_optimizer(optimizer: Any) -> Any:
    """Return the torch optimizer inside a wrapper, such as a wrapper of accelerate. Return other objects unchanged."""
    for _ in range(10):
        inner = getattr(optimizer, "optimizer", None)
        if _has_hooks(optimizer) or inner is None:
            break
        optimizer = inner
    return optimizer


def _has_hooks(optimizer: object) -> bool:
    """Return whether an object is a torch optimizer with hooks. A wrapper may be an ``Optimizer`` without hooks."""
    return isinstance(optimizer, Optimizer) and hasattr(optimizer, "_optimizer_step_pre_hooks")


def is_step_event(event: object) -> bool:
    """Return whether an event, with or without a filter, is one of :class:`OptimizerEvents`."""
    # Compare names here, because ``==`` between two events looks up both names and takes longer.
    return getattr(event, "name", event) in ("STEP_STARTED", "STEP_COMPLETED")


def steps_of(engine: Engine, optimizer: Optimizer) -> int | None:
    """Return how many steps of an optimizer an engine has counted; None if the optimizer is not attached."""
    hooks = _HOOKS[engine].get(optimizer) if engine in _HOOKS else None
    return None if hooks is None else hooks.steps(engine)


def stepping_optimizers(engine: Engine) -> list[Optimizer]:
    """Return the optimizers whose steps fire the events of an engine."""
    return [optimizer for optimizer, hooks in _HOOKS.get(engine, {}).items() if hooks.are_registered]


def step_hooks(engine: Engine) -> "list[StepEventHooks]":
    """Return the hooks of all optimizers that are attached to an engine."""
    return list(_HOOKS.get(engine, {}).values())


class StepsHandle:
    """A handle that removes the hooks which :meth:`OptimizerEvents.attach` has registered."""

    def __init__(self, hooks: "list[StepEventHooks]") -> None:
        self._hooks = hooks
        for one in hooks:
            one.register()

    def remove(self) -> None:
        """Remove the hooks from the optimizers. A second call does nothing."""
        for one in self._hooks:
            one.remove()
        self._hooks = []

    def __enter__(self) -> "StepsHandle":
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class StepEventHooks:
    """The hooks of one optimizer, which fire the events of one engine.

    The hooks hold only weak references to the engine and the optimizer.

    Args:
        engine: the engine.
        optimizer: the optimizer.
        position: the position of the optimizer's count in ``engine.state.optimizer_steps``.
    """

    def __init__(self, engine: Engine, optimizer: Optimizer, position: int) -> None:
        self._engine, self._optimizer, self._position = weakref.ref(engine), weakref.ref(optimizer), position
        self._handles: list[Any] = []
        self._users = 0
        self._in_step = False  # whether a step has started but has not completed, for example because of an error
        weakref.finalize(engine, self._remove_all).atexit = False

    @property
    def are_registered(self) -> bool:
        """Whether the hooks are registered, so that the steps fire events."""
        return bool(self._handles)

    def steps(self, engine: Engine) -> int:
        """Return how many steps of the optimizer the engine has counted."""
        # ``vars(state)`` would make CPython store the attributes in a dict, which would slow down the run by 10%.
        state: Any = engine.state
        counts: list[int] = state.optimizer_steps
        return counts[self._position] if self._position < len(counts) else 0

    def register(self) -> None:
        """Register the hooks with the optimizer if they are not registered yet, and add one to the number of users."""
        optimizer = self._optimizer()
        if not self._handles and optimizer is not None:
            self._handles = [
                optimizer.register_step_pre_hook(self._started),
                optimizer.register_step_post_hook(self._completed),
            ]
        self._users += 1

    def remove(self) -> None:
        """Subtract one from the number of users, and remove the hooks if the number is 0."""
        self._users -= 1
        if self._users == 0:
            self._remove_all()

    def _remove_all(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _started(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        engine = self._engine()
        again = self._in_step
        self._in_step = engine is not None and not _is_skipped(optimizer)
        if engine is not None and self._in_step:
            self._fire(engine, OptimizerEvents.STEP_STARTED, self.steps(engine) + 1, again)

    def _completed(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        engine = self._engine()
        if engine is None or not self._in_step:
            return
        self._in_step = False
        state: Any = engine.state
        counts = list(state.optimizer_steps)  # a copy, because a saved state may contain the list itself
        if len(counts) <= self._position:
            counts += [0] * (self._position + 1 - len(counts))
        counts[self._position] += 1
        state.optimizer_steps = counts  # set before the event, because a handler may save the engine
        self._fire(engine, OptimizerEvents.STEP_COMPLETED, counts[self._position])

    def _fire(self, engine: Engine, event: OptimizerEvents, step: int, again: bool = False) -> None:
        state: Any = engine.state
        outer, only_handlers = state.optimizer, only_calls_handlers(engine)
        if only_handlers and not has_handlers(engine, event):
            if outer is None:
                state.optimizer_step = step
            return
        outer_step, outer_again = state.optimizer_step, state.optimizer_step_again
        state.optimizer, state.optimizer_step, state.optimizer_step_again = self._optimizer(), step, again
        last = engine.last_event_name  # ignite reads this name to find out whether an epoch has just started
        try:
            _fire_event(engine, event, only_handlers)
        finally:
            engine.last_event_name = last
            state.optimizer, state.optimizer_step_again = outer, outer_again
            if outer is not None:  # this optimizer makes a step within a step of another optimizer
                state.optimizer_step = outer_step


# The function that fires an event within a compiled step. It is constructed when it is first needed, because the import
# of torch's compiler takes long.
_FIRE_UNCOMPILED: list[Callable[[Engine, OptimizerEvents], None]] = []


def _fire_event(engine: Engine, event: OptimizerEvents, only_handlers: bool) -> None:
    """Fire an event. This is a separate function because torch does not compile its caller, which has a ``try``."""
    # Within a compiled step, torch compiles this function, because the name ``torch`` occurs in its code.
    if torch.compiler.is_compiling():
        _fire_uncompiled(engine, event)
    elif only_handlers:
        call_handlers(engine, event)
    else:
        engine.fire_event(event)


def _fire_uncompiled(engine: Engine, event: OptimizerEvents) -> None:
    """Fire an event within a compiled step. The handlers are not compiled, because they differ from event to event."""
    if not _FIRE_UNCOMPILED:
        fire: Any = torch.compiler.disable(lambda engine, event: engine.fire_event(event))  # type: ignore[no-untyped-call]
        _FIRE_UNCOMPILED.append(fire)
    _FIRE_UNCOMPILED[0](engine, event)


_HOOKS: weakref.WeakKeyDictionary[Engine, weakref.WeakKeyDictionary[Optimizer, StepEventHooks]]
_HOOKS = weakref.WeakKeyDictionary()
# The number of optimizers that were ever attached to an engine, including optimizers that have been deleted.
_ATTACHED: weakref.WeakKeyDictionary[Engine, int] = weakref.WeakKeyDictionary()


def _hooks_of(engine: Engine, optimizer: Optimizer) -> StepEventHooks:
    hooks = _HOOKS.setdefault(engine, weakref.WeakKeyDictionary())
    if optimizer not in hooks:
        position = _ATTACHED.get(engine, 0)
        _ATTACHED[engine] = position + 1
        hooks[optimizer] = StepEventHooks(engine, optimizer, position)
        state: Any = engine.state
        state.optimizer_steps = [*state.optimizer_steps, *[0] * (position + 1 - len(state.optimizer_steps))]
    return hooks[optimizer]


def _register_events(engine: Engine) -> None:
    if engine.has_registered_events(OptimizerEvents.STEP_STARTED):
        return
    engine.register_events(*OptimizerEvents, event_to_attr=dict.fromkeys(OptimizerEvents, "optimizer_step"))
    find_first(engine, OptimizerEvents)
    state: Any = engine.state
    state.optimizer, state.optimizer_step_again = None, False
    state.optimizer_steps = getattr(state, "optimizer_steps", [])
    if "optimizer_steps" not in engine.state_dict_user_keys:
        engine.state_dict_user_keys.append("optimizer_steps")


def _is_skipped(optimizer: Optimizer) -> bool:
    """Return whether a fused optimizer skips this step, because a ``GradScaler`` found a non-finite gradient."""
    found_inf = getattr(optimizer, "found_inf", None)
    return found_inf is not None and isinstance(found_inf, torch.Tensor) and bool(found_inf.item())
