"""What stands between one event and the bare loop of its writes, in nanoseconds, statement by statement.

Run with ``make profile``. The source of ``ParamScheduler.__call__`` is read as it is now. An event in the steady state
is watched for the statements that it passes; then copies of the method are made that return after the first of them,
after the second, and so on. They are timed in turns, and what a statement costs is what its copy takes longer than the
one before, in the median over the rounds. (To count the event makes the writes dearer as well: only then is another
number written than the groups hold.)
"""

import ast
import copy
import gc
import inspect
import sys
import textwrap
from itertools import repeat
from time import perf_counter

import numpy as np
from contenders import COSINE, bare_loop, optimizer_of
from ignite.engine import Engine

from lehr.handlers import CosineAnnealingScheduler, ParamScheduler
from lehr.handlers.core.schedule_reading import BLOCK_SIZE, read_block

HOT_PATH = ParamScheduler.__call__
ROUNDS = 300
WARM = 2  # calls before the clock starts
WHOLE = (ast.For, ast.While, ast.With, ast.Match)  # compound statements that are timed with all that is in them


class Statements:
    """The method as a tree, and the statements of it that an event passes, in their order."""

    def __init__(self, method, event):
        source = textwrap.dedent(inspect.getsource(method))
        self.lines, self.tree = source.splitlines(), ast.parse(source)
        self.first_line, self.namespace = method.__code__.co_firstlineno, method.__globals__
        self.lists = list(_lists_of_statements(self.tree.body[0]))
        passed = _lines_passed(method.__code__, event)
        found = {
            statement.lineno + self.first_line - 1: (at, index)
            for at, statements in enumerate(self.lists)
            for index, statement in enumerate(statements)
            if not isinstance(statement, ast.Try)  # which costs nothing, but what is in it
        }
        self.passed = [found[line] for line in dict.fromkeys(passed) if line in found]

    def text(self, place):
        """The first line of a statement, and whether there is more of it."""
        statement = self.lists[place[0]][place[1]]
        indent = len(self.lines[statement.lineno - 1]) - len(self.lines[statement.lineno - 1].lstrip()) - 4
        more = " ..." if isinstance(statement, WHOLE) else ""
        return " " * indent + self.lines[statement.lineno - 1].strip() + more

    def cut_after(self, place):
        """The method, returning after a statement, or after the test of an ``if``; before all of them where None."""
        tree = copy.deepcopy(self.tree)
        if place is None:
            tree.body[0].body = [ast.Return()]
        else:
            statements = list(_lists_of_statements(tree.body[0]))[place[0]]
            if isinstance(statement := statements[place[1]], ast.If):
                statement.body, statement.orelse = [ast.Return()], [ast.Return()]
            statements[place[1] + 1 :] = [ast.Return()]
        made = {}
        exec(compile(ast.fix_missing_locations(tree), "<cut>", "exec"), self.namespace, made)
        return made[tree.body[0].name]


def _lists_of_statements(node):
    """All lists of statements in a function, but for those in loops, always in the same order."""
    for name in ("body", "handlers", "orelse", "finalbody"):
        children = getattr(node, name, [])
        if children and name != "handlers":
            yield children
        for child in children:
            if not isinstance(child, WHOLE):
                yield from _lists_of_statements(child)


def _lines_passed(code, event):
    """The lines of the code that an event passes."""
    lines = []

    def watch(frame, what, _):
        if frame.f_code is not code:
            return None
        if what == "line":
            lines.append(frame.f_lineno)
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        event()
    finally:
        sys.settrace(before)
    return lines


class Situation:
    """One event of so many groups, with or without history, and its cost."""

    def __init__(self, groups, history):
        self.groups, self.history = groups, history
        # Calls in a round: fewer than a block, so that none has to read one; and few where each is long, so that those
        # of neighbours meet the machine in one mood.
        self.calls = max(BLOCK_SIZE // 2 // groups, 64)
        whole = self.scheduler(HOT_PATH)
        self.make_ready(*whole)
        self.statements = Statements(HOT_PATH, lambda: whole[0](whole[1]))
        cuts = [None, *self.statements.passed]
        self.cuts = [self.scheduler(self.statements.cut_after(place)) for place in cuts] + [whole]

    def scheduler(self, method):
        """A scheduler of a class with this method as ``__call__``, and its engine."""
        # A class of its own, not a method put into an object: calling it and reading its attributes cost what they do.
        cls = type("Cut", (CosineAnnealingScheduler,), {"__call__": method})
        engine = Engine(lambda engine, batch: None) if self.history else None
        return cls(optimizer_of(self.groups), "lr", **COSINE, save_history=self.history), engine

    def make_ready(self, scheduler, engine):
        """Let a block be read, and the history be opened, so that what follows is the steady state."""
        scheduler.seek(0)
        for _ in range(2):
            HOT_PATH(scheduler, engine)

    def measure(self):
        """The nanoseconds of each cut in each round, ``(rounds, cuts)``, and of the bare loop, ``(rounds,)``."""
        contenders = [*self.cuts, (bare_loop(self.groups).call,)]
        times = np.zeros((ROUNDS, len(contenders)))
        for round_ in range(ROUNDS):
            for turn in range(len(contenders)):
                at = (turn + round_) % len(contenders)
                call, *arguments = contenders[at]
                if arguments:
                    self.make_ready(call, *arguments)
                timed(call, repeat(arguments, WARM))
                times[round_, at] = timed(call, repeat(arguments, self.calls)) * 1e9 / self.calls
        return times[:, :-1], times[:, -1]

    def tell(self):
        """Print the table."""
        cuts, bare = self.measure()
        print(f"\n{self.groups} group{'s' * (self.groups > 1)}, {'with' if self.history else 'without'} history\n")
        print("    ns    sum  statement")
        ahead = reading_ahead()
        told = [
            "the call, and the loop of the clock around it",
            *map(self.statements.text, self.statements.passed),
            f"reading ahead: a block of {BLOCK_SIZE} events, a share of it for each",
        ]
        parts = [np.median(cuts[:, 0]), *np.median(np.diff(cuts[:, :-1]), axis=0), ahead]
        for what, part, total in zip(told, parts, np.cumsum(parts), strict=True):
            print(f"{part:6.0f} {total:6.0f}  {what}")
        print(f"{np.median(cuts[:, -1]) + ahead:13.0f}  the event as a whole, with its share of a block")
        ratio = np.median((cuts[:, -1] + ahead) / bare)
        print(f"{np.median(bare):13.0f}  the bare loop: the event is {ratio:.2f} times that")


def timed(call, all_arguments):
    """The seconds of these calls."""
    start = perf_counter()
    for arguments in all_arguments:
        call(*arguments)
    return perf_counter() - start


def reading_ahead():
    """The nanoseconds of reading a block, for each of its events."""
    schedule = CosineAnnealingScheduler(optimizer_of(1), "lr", **COSINE).schedule
    taken = [timed(lambda: read_block(schedule, 0)[1].tolist(), repeat((), 10)) for _ in range(50)]
    return float(np.median(taken)) * 1e9 / 10 / BLOCK_SIZE


if __name__ == "__main__":
    gc.disable()  # there is nothing to collect
    for history in (False, True):
        for groups in (1, 200):
            Situation(groups, history).tell()
