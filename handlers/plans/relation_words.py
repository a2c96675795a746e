"""Describes the relation between two series of values as text, for audits of logs and differences between plans."""

from fractions import Fraction

from .plan import counted
from .series_relations import Relation


def in_log(relation: Relation, first_step: int = 0, epoch_length: int | None = None) -> str:
    """Return the explanation of a difference between a log and its plan.

    Args:
        relation: the relation of the log to the plan.
        first_step: the step of the first event in the log.
        epoch_length: events in an epoch, or None if the number is unknown.

    Example:
        >>> in_log(Relation("shift", -1))
        'matches exactly if it is 1 step behind: step s has the value planned for step s - 1; if the log counts \
from 1, give first_step=1, or --first-step 1'
        >>> in_log(Relation("factor", 2.0, reached=50, num_points=100))
        'matches exactly if all values are the planned ones times 2, at the 50 of 100 points that the plan reaches'
    """
    kind, number = relation.kind, int(relation.number)
    since = relation.since + first_step
    if kind == "shift":
        words = f"if it is {_steps_off(number, 'step')}: step s has the value planned for step s {number:+d}"
        words = words.replace(" +", " + ").replace(" -", " - ")
    elif kind == "faster" and number == epoch_length:
        words = f"if iterations count as epochs: the schedule moves {number} times in each step"
    elif kind == "faster":
        causes = f"called {number} times, or by each of {number} processes"
        words = f"if the schedule moves {number} times in each step ({causes})"
    elif kind == "slower" and number == epoch_length:
        words = f"if epochs count as iterations: the schedule moves once in {number} steps"
    elif kind == "slower":
        words = f"if the schedule moves once in {number} steps (accumulated gradients, or steps of {number} processes)"
    elif kind == "factor" and relation.since:
        words = f"if from step {since} on all values are the planned ones times {relation.number:.6g}"
    elif kind == "factor":
        words = f"if all values are the planned ones times {relation.number:.6g}"
    elif kind == "again":
        words = f"if the plan begins again at step {since}"
    elif kind == "stretched":
        length = Fraction(relation.number).limit_denominator(20)
        where = f"exactly at {relation.exact} points, and between two planned values at the others"
        return f"matches if the schedule is {length} times as long: {where}{_reach(relation)}"
    elif kind == "constant":
        words = f"if the value stays at {relation.number:.6g} from step {since} on"
    else:
        words = f"if the schedule jumps at step {since}: from there on it is {_steps_off(number, 'step')}"
    may_count_from_1 = kind == "shift" and number == -1 and first_step == 0 and relation.reached == relation.num_points
    advice = "; if the log counts from 1, give first_step=1, or --first-step 1" if may_count_from_1 else ""
    return f"matches exactly {words}{_more(relation, 'the planned ones')}{_reach(relation)}{advice}"


def in_plans(relation: Relation) -> str:
    """Return the explanation of a difference between plan b and plan a.

    Example:
        >>> in_plans(Relation("shift", -1)), in_plans(Relation("faster", 4)), in_plans(Relation("factor", 2.0))
        ('b is a, 1 iteration later', 'b counts 4 iterations where a counts 1', "b's values are a's times 2")
    """
    kind, number, since = relation.kind, int(relation.number), relation.since + 1
    shift = f"{counted(abs(number), 'iteration')} {'earlier' if number > 0 else 'later'}"
    words = {
        "shift": f"b is a, {shift}",
        "faster": f"b counts {counted(number, 'iteration')} where a counts 1",
        "slower": f"b counts 1 iteration where a counts {number}",
        "factor": f"b's values are a's times {relation.number:.6g}",
        "again": f"b is a, and begins again at iteration {since}",
        "stretched": f"b is a, {Fraction(relation.number).limit_denominator(20)} times as long",
        "constant": f"b stays at {relation.number:.6g} from iteration {since} on",
        "jump": f"b is a up to iteration {since - 1}, and then a, {shift}",
    }[kind]
    if kind == "factor" and relation.since:
        words += f" from iteration {since} on"
    return f"{words}{_more(relation, 'those of a')}"


def _steps_off(number: int, thing: str) -> str:
    return f"{counted(abs(number), thing)} {'ahead' if number > 0 else 'behind'}"


def _more(relation: Relation, others: str) -> str:
    off = f", {_steps_off(relation.steps_off, 'planned step')}" if relation.steps_off else ""
    return off + (f", and its values are {others} times {relation.factor:.6g}" if relation.factor != 1 else "")


def _reach(relation: Relation) -> str:
    if relation.reached == relation.num_points:
        return ""
    return f", at the {relation.reached} of {relation.num_points} points that the plan reaches"
