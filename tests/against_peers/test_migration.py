"""Training scripts written for ignite run on with one line changed: the import of the schedulers.

Each script of ``migration/`` is run as it stands, and with that line importing from here. Where ignite is wrong on the
installed torch, ours is compared with torch's own loop or with arithmetic, and the test says what ignite gives.
"""

import contextlib
import copy
import functools
import inspect
import io
import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Events
from ignite.handlers import param_scheduler as peer
from ignite.handlers import state_param_scheduler as state_peer
from matplotlib import pyplot as plt
from optimizers import make_optimizer, make_trainer
from torch.optim import lr_scheduler as torch_schedulers

import lehr.handlers

SCRIPTS = Path(__file__).resolve().parent / "migration"
THEIRS, OURS = "from ignite.handlers.param_scheduler import ", "from lehr.handlers import "
GAMMA, BATCHES, WARMUP, EPOCHS = 0.97, 10, 12, 4  # of warmup_exponential.py
each_script = pytest.mark.parametrize("name", ["warmup_exponential", "grouped_cosine", "plateau"])
each_library = pytest.mark.parametrize("library", [peer, lehr.handlers], ids=["ignite", "lehr"])


def moved_over(source):
    """The script with its one import line changed."""
    lines = source.splitlines()
    changed = [line.replace(THEIRS, OURS) for line in lines]
    assert sum(old != new for old, new in zip(lines, changed, strict=True)) == 1
    assert "lehr" not in source
    assert "param_scheduler" not in "\n".join(changed)
    return "\n".join(changed)


class Runs:
    """Runs the scripts, once for each library and arguments; their checkpoints stay."""

    def __init__(self, folder):
        self.folder = folder
        self.load, self.run = functools.cache(self.load), functools.cache(self.run)

    def load(self, name, library):
        """The functions of a script."""
        source = (SCRIPTS / f"{name}.py").read_text()
        namespace = {"__name__": name}
        exec(compile(source if library == "ignite" else moved_over(source), f"{name}.py", "exec"), namespace)
        return namespace

    def folder_of(self, name, library, **arguments):
        """Where a script writes; it resumes where it was run before with the other arguments."""
        given = [f"{key}={value}" for key, value in arguments.items() if key != "resume_from"]
        folder = self.folder / library / "-".join([name, *given])
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def run(self, name, library, arguments):
        main, folder = self.load(name, library)["main"], self.folder_of(name, library, **dict(arguments))
        with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as output:
            return {**main(**dict(arguments)), "output": output.getvalue()}

    def __call__(self, name, library, **arguments):
        """What the script's main returns, and what it prints."""
        return self.run(name, library, tuple(arguments.items()))

    def both(self, name, **arguments):
        return self(name, "ignite", **arguments), self(name, "lehr", **arguments)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("migration"))


def history_of(done):
    return {name: list(rows) for name, rows in done["trainer"].state.param_history.items()}


def rates_of(done):
    return [group["lr"] for group in done["optimizer"].param_groups]


def weights_of(done):
    return torch.cat([param.detach().flatten() for param in done["model"].parameters()])


def assert_close(ours, theirs):
    """Equal to 1e-12 of the largest value: formulas that are the same but written in another order."""
    theirs = np.asarray(theirs)
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=0, atol=1e-12 * np.abs(theirs).max())


def assert_same_training(ours, theirs):
    expected, given = history_of(theirs), history_of(ours)
    assert list(given) == list(expected)
    for name, rows in expected.items():
        assert_close(given[name], rows)
    assert_close(rates_of(ours), rates_of(theirs))
    torch.testing.assert_close(weights_of(ours), weights_of(theirs), rtol=1e-5, atol=1e-6)


