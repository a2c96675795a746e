"""Reads the scalars of TensorBoard's event files, with the package ``tensorboard``."""

from pathlib import Path
from typing import Any

from lehr.handlers.schedules.arguments import shown

from .columns import value_headings
from .log import FROM_0, TRAINER, Log

EVENT_FILE = "tfevents"  # the name of each event file contains this text


def read_events(path: Path, name: str, column: str | None) -> Log:
    """Read the scalars of an event file, or of all event files in a folder.

    An event file contains protocol buffers with checksums, and scalars in two forms. The package ``tensorboard`` reads
    both forms.

    Raises:
        ImportError: ``tensorboard`` is not installed.
        OSError: the file does not exist.
        ValueError: there are no event files, or no scalars under the name.
    """
    try:
        from tensorboard.backend.event_processing import event_accumulator
    except ImportError as error:
        raise ImportError("event files of TensorBoard need tensorboard: pip install 'lehr[tensorboard]'") from error
    path.stat()
    if path.is_dir() and not any(path.glob(f"*{EVENT_FILE}*")):
        raise ValueError(f"a folder must have event files of TensorBoard, given {shown(str(path))}")
    events: Any = event_accumulator.EventAccumulator(
        str(path),
        size_guidance={event_accumulator.SCALARS: 0, event_accumulator.TENSORS: 0},  # 0 keeps all values
        purge_orphaned_data=False,
    )
    events.Reload()
    found: dict[str, list[tuple[int, float]]] = {
        tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }
    for tag in events.Tags()["tensors"]:
        content = events.SummaryMetadata(tag).plugin_data.plugin_name
        if content == "scalars":
            tensors = [(one.step, one.tensor_proto) for one in events.Tensors(tag)]
            found[tag] = [(step, _scalar(tensor)) for step, tensor in tensors]
    if not found:
        raise ValueError(f"an event file must have scalars, given {shown(str(path))} without any")
    chosen = value_headings(list(found), name, column)
    columns: dict[str, Any] = {
        tag: ([step for step, _ in found[tag]], [one for _, one in found[tag]]) for tag in chosen
    }
    counting = TRAINER if chosen == ["train/learning_rate"] else FROM_0  # transformers' Trainer uses this tag
    return Log(columns, counting, path.name)


def _scalar(tensor: Any) -> float:
    from tensorboard.util import tensor_util

    return float(tensor_util.make_ndarray(tensor).reshape(-1)[0])
