"""Functions that check arguments. Each error names the argument, the rule and the value that breaks the rule.

The checks run when an object is constructed, so that a bad argument stops the program before the first training step.
An argument of a wrong type raises a ``TypeError``, and an argument with a wrong value raises a ``ValueError``.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from types import UnionType
from typing import Any

import numpy as np

from lehr.shortened_text import shortened as shortened

Number = float | Sequence[float]

# The usual types come first, because ``isinstance`` is slow for abstract classes such as ``Real``.
REAL, INTEGRAL = (float, int, Real), (int, Integral)

# The types of most arguments. They are compared before ``isinstance`` is called, which is slow for abstract classes.
PLAIN = {float, int, bool, str, type(None)}

# Formulas compute event indices in float64, which represents each whole number up to this one exactly.
MAX_EVENT_INDEX = 2**53


# The largest number of characters of a value in an error text, and the largest nesting depth that is shown.
MAX_SHOWN, MAX_SHOWN_DEPTH = 200, 20
BRACKETS: dict[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}")}
DICT_REPRS: tuple[Any, ...] = (dict.__repr__, OrderedDict.__repr__)


def shown(value: object, length: int = MAX_SHOWN) -> str:
    """Return the repr of a value for an error text, cut to ``length`` characters. No more of the value is read.

    >>> shown("lr"), len(shown([0] * 10_000)), shown(10**5000)
    ("'lr'", 200, 'an int that is too large to be shown')
    """
    return shown_text(_repr_of(value, length + 1, MAX_SHOWN_DEPTH), length)


def shown_text(text: str, length: int = MAX_SHOWN) -> str:
    """Return a text, cut to ``length`` characters."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def shown_names(names: Iterable[str]) -> str:
    """Return names for an error text, separated by commas and cut to 200 characters.

    >>> shown_names(["lr", "momentum"])
    "'lr', 'momentum'"
    """
    return shown_text(_joined(((name,) for name in names), MAX_SHOWN + 1, 2))


def _repr_of(value: Any, length: int, depth: int) -> str:
    """Return the repr of a value. If a list, a dict or a text is longer than ``length``, return only its beginning."""
    class_: Any = type(value)
    if class_ in BRACKETS and value:
        start, end = BRACKETS[class_]
        return start + _joined(((item,) for item in value), length, depth, class_ is tuple and len(value) == 1) + end
    if isinstance(value, dict) and class_.__repr__ in DICT_REPRS and value:
        text = "{" + _joined(value.items(), length, depth) + "}"
        return text if class_ is dict else f"{class_.__name__}({text})"
    if class_ in (str, bytes, bytearray):
        value = value[:length]
    try:
        return repr(value)
    except RecursionError:
        return f"a {class_.__name__} that is nested too deeply to be shown"
    except ValueError:  # Python refuses to show an int of more than 4300 digits
        return f"an {class_.__name__} that is too large to be shown"
    except Exception:
        return f"a {class_.__name__} that cannot be shown"


def _joined(items: Iterable[tuple[Any, ...]], length: int, depth: int, alone: bool = False) -> str:
    """Join items, or keys and values, to one text. Stop when the text has ``length`` characters."""
    if not depth:
        return "..."
    text = ""
    for item in items:
        rest = length - len(text)
        if rest <= 0:
            return text
        text += ", " * bool(text) + ": ".join([_repr_of(part, rest, depth - 1) for part in item])
    return text + "," * alone


def within_limits(name: str, value: Any, *, depth: int = 50, values: int = 1_000_000) -> None:
    """Check that lists and mappings are nested at most ``depth`` deep and have at most ``values`` values in all.

    A list that other lists contain several times is counted several times, so a few lists may have millions of values.

    >>> loop = []
    >>> loop.append(loop)
    >>> within_limits("config", loop)
    Traceback (most recent call last):
    ...
    ValueError: config must be nested at most 50 deep, given more
    """
    level, count = {id(value): (value, 1)}, 0  # for each list of this level: the list, and how often it is contained
    for _ in range(depth):
        inner: dict[int, tuple[Any, int]] = {}
        for one, times in level.values():
            count += times * len(one)
            if count > values:
                raise ValueError(f"{name} must have at most {values} values in it, given more")
            for item in one.values() if isinstance(one, Mapping) else one:
                if type(item) not in PLAIN and isinstance(item, dict | list | tuple | Mapping):
                    inner[id(item)] = item, times + (inner[id(item)][1] if id(item) in inner else 0)
        if not inner:
            return
        level = inner
    raise ValueError(f"{name} must be nested at most {depth} deep, given more")


