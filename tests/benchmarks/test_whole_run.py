"""The cost of schedulers in a run of ignite that trains nothing, beside the same run without schedulers."""

from contenders import KINDS, PARAMS, attach, optimizer_of
from ignite.engine import Engine, Events
from interleaving import Contender, interleaved

from lehr.engine import OptimizerEvents

EPOCHS, LENGTH = 5, 1000
ROUNDS = 20  # which make 100,000 iterations of each
BATCHES = [None] * LENGTH


def run_with(library, schedulers, history):
    """A run of a new engine with so many schedulers of one param group attached."""

    def fresh():
        trainer, optimizer = Engine(lambda engine, batch: None), optimizer_of(1)
        for name in PARAMS[:schedulers]:
            scheduler = KINDS["cosine"][library](optimizer, name, save_history=history)
            attach(library, scheduler, trainer)
        return (trainer,)

    return Contender(lambda trainer: trainer.run(BATCHES, max_epochs=EPOCHS), per=EPOCHS * LENGTH, fresh=fresh)


def test_a_whole_run(benchmark, add_row):
    cases = [(schedulers, history) for schedulers in (1, 3) for history in (False, True)]
    contenders = {(library, *case): run_with(library, *case) for case in cases for library in ("lehr", "ignite")}
    contenders["none"] = run_with("lehr", 0, False)
    measured = interleaved(benchmark, contenders, rounds=ROUNDS)
    for schedulers, history in cases:
        rows = {library: measured[library, schedulers, history] for library in ("lehr", "ignite")}
        what = f"{schedulers} scheduler{'s' * (schedulers > 1)}{', with history' * history}"
        add_row(what, {**rows, "without schedulers": measured["none"]})


def run_of_steps(event):
    """A run that makes a step of an optimizer at each iteration, with a scheduler at an event."""

    def fresh():
        optimizer = optimizer_of(1)
        trainer = Engine(lambda engine, batch: optimizer.step())
        KINDS["cosine"]["lehr"](optimizer).attach(trainer, event)
        return (trainer,)

    return Contender(lambda trainer: trainer.run(BATCHES, max_epochs=1), per=LENGTH, fresh=fresh)


def test_a_whole_run_of_steps(side_by_side):
    contenders = {
        "lehr": run_of_steps(OptimizerEvents.STEP_STARTED),
        "ITERATION_STARTED": run_of_steps(Events.ITERATION_STARTED),
    }
    side_by_side("a scheduler at STEP_STARTED", contenders, {"ITERATION_STARTED": 1.2})