def plain_training(script, optimizer_of, criterion, epochs, before_step=None, after_step=None, after_epoch=None):
    """The script's training as a plain loop without ignite: the rates of each step, and the model."""
    model, loader, used = script["make_model"](), script["make_loader"](BATCHES * 8, seed=0), []
    optimizer = optimizer_of(model)
    hooks = [hook(optimizer) if hook else lambda count: None for hook in (before_step, after_step, after_epoch)]
    for epoch in range(epochs):
        for inputs, targets in loader:
            hooks[0](len(used))
            used.append([group["lr"] for group in optimizer.param_groups])
            optimizer.zero_grad()
            criterion(model(inputs), targets).backward()
            optimizer.step()
            hooks[1](len(used))
        hooks[2](epoch)
    return used, model


def sgd_of(model, head_lr=None):
    """The optimizer of warmup_exponential.py."""
    groups = [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": head_lr}]
    return torch.optim.SGD(groups if head_lr else model.parameters(), lr=0.2, momentum=0.9)


def warmed_up(peak, *base_rates):
    """What a warm-up of 12 events and then the exponential decay are to be, by arithmetic, at each iteration."""
    firsts = [peak if peak else rate for rate in base_rates]
    main = BATCHES * EPOCHS - WARMUP
    skipped = 0 if peak else 1  # the end of the warm-up is the first value of what follows, and comes once
    return [
        *([first * i / (WARMUP - 1) for first in firsts] for i in range(WARMUP)),
        *([rate * GAMMA ** (i + skipped) for rate in base_rates] for i in range(main)),
    ]


# What moves over without a difference


@each_script
def test_one_changed_line_gives_the_same_history_rates_weights_and_output(name, run):
    theirs, ours = run.both(name)
    assert_same_training(ours, theirs)
    assert ours["output"] == theirs["output"]
    assert ours["output"].count("epoch ") >= 4


@each_script
def test_a_script_is_of_a_usual_length(name):
    assert 30 <= len([line for line in (SCRIPTS / f"{name}.py").read_text().splitlines() if line.strip()]) <= 70


def test_the_history_is_what_the_iterations_were_trained_with(run):
    ours = run("warmup_exponential", "lehr")
    assert history_of(ours)["lr"] == ours["used"]
    assert_close(ours["used"], warmed_up(None, 0.2))


def test_a_warm_up_fills_in_the_simulated_values_as_in_ignite(run):
    theirs, ours = run.both("warmup_exponential")
    assert len(ours["planned"]) == BATCHES * EPOCHS
    assert_close(ours["planned"], theirs["planned"])
    assert ours["planned"] == [[event, *rates] for event, rates in enumerate(ours["used"])]


def test_a_warm_up_to_another_peak_is_the_same_in_one_group(run):
    theirs, ours = run.both("warmup_exponential", peak=0.3)
    assert_same_training(ours, theirs)
    assert_close(ours["used"], warmed_up(0.3, 0.2))


@pytest.mark.parametrize(
    ("name", "checkpoint", "events"),
    [
        ("warmup_exponential", "checkpoints/checkpoint_10.pt", 10),  # in the warm-up
        ("warmup_exponential", "checkpoints/checkpoint_20.pt", 20),
        ("grouped_cosine", "best/epoch_1.pt", 10),  # in the first cycle
        ("grouped_cosine", "best/epoch_3.pt", 30),  # in the second
    ],
)
def test_a_script_resumes_from_its_checkpoint_as_in_ignite(run, name, checkpoint, events):
    unbroken = run.both(name)
    resumed = run.both(name, resume_from=checkpoint)
    assert_same_training(resumed[1], resumed[0])
    for whole, rest in zip(unbroken, resumed, strict=True):
        assert history_of(rest) == {key: rows[events:] for key, rows in history_of(whole).items()}
        assert rates_of(rest) == rates_of(whole)
        assert torch.equal(weights_of(rest), weights_of(whole))


def test_named_histories_are_those_of_each_group(run):
    ours = run("grouped_cosine", "lehr")
    history = history_of(ours)
    assert {name: np.shape(rows) for name, rows in history.items()} == {
        "lr (body)": (50, 1),
        "lr (head)": (50, 1),
        "momentum of all": (50, 2),
    }
    assert [history["lr (body)"][-1][0], history["lr (head)"][-1][0]] == rates_of(ours)


def test_what_is_simulated_and_drawn_before_training_is_as_in_ignite(run):
    theirs, ours = run.both("grouped_cosine")
    assert_close(ours["plan"], theirs["plan"])
    assert ours["plan"][:, 1].tolist() == [value for (value,) in history_of(ours)["lr (head)"]]
    for library in ("ignite", "lehr"):
        assert plt.imread(run.folder_of("grouped_cosine", library) / "plan.png").std() > 0.05


def test_plot_values_draws_the_same_line_with_the_same_label():
    arguments = {"num_events": 30, "param_name": "lr", "start_value": 0.1, "end_value": 0.0, "cycle_size": 8}
    figure = plt.figure()
    (theirs,) = peer.CosineAnnealingScheduler.plot_values(**arguments)
    (ours,) = lehr.handlers.CosineAnnealingScheduler.plot_values(**arguments)
    plt.close(figure)
    assert ours.axes is theirs.axes
    assert_close(ours.get_xydata(), theirs.get_xydata())
    assert ours.get_label() == theirs.get_label() == "lr"


def test_a_plateau_that_is_not_in_the_checkpoint_begins_anew_as_in_ignite(run):
    unbroken = run.both("plateau")[1]
    theirs, ours = run.both("plateau", resume_from="checkpoints/checkpoint_35.pt")
    assert_same_training(ours, theirs)
    assert ours["used"] == theirs["used"]
    assert len(ours["losses"]) == 13
    assert history_of(ours)["lr"] != history_of(unbroken)["lr"][7:]  # it has forgotten that it was at a plateau


# What differs, because ignite is wrong


def test_an_exponential_decay_begins_with_its_first_value_where_ignite_loses_it(run):
    theirs, ours = run.both("warmup_exponential", warmup=0)

    def step_after(optimizer):
        scheduler = torch_schedulers.ExponentialLR(optimizer, gamma=GAMMA)
        return lambda count: scheduler.step()

    script = run.load("warmup_exponential", "lehr")
    used, model = plain_training(script, sgd_of, torch.nn.CrossEntropyLoss(), EPOCHS, after_step=step_after)
    assert ours["used"] == used == history_of(ours)["lr"]
    assert ours["planned"] == [[event, *rates] for event, rates in enumerate(used)]
    assert torch.equal(weights_of(ours), weights_of({"model": model}))
    assert_close(theirs["used"][:-1], used[1:])
    assert theirs["used"][0] == [0.2 * GAMMA]
    assert not torch.allclose(weights_of(theirs), weights_of(ours))


@pytest.mark.parametrize("peak", [None, 0.3, 0.2])
def test_a_warm_up_of_two_groups_ends_in_the_rates_of_each_where_ignite_leaks_the_peak(run, peak):
    theirs, ours = run.both("warmup_exponential", peak=peak, head_lr=0.02)
    expected = warmed_up(peak, 0.2, 0.02)
    assert_close(ours["used"], expected)
    assert ours["planned"] == [[event, *rates] for event, rates in enumerate(ours["used"])]

    def write(optimizer):
        def at(step):
            for group, rate in zip(optimizer.param_groups, ours["used"][step], strict=True):
                group["lr"] = rate

        return at

    script = run.load("warmup_exponential", "lehr")
    _, model = plain_training(
        script, lambda model: sgd_of(model, 0.02), torch.nn.CrossEntropyLoss(), EPOCHS, before_step=write
    )
    assert torch.equal(weights_of(ours), weights_of({"model": model}))
    if peak is None:
        assert_close(theirs["used"], ours["used"])
    else:  # from the end of the warm-up on, both groups decay from the peak
        assert_close(theirs["used"][:WARMUP], expected[:WARMUP])
        assert_close(theirs["used"][WARMUP:], [[peak * GAMMA ** (1 + i)] * 2 for i in range(28)])


def test_a_warm_up_of_two_groups_records_one_list_an_event_where_ignite_records_two(run):
    theirs, ours = run.both("warmup_exponential", head_lr=0.02)
    assert history_of(ours)["lr"] == ours["used"]
    apart = [[rate] for rates in theirs["used"][:WARMUP] for rate in rates]
    assert history_of(theirs)["lr"] == [*apart, *theirs["used"][WARMUP:]]


def test_simulating_groups_tells_what_is_trained_where_ignite_repeats_the_old_cycle_as_it_ends(run):
    theirs, ours = run.both("grouped_cosine")
    for done, wrong in ((theirs, [20, 40]), (ours, [])):
        history = history_of(done)
        trained = [[i, *b, *h] for i, (b, h) in enumerate(zip(history["lr (body)"], history["lr (head)"], strict=True))]
        assert [event for event, row in enumerate(done["both"]) if row != trained[event]] == wrong


def test_the_least_rate_of_a_plateau_holds_where_ignite_goes_below_it(run):
    theirs, ours = run.both("plateau", min_lr=0.02)

    def step_after(optimizer):
        scheduler = torch_schedulers.ReduceLROnPlateau(optimizer, "min", factor=0.5, patience=1, min_lr=0.02)
        return lambda epoch: scheduler.step(ours["losses"][epoch])

    script = {**run.load("plateau", "lehr")}
    script["make_loader"] = lambda size, seed, make=script["make_loader"]: make(40, seed)
    used, model = plain_training(
        script,
        lambda model: torch.optim.Adam(model.parameters(), lr=0.05),
        torch.nn.MSELoss(),
        len(ours["losses"]),
        after_epoch=step_after,
    )
    assert [[rate] for rate in ours["used"]] == used
    assert torch.equal(weights_of(ours), weights_of({"model": model}))
    assert min(ours["used"]) == rates_of(ours)[0] == 0.02
    assert rates_of(theirs)[0] < 0.001


def test_a_plateau_in_the_checkpoint_goes_on_where_ignite_cannot_save_it(run):
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError), match="pickle|local object"):
        run("plateau", "ignite", in_checkpoint=True)
    unbroken = run("plateau", "lehr", in_checkpoint=True)
    resumed = run("plateau", "lehr", in_checkpoint=True, resume_from="checkpoints/checkpoint_35.pt")
    assert history_of(resumed)["lr"] == history_of(unbroken)["lr"][7:]
    assert resumed["losses"] == unbroken["losses"][7:]
    assert torch.equal(weights_of(resumed), weights_of(unbroken))


