"""What plans, findings and histories show in a notebook, and their pandas tables."""

import base64
import builtins
import html as html_text
import io
import re

import matplotlib.image
import numpy as np
import pandas
import pytest
from cases import for_each
from ignite.engine import Engine
from optimizers import make_optimizer
from registry import EXAMPLES
from torch.utils.data import DataLoader

from lehr.engine import ParamHistory
from lehr.handlers import (
    BatchSizeScheduler,
    CosineDecayScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    StepStateScheduler,
    check_plan,
    dry_run,
)
from lehr.handlers.plans import Plan


def a_plan(groups=2):
    return dry_run(CosineDecayScheduler(make_optimizer(groups), "lr", duration=8), max_epochs=2, epoch_length=4)


def a_history():
    history, scheduler = ParamHistory(), CosineDecayScheduler(make_optimizer(2), "lr", duration=8)
    scheduler.history = history
    for _ in range(5):
        scheduler.apply()
    return history


def picture_in(html):
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(data)))


def test_a_plan_shows_its_table_and_a_picture():
    html = a_plan()._repr_html_()
    assert "a plan of 8 iterations: 2 epochs of 4" in html
    picture = picture_in(html)
    assert picture.shape[1] == 700
    assert len(np.unique(picture.reshape(-1, 4), axis=0)) > 10  # lines, axes and text
    assert "http" not in html


def test_a_history_shows_its_events_and_a_picture():
    html = a_history()._repr_html_()
    assert "lr: 5 events" in html
    assert picture_in(html).shape[1] == 700
    assert ParamHistory()._repr_html_() == "<pre>a history of nothing</pre>"


def test_findings_read_in_a_cell_as_they_print():
    findings = check_plan(CosineDecayScheduler(make_optimizer(), "lr", duration=900), max_epochs=2, epoch_length=4)
    assert repr(findings) == str(findings)
    assert repr(findings).startswith("1 warning\nwarning: end-not-reached")
    assert "end-not-reached" in findings._repr_html_()


def test_reprs_are_short_lines():
    optimizer = make_optimizer(200)
    values = [0.1 * group for group in range(1, 201)]
    scheduler = CosineDecayScheduler(optimizer, "lr", duration=8, start_value=values)
    history = ParamHistory({f"a parameter with the number {number}": [0.5] for number in range(20)})
    for thing in (scheduler, history, a_plan()):
        assert len(repr(thing)) <= 120
        assert "\n" not in repr(thing)
    assert repr(a_history()) == "<ParamHistory of 'lr': 5 events>"


def test_a_history_is_drawn_into_a_new_figure_unless_axes_are_given(axes):
    from matplotlib import pyplot as plt

    plt.figure()
    before = plt.get_fignums()
    (line, _) = a_history().plot("lr")
    assert len(plt.get_fignums()) == len(before) + 1
    assert (line.axes.get_xlabel(), line.axes.get_ylabel()) == ("event", "lr")
    assert a_history().plot("lr", axes)[0].axes is axes
    plt.close("all")


def test_the_lines_of_a_history_have_the_names_of_the_groups(axes):
    optimizer = make_optimizer(2)
    optimizer.param_groups[1]["name"] = "head"
    history, scheduler = ParamHistory(), CosineDecayScheduler(optimizer, "lr", duration=8)
    scheduler.history = history
    scheduler.apply()
    assert [line.get_label() for line in history.plot("lr", axes)] == ["group 0", "head"]
    assert axes.get_title() == "lr, recorded at 1 events"
    trainer = Engine(lambda engine, batch: None)
    both = [CosineDecayScheduler(optimizer, name, duration=8, save_history=True) for name in ("lr", "momentum")]
    both += [StepStateScheduler(0.5, 0.5, 2, "dropout", create_new=True)]
    ParamGroupScheduler(both, save_history=True).attach(trainer, name=None)
    trainer.run([0, 1], max_epochs=1)
    history = trainer.state.param_history
    assert history.labels == {"lr": ["group 0", "head"], "momentum": ["group 0", "head"], "dropout": []}


@for_each("example", EXAMPLES, lambda example: example.name, one_in=20)
def test_a_scheduler_shows_its_repr_and_a_picture(example):
    scheduler = example(make_optimizer(3 if example.per_group else 1))
    html = scheduler._repr_html_()
    assert picture_in(html).shape[1] == 700
    assert html_text.escape(repr(scheduler)) in html


def test_a_scheduler_of_a_state_or_a_batch_size_shows_a_picture():
    loader = DataLoader([1.0] * 8, 2)
    for scheduler in (StepStateScheduler(0.5, 0.5, 2, "dropout"), BatchSizeScheduler(loader, lambda index: index + 1)):
        assert picture_in(scheduler._repr_html_()).shape[1] == 700


def test_a_scheduler_that_cannot_be_simulated_shows_the_error():
    def fails(index):
        raise ZeroDivisionError(f"event {index}")

    html = ParamScheduler(make_optimizer(), "lr", schedule=fails)._repr_html_()
    assert "no picture" in html
    assert "ZeroDivisionError" in html


def test_names_are_escaped():
    history = ParamHistory({"<script>alert(1)</script>": [[0.1], [0.2]]})
    assert "<script>" not in history._repr_html_()
    optimizer = make_optimizer(lr=0.1)
    optimizer.param_groups[0]["<b>"] = 0.5
    plan = dry_run(CosineDecayScheduler(optimizer, "<b>", duration=8), max_epochs=2, epoch_length=4)
    assert "<b>" not in plan._repr_html_()


def test_a_plan_as_a_table_of_pandas():
    plan = a_plan()
    table = plan.to_pandas()
    assert table.columns.tolist() == ["lr[0]", "lr[1]"]
    assert table.index.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert table.index.name == "iteration"
    assert table.to_numpy().tolist() == plan["lr"].tolist()
    assert Plan({}, max_epochs=2, epoch_length=4).to_pandas().shape == (8, 0)


def test_the_tables_equal_the_files(tmp_path):
    for thing in (a_plan(), a_history()):
        thing.to_csv(tmp_path / "table.csv")
        read = pandas.read_csv(tmp_path / "table.csv", index_col=0)
        pandas.testing.assert_frame_equal(read, thing.to_pandas(), check_index_type=False, rtol=1e-15)


def test_a_history_has_a_row_for_each_event_of_any_name():
    history = ParamHistory({"lr": [[0.1], [0.2], [0.3]], "rate": [0.5]})
    table = history.to_pandas()
    assert table["lr"].tolist() == [0.1, 0.2, 0.3]
    assert np.isnan(table["rate"].tolist()[1:]).all()
    assert ParamHistory().to_pandas().shape == (0, 0)


def test_without_pandas_the_error_says_how_to_get_it(monkeypatch):
    imported = builtins.__import__

    def without_pandas(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    for thing in (a_plan(), a_history()):
        with pytest.raises(ImportError, match=r"to_pandas needs pandas: pip install 'lehr\[pandas\]'"):
            thing.to_pandas()
