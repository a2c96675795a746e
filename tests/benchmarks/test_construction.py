"""The cost of constructing schedulers, and of attaching one or many to an engine."""

import pytest
from contenders import KINDS, attach, libraries_of, optimizer_of, stepping
from ignite.engine import Engine
from interleaving import Contender, interleaved, of_size


@pytest.mark.parametrize("groups", [1, 200])
def test_construction(side_by_side, groups):
    contenders = {}
    for library in libraries_of("cosine"):
        make, optimizer = KINDS["cosine"][library], optimizer_of(groups)
        stepping(make, optimizer)
        contenders[library] = Contender(make, (optimizer,))
    side_by_side(f"cosine, {groups} group{'s' * (groups > 1)}", contenders)


def attaching(library, schedulers):
    """Attach so many schedulers of as many optimizers to a new engine."""
    optimizers = [optimizer_of(1) for _ in range(schedulers)]

    def fresh():
        made = [KINDS["cosine"][library](optimizer) for optimizer in optimizers]
        return made, Engine(lambda engine, batch: None)

    def attach_all(made, engine):
        for scheduler in made:
            attach(library, scheduler, engine)

    return Contender(attach_all, per=schedulers, fresh=fresh)


def test_attaching(benchmark, add_row, add_growth):
    sizes = (1, 10, 100)
    contenders = {(library, size): attaching(library, size) for size in sizes for library in ("lehr", "ignite")}
    measured = interleaved(benchmark, contenders)
    for size in sizes:
        add_row(f"attach a scheduler, one of {size}", of_size(measured, size))
    add_growth("attach a scheduler: one of 100 over one alone", of_size(measured, 100), of_size(measured, 1))