def number(
    name: str,
    value: object,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> float:
    """Return ``value`` as a finite float within the given bounds.

    >>> number("gamma", 1)
    1.0
    >>> number("pct_start", 1.5, at_least=0, at_most=1)
    Traceback (most recent call last):
    ...
    ValueError: pct_start must be at least 0 and at most 1, given 1.5
    """
    if type(value) is float:
        result = value
    elif isinstance(value, bool) or not isinstance(value, REAL):
        raise TypeError(f"{name} must be a number, given {shown(value)}")
    else:
        try:
            result = float(value)
        except OverflowError:
            result = math.inf
    if not math.isfinite(result):
        raise ValueError(f"{name} must be finite, given {shown(value)}")
    if (
        (at_least is not None and result < at_least)
        or (above is not None and result <= above)
        or (at_most is not None and result > at_most)
        or (below is not None and result >= below)
    ):
        bounds = {"at least": at_least, "more than": above, "at most": at_most, "less than": below}
        rule = " and ".join(f"{words} {bound}" for words, bound in bounds.items() if bound is not None)
        raise ValueError(f"{name} must be {rule}, given {shown(value)}")
    return result


def duration(name: str, value: object, *, at_least: float | None = None, above: float | None = None) -> float:
    """Return a number of events as a finite float within the given bounds. A number between 0 and 1 is an error.

    >>> duration("duration", 0.9, above=0)
    Traceback (most recent call last):
    ...
    ValueError: duration must be at least 1 event, given 0.9; for 90% of a run of n events, give round(0.9 * n)
    """
    events = number(name, value, at_least=at_least, above=above)
    if 0 < events < 1:
        given = shown(value)
        share = f"for {events:.0%} of" if 0.005 < events < 0.995 else f"for {events:.3g} of"
        raise ValueError(
            f"{name} must be at least 1 event, given {given}; {share} a run of n events, give round({given} * n)"
        )
    return events


def number_or_numbers(name: str, value: object) -> float | tuple[float, ...]:
    """Return one finite float for all param groups, or a tuple with a finite float for each param group.

    >>> number_or_numbers("max_value", [0.1, 1])
    (0.1, 1.0)
    """
    if type(value) is float:  # the usual type comes first, because the checks below are slow
        return number(name, value)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        values = tuple(number(f"{name}[{group}]", item) for group, item in enumerate(value))
        if not values:
            raise ValueError(f"{name} must have one value per param group, given {shown(value)}")
        return values
    return number(name, value)


def value_at(index: int, value: object, named: Callable[[int], str]) -> float | list[float]:
    """Check a value that a user's code returned at an event, and return it as a finite float or a list of them.

    Args:
        index: the event index.
        value: the value.
        named: a function that returns the name of the value for an error text, and is called only if there is an error.
    """
    if type(value) is float and math.isfinite(value):
        return value
    # If the sum is finite, each float is finite. To add the floats is faster than to check each of them. Because finite
    # floats may have an infinite sum, ``number_or_numbers`` checks each float if the sum is not finite.
    if type(value) is not list or set(map(type, value)) != {float} or not math.isfinite(sum(value)):
        value = number_or_numbers(named(index), value)
    return list(value) if isinstance(value, tuple) else value


def whole_number(name: str, value: object, *, at_least: int) -> int:
    """Return ``value`` as an int of at least ``at_least``. The value may be a whole float such as 100.0.

    >>> whole_number("cycle_size", 2.5, at_least=2)
    Traceback (most recent call last):
    ...
    ValueError: cycle_size must be a whole number of at least 2, given 2.5
    """
    if type(value) is int and at_least <= value <= MAX_EVENT_INDEX:  # the usual case, which is fast to check
        return value
    result = number(name, value)
    if not result.is_integer() or result < at_least:
        raise ValueError(f"{name} must be a whole number of at least {at_least}, given {shown(value)}")
    if result > MAX_EVENT_INDEX:
        raise ValueError(f"{name} must be at most {MAX_EVENT_INDEX}, given {shown(value)}")
    return int(value) if isinstance(value, INTEGRAL) else int(result)


def listed(name: str, values: object) -> list[Any]:
    """Return a list or tuple as a list.

    >>> listed("durations", 3)
    Traceback (most recent call last):
    ...
    TypeError: durations must be a list or tuple, given 3
    """
    if not isinstance(values, list | tuple):
        raise TypeError(f"{name} must be a list or tuple, given {shown(values)}")
    return list(values)


def list_of(name: str, values: object, check: Callable[[str, Any], Any], at_least: int = 0) -> tuple[Any, ...]:
    """Check each item of a list or tuple with ``check(name, item)``, and return the checked items as a tuple.

    >>> list_of("weights", [1, "a"], number)
    Traceback (most recent call last):
    ...
    TypeError: weights[1] must be a number, given 'a'
    """
    checked = tuple(check(f"{name}[{position}]", value) for position, value in enumerate(listed(name, values)))
    if len(checked) < at_least:
        raise ValueError(f"{name} must have {at_least} or more items, given {shown(values)}")
    return checked


def instance(name: str, value: Any, wanted: type | UnionType, rule: str) -> Any:
    """Return ``value``, which must be an instance of ``wanted``. The error says that ``value`` must be ``rule``.

    >>> instance("model", 0.5, str, "the name of a model")
    Traceback (most recent call last):
    ...
    TypeError: model must be the name of a model, given 0.5
    """
    if not isinstance(value, wanted):
        raise TypeError(f"{name} must be {rule}, given {shown(value)}")
    return value


def rising(name: str, values: object) -> tuple[int, ...]:
    """Return whole numbers of at least 0 as a tuple. No number may be less than the number before it.

    >>> rising("milestones", [30, 60, 45])
    Traceback (most recent call last):
    ...
    ValueError: milestones[2] must be at least milestones[1]=60, given 45
    """
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise TypeError(f"{name} must be a list or tuple of event indices, given {shown(values)}")
    result: list[int] = []
    for position, value in enumerate(values):
        result.append(whole_number(f"{name}[{position}]", value, at_least=0))
        if position and result[-1] < result[-2]:
            raise ValueError(
                f"{name}[{position}] must be at least {name}[{position - 1}]={result[-2]}, given {shown(value)}"
            )
    return tuple(result)


def flag(name: str, value: object) -> bool:
    """Return ``value``, which must be True or False.

    >>> flag("monotonic", "yes")
    Traceback (most recent call last):
    ...
    TypeError: monotonic must be True or False, given 'yes'
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, given {shown(value)}")
    return value


def one_of(name: str, value: object, options: Iterable[str]) -> str:
    """Return ``value``, which must be one of the strings in ``options``.

    >>> one_of("anneal_strategy", "sine", ["cos", "linear"])
    Traceback (most recent call last):
    ...
    ValueError: anneal_strategy must be one of 'cos', 'linear', given 'sine'
    """
    options = list(options)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, given {shown(value)}")
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, given {shown(value)}")
    return value


def function(name: str, value: Any, rule: str) -> Any:
    """Return ``value``, which must be callable and not a class. The error says that ``value`` must be ``rule``.

    >>> function("function", 0.5, "a function of the event index")
    Traceback (most recent call last):
    ...
    TypeError: function must be a function of the event index, given 0.5
    """
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name} must be {rule}, given {shown(value)}")
    return value


def state_of(name: str, state_dict: Any, keys: Iterable[str]) -> Mapping[str, Any]:
    """Return a saved state. It must be a mapping with exactly the given keys.

    >>> state_of("a plateau", {"best": 0.5}, ["best", "values"])
    Traceback (most recent call last):
    ...
    ValueError: the state of a plateau must have the keys ['best', 'values'], given {'best': 0.5}
    """
    if not isinstance(state_dict, Mapping) or set(state_dict) != set(keys):
        raise ValueError(f"the state of {name} must have the keys {sorted(keys)}, given {shown(state_dict)}")
    return state_dict


NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def saved_float(value: float | None) -> float | str | None:
    """Return a float in a form that JSON can hold. Infinity and NaN become a text.

    >>> saved_float(0.5), saved_float(math.inf)
    (0.5, 'inf')
    """
    return value if value is None or math.isfinite(value) else str(value)


def loaded_float(saved: Any) -> Any:
    """Convert a float that :func:`saved_float` saved back to a float. Return any other object unchanged.

    >>> loaded_float("inf"), loaded_float(0.5)
    (inf, 0.5)
    """
    return NOT_FINITE.get(saved, saved) if isinstance(saved, str) else saved


def groups_of(*values: Any) -> int | None:
    """Return the length of the first tuple among ``values``, or None. A tuple has one value per param group."""
    for value in values:
        if type(value) is tuple:
            return len(value)
    return None


def same_groups(counts: Mapping[str, int | None]) -> None:
    """Check that arguments have values for the same number of param groups. Ignore arguments with a count of None."""
    given = {name: count for name, count in counts.items() if count is not None}
    if len(set(given.values())) > 1:
        shown_counts = " and ".join(f"{name} with {count}" for name, count in given.items())
        raise ValueError(f"{' and '.join(given)} must have the same number of values, given {shown_counts}")
