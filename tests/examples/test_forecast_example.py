"""The example that forecasts runs of a small transformer: the order of its work, a small run, and the whole of it."""

import re

import forecast
import matplotlib.image
import numpy as np
import pytest
from made_runs import true_losses
from scripts import run_python

from lehr.engine import ParamHistory
from lehr.handlers.forecast import LossForecast


def errors_in(printed):
    """The mean error and the worst one of each row of the tables."""
    return [
        (float(mean) / 100, float(worst) / 100)
        for mean, worst in re.findall(
            r"^(?:linear|stable, then decay|longer cosine) .* (\S+)%\s+(\S+)%$", printed, re.M
        )
    ]


def test_it_forecasts_before_it_trains(monkeypatch, capsys):
    """With losses by a law instead of a training."""
    done = []

    def train(schedule, num_steps, seed):
        done.append("train")
        rates = np.asarray(schedule(np.arange(num_steps)))
        rates[0] = rates[1] / 2
        return ParamHistory({"lr": rates.tolist(), "loss": true_losses(0.4 * rates).tolist()})

    predict = LossForecast.predict

    def noted(*args, **kwargs):
        done.append("predict")
        return predict(*args, **kwargs)

    monkeypatch.setattr(forecast, "train", train)
    monkeypatch.setattr(LossForecast, "predict", noted)
    compared = forecast.compare(400, seed=0)
    assert [what for what in done if what == "train"] == ["train"] * 6
    assert done.index("predict") > 2
    assert "predict" not in done[done.index("predict") + 3 :]
    assert len(errors_in(capsys.readouterr().out)) == 3
    assert max(one.errors().max() for one in compared) < 0.02


@pytest.mark.proof
def test_a_small_run(repository, tmp_path):
    done = run_python(str(repository / "examples" / "forecast.py"), "--steps", "200", "--seeds", "1", folder=tmp_path)
    errors = errors_in(done.stdout)
    assert len(errors) == 3
    assert max(mean for mean, _ in errors) < 0.04
    pixels = matplotlib.image.imread(tmp_path / "runs" / "forecast" / "forecast.png")
    assert min(pixels.shape[:2]) >= 300
    assert pixels.std() > 0.05


@pytest.mark.proof
def test_the_whole_of_it(repository, tmp_path):
    done = run_python(str(repository / "examples" / "forecast.py"), folder=tmp_path, timeout=1800)
    errors = errors_in(done.stdout)
    assert len(errors) == 9
    assert np.mean([mean for mean, _ in errors]) < 0.015
    assert max(worst for _, worst in errors) < 0.05
