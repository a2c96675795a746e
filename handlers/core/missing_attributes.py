"""The error of an attribute that a scheduler does not have."""

# Names by which trainers know a torch scheduler. With these, a trainer would take a scheduler for one, call it after
# the optimizer's step, and train each step with the value before.
TORCH_NAMES = ("step", "get_last_lr", "last_epoch", "base_lrs")


def missing_attribute(scheduler: object, name: str) -> AttributeError:
    """The error where a scheduler is asked for an attribute that it does not have."""
    kind = type(scheduler).__name__
    if name not in TORCH_NAMES:
        return AttributeError(f"{kind!r} object has no attribute {name!r}", name=name, obj=scheduler)
    return AttributeError(
        f"{kind} has no {name!r}, since it writes before the optimizer's step: give as_torch_scheduler(scheduler) to "
        "what calls step() after the optimizer; in your own loop, call scheduler.apply() before it",
        name=name,
        obj=scheduler,
    )