# What differs by intention


@pytest.mark.parametrize(("name", "entry"), [("warmup_exponential", "lr_scheduler"), ("grouped_cosine", "lr")])
def test_a_schedulers_entry_in_a_checkpoint_of_ignite_is_refused_and_one_of_ours_takes_its_place(
    run, name, entry, tmp_path
):
    checkpoint = {"warmup_exponential": "checkpoints/checkpoint_20.pt", "grouped_cosine": "best/epoch_3.pt"}[name]
    theirs, _ = run.both(name)
    path = run.folder_of(name, "ignite") / checkpoint
    old = torch.load(path, weights_only=True)
    own = torch.load(run.folder_of(name, "lehr") / checkpoint, weights_only=True)
    with pytest.raises(ValueError, match="state_dict must have the entries"):
        run(name, "lehr", resume_from=path)
    schedulers = {key: own[key] for key in (entry, "momentum") if key in own}
    torch.save({**old, **schedulers}, tmp_path / "mixed.pt")
    ours = run(name, "lehr", resume_from=tmp_path / "mixed.pt")
    events = old["trainer"]["iteration"]
    for key, rows in history_of(theirs).items():
        assert_close(history_of(ours)[key], rows[events:])
    torch.testing.assert_close(weights_of(ours), weights_of(theirs), rtol=1e-5, atol=1e-6)


