"""Temporary."""

from typing import Any

from .base import describe


def description_of(value: Any) -> Any:
    return describe(value)


def text_of(d: Any) -> str:
    return (
        d
        if isinstance(d, str)
        else f"{d.get('get_param')}" + ("" if d.get("schedule") is None else f" over {d.get('schedule')}")
    )


def same_schedule(saved: Any, own: Any) -> bool:
    return saved == own
