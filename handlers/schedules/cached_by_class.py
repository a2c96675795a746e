"""A cache for functions of a class."""

import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")


def cached_by_class(function: Callable[[Any], T]) -> Callable[[Any], T]:
    """Return a function that calls another function once for each class, and remembers the result.

    ``functools.lru_cache`` would keep the class in memory, and with it what the methods of a local class refer to, such
    as a model.

    Args:
        function: a function of a class, whose result does not refer to the class.
    """
    results: dict[int, T] = {}  # by the id of the class

    @wraps(function)
    def cached(class_: Any) -> T:
        try:
            return results[id(class_)]
        except KeyError:
            result = function(class_)
            weakref.finalize(class_, results.pop, id(class_), None).atexit = False
            results[id(class_)] = result
            return result

    return cached