# Habits beside the scripts


READERS = {
    "an array": lambda rows: np.array(rows).tolist(),
    "a tensor": lambda rows: torch.tensor(rows, dtype=torch.float64).tolist(),
    "a plotted line": lambda rows: plt.plot(rows)[0].get_ydata().tolist(),
    "the last": lambda rows: rows[-1],
    "a part": lambda rows: rows[2:5],
    "how many": len,
    "backwards": lambda rows: list(reversed(rows)),
    "flattened": lambda rows: list(itertools.chain(*rows)),
    "sorted": sorted,
    "largest": max,
    "unpacked": lambda rows: [rate for (rate,) in rows],
    "with the event": lambda rows: list(enumerate(rows)),
    "where": lambda rows: rows.index([1.0]),
    "how often": lambda rows: rows.count([0.5]),
    "whether": lambda rows: [0.5] in rows,
    "a copy": lambda rows: list(copy.deepcopy(rows)),
    "equal": lambda rows: rows == [[0.0], [0.5], [1.0], [0.5]] * 2,
}


def recorded(library, trainer=None):
    trainer = trainer or make_trainer()
    scheduler = library.LinearCyclicalScheduler(make_optimizer(), "lr", 0.0, 1.0, 4, save_history=True)
    trainer.add_event_handler(Events.ITERATION_STARTED, scheduler)
    trainer.run([0] * 4, max_epochs=2)
    return trainer.state.param_history


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_history_is_read_as_in_ignite(read, axes):
    assert read(recorded(lehr.handlers)["lr"]) == read(recorded(peer)["lr"])


