"""``Trial``: trial runs of a trainer without its handlers, after which the trainer and its objects are restored."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from ignite.engine import Engine, Events
from torch.optim import Optimizer

from lehr.engine.handler_inspection import unwrapped
from lehr.engine.optimizer_events import StepEventHooks, step_hooks, wrapped_optimizer
from lehr.handlers.core.attaching import AppliedAtSteps
from lehr.handlers.core.for_plans_and_cli import existing_schedulers, optimizers_of, training_step_of

from .training_snapshot import Snapshot
from .training_step_references import Search, modules_with

# The attributes of an engine, and of its state, that belong to a run.
OF_RUN: tuple[str, ...] = ("last_event_name", "should_terminate", "should_terminate_single_epoch", "should_interrupt")
OF_RUN += ("_dataloader_iter", "_init_iter", "_internal_run_generator")
OF_STATE = ("iteration", "epoch", "epoch_length", "max_epochs", "max_iters", "batch", "output", "dataloader", "times")


def is_running(engine: Engine) -> bool:
    """Return whether an engine is running now. An interrupted engine is not running."""
    run: Any = engine._internal_run_generator
    return bool(run.gi_running) if run is not None else engine._dataloader_iter is not None


def optimizers_in(trainer: Engine) -> list[Optimizer]:
    """Return the optimizers that the training step of a trainer refers to."""
    found = [wrapped_optimizer(one) for one in Search(training_step_of(trainer)).found if isinstance(one, Optimizer)]
    return list({id(one): one for one in found}.values())


class Trial:
    """A copy of the state of a trainer, from which each of several trial runs starts.

    Args:
        trainer: the engine, which must not be running.
        loader: the data.
        optimizer: an optimizer of the training step.
        to_save: further objects to restore, which have ``state_dict`` and ``load_state_dict``.
        keep_handlers: the handlers of the trainer that the trial runs call.
    """

    def __init__(
        self, trainer: Engine, loader: Any, optimizer: Optimizer, to_save: Iterable[Any], keep_handlers: Sequence[Any]
    ) -> None:
        self._trainer, self._kept, to_save = trainer, list(keep_handlers), list(to_save)
        self._run_before: Any = trainer._internal_run_generator  # not None if a run was interrupted
        state = vars(trainer.state)
        search = Search(training_step_of(trainer), loader, state, optimizer, *to_save, *keep_handlers)
        found = search.found
        self._optimizers = [wrapped_optimizer(one) for one in found if isinstance(one, Optimizer)]
        writes = set(map(id, self._optimizers))
        parameters = [param for one in self._optimizers for group in one.param_groups for param in group["params"]]
        self._snapshot = Snapshot(
            *(value for name, value in vars(trainer).items() if name != "_event_handlers"),
            *(value for name, value in state.items() if name != "dataloader"),  # it may be a list of all data
            *map(vars, step_hooks(trainer)),
            *found,
            *modules_with(parameters),
            *(one for one in existing_schedulers() if optimizers_of(one) & writes),
        )
        search.save_variables(self._snapshot)
        for attributes in (state, vars(trainer), trainer._event_handlers):
            self._snapshot.save_contents(attributes)
        for thing in to_save:
            self._snapshot.save_state(thing)
        if hasattr(loader, "load_state_dict"):
            self._snapshot.save_state(loader)
        elif hasattr(loader, "__dict__"):
            self._snapshot.save_contents(vars(loader))

    def begin(self, seed: int) -> None:
        """Restore everything, seed all random generators, and make the next run begin at its first iteration."""
        self._end_run()
        self._snapshot.begin_anew(seed)
        trainer: Any = self._trainer
        fresh = Engine(training_step_of(trainer))
        for names, new, old in ((OF_RUN, fresh, trainer), (OF_STATE, fresh.state, trainer.state)):
            vars(old).update({name: vars(new)[name] for name in names if name in vars(new)})
        trainer.interrupt_resume_enabled = True
        trainer.logger = quiet_logger(trainer.logger)
        for event, handlers in list(trainer._event_handlers.items()):
            kept = [one for one in handlers if self._is_kept(unwrapped(one[0])[0])]
            trainer._event_handlers[event] = kept
            if not kept and event == Events.EXCEPTION_RAISED:
                del trainer._event_handlers[event]  # with an empty list, the engine would swallow errors
        for optimizer in self._optimizers:
            for hooks in (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks):
                for key in [key for key, hook in hooks.items() if self._is_of_others(hook)]:
                    del hooks[key]

    def restore(self) -> None:
        """Restore the state that the trainer and its objects had before the trial."""
        try:
            self._end_run()
        finally:
            self._snapshot.restore()

    def _end_run(self) -> None:
        """End an interrupted trial run, because its generator would change the trainer when Python deletes it."""
        run: Any = self._trainer._internal_run_generator
        if run is not None and run is not self._run_before and run.gi_frame is not None:
            self._trainer.terminate(skip_completed=True)
            self._trainer.run(self._trainer.state.dataloader)

    def _is_kept(self, handler: Any) -> bool:
        """Return whether trial runs call a handler, because the user named it or it is the engine's private method."""
        is_private = getattr(handler, "__name__", "").startswith("_")
        return handler in self._kept or (is_private and getattr(handler, "__self__", None) is self._trainer)

    def _is_of_others(self, hook: Any) -> bool:
        """Return whether a hook of an optimizer calls a scheduler, or the handlers of another engine."""
        owner = getattr(hook, "__self__", hook)
        is_own = owner in step_hooks(self._trainer)
        return isinstance(owner, AppliedAtSteps) or (isinstance(owner, StepEventHooks) and not is_own)


def quiet_logger(logger: logging.Logger, level: int = logging.WARNING) -> logging.Logger:
    """Return a logger that passes only messages of ``level`` or of a higher level to another logger."""
    quiet = logging.Logger(logger.name, level)
    quiet.parent = logger
    return quiet