@each_library
def test_a_history_is_looked_into_like_a_dictionary(library):
    history = recorded(library)
    assert "lr" in history
    assert history.get("momentum") is None
    assert (len(history), list(history), list(history.keys()), list(dict(history))) == (1, ["lr"], ["lr"], ["lr"])
    assert [(name, len(rows)) for name, rows in history.items()] == [("lr", 8)]
    assert [rows[-1] for rows in history.values()] == [[0.5]]


@each_library
def test_a_history_that_is_saved_with_the_trainers_state_is_read_again(library, tmp_path):
    trainer = make_trainer()
    trainer.state_dict_user_keys.append("param_history")
    written = [list(row) for row in recorded(library, trainer)["lr"]]
    torch.save(trainer.state_dict(), tmp_path / "trainer.pt")
    resumed = make_trainer()
    resumed.state_dict_user_keys.append("param_history")
    resumed.load_state_dict(torch.load(tmp_path / "trainer.pt", weights_only=True))
    assert list(resumed.state.param_history["lr"]) == written


@each_library
def test_a_handler_is_found_and_removed_by_the_scheduler(library):
    trainer = make_trainer()
    scheduler = library.LinearCyclicalScheduler(make_optimizer(), "lr", 0.0, 1.0, 4)
    trainer.add_event_handler(Events.ITERATION_STARTED, scheduler)
    trainer.run([0] * 3)
    trainer.remove_event_handler(scheduler, Events.ITERATION_STARTED)
    assert not trainer.has_event_handler(scheduler)
    trainer.run([0] * 3)
    assert scheduler.event_index == 3


@each_library
def test_a_warm_up_by_iterations_goes_on_by_epochs_under_one_event_with_filters(library):
    trainer, optimizer, used = make_trainer(), make_optimizer(lr=0.1), []
    decay = torch_schedulers.ExponentialLR(optimizer, gamma=0.5)
    scheduler = library.create_lr_scheduler_with_warmup(decay, warmup_start_value=0.0, warmup_duration=5)
    events = Events.ITERATION_STARTED(event_filter=lambda engine, event: event <= 5)
    events |= Events.EPOCH_STARTED(event_filter=lambda engine, event: event > 1 + 5 / 8)
    trainer.add_event_handler(events, scheduler)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: used.append(optimizer.param_groups[0]["lr"]))
    trainer.run([0] * 8, max_epochs=4)
    rest = [rate for rate in (0.05, 0.025, 0.0125) for _ in range(8)]
    assert_close(used, [0.0, 0.025, 0.05, 0.075, 0.1, 0.1, 0.1, 0.1, *rest])


def test_every_scheduler_of_ignite_can_be_imported_from_here():
    theirs = {
        name
        for module in (peer, state_peer)
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
        if inspect.isclass(thing) or inspect.isfunction(thing)
    }
    assert len(theirs) >= 18
    assert theirs - set(lehr.handlers.__all__) == set()
