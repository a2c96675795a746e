"""Lists of mmengine's and mmagic's schedulers, drawn at random, and what mmengine has for them."""

import warnings

import numpy as np
from drawn_configs import between, drawn_groups, held, optimizer_of


def one_cycle(random, groups, window):
    tops = [between(random, 0.1, 2.0) for _ in range(groups)]
    steps = random.choice([None, window, window + random.randint(0, 9)])
    return {
        "eta_max": random.choice([tops, tops[0]]),
        **({} if steps is None else {"total_steps": steps}),
        "pct_start": between(random, 0.05, 0.95),
        "anneal_strategy": random.choice(["cos", "linear"]),
        "div_factor": between(random, 0.5, 30),
        "final_div_factor": between(random, 2, 100),
        "three_phase": random.random() < 0.3,
    }


def floor(random):
    return random.choice([{}, {"eta_min": between(random, 0, 0.3)}, {"eta_min_ratio": between(random, 0, 0.5)}])


def restart_floor(random):
    return random.choice([{"eta_min": between(random, 0, 0.3)}, {"eta_min_ratio": between(random, 0, 0.5)}])


def periods(random):
    lengths = [random.randint(1, 8) for _ in range(random.randint(1, 3))]
    return {"periods": lengths, "restart_weights": [between(random, 0.2, 1) for _ in lengths]}


MMENGINE = {
    "Constant": lambda random, groups, window: {"factor": random.choice([1.0, between(random, 0.05, 1)])},
    "CosineAnnealing": lambda random, groups, window: {
        **random.choice([{}, {"T_max": random.randint(1, 20)}]),
        **floor(random),
    },
    "CosineRestart": lambda random, groups, window: {**periods(random), **restart_floor(random)},
    "Exponential": lambda random, groups, window: {
        "gamma": random.choice([0.0, between(random, 0.5, 1.1), between(random, 0.5, 1.1)])
    },
    "Linear": lambda random, groups, window: {
        "start_factor": between(random, 0.05, 1),
        "end_factor": between(random, 0.05, 1),
    },
    "MultiStep": lambda random, groups, window: {
        "milestones": [random.randint(0, 20) for _ in range(random.randint(0, 3))],
        "gamma": random.choice([0.0, between(random, 0.5, 1.1), between(random, 0.5, 1.1)]),
    },
    "OneCycle": one_cycle,
    "Poly": lambda random, groups, window: {
        "eta_min": between(random, 0, 1),
        "power": random.choice([0.0, between(random, 0.3, 3)]),
    },
    "Step": lambda random, groups, window: {
        "step_size": random.randint(1, 9),
        "gamma": random.choice([0.0, between(random, 0.5, 1.1), between(random, 0.5, 1.1)]),
    },
}


def reduce_on_plateau(random):
    return {
        "type": "ReduceOnPlateauLR",
        "rule": random.choice(["less", "greater"]),
        "factor": between(random, 0.1, 0.9),
        "patience": random.randint(0, 2),
        "threshold": random.choice([1e-4, 0.1]),
        "threshold_rule": random.choice(["rel", "abs"]),
        "cooldown": random.randint(0, 2),
        "min_value": random.choice([0.0, between(random, 0, 0.3)]),
        **random.choice([{}, {"begin": random.randint(0, 4)}, {"end": random.randint(5, 20)}]),
    }


def reduce_lr(random):
    return {
        "type": "ReduceLR",
        "from": "mmagic",
        "mode": random.choice(["min", "max"]),
        "factor": between(random, 0.1, 0.9),
        "patience": random.randint(0, 2),
        "threshold": random.choice([1e-4, 0.1]),
        "threshold_mode": random.choice(["rel", "abs"]),
        "cooldown": random.randint(0, 2),
        "min_lr": random.choice([0.0, between(random, 0, 0.3)]),
        **random.choice([{}, {"begin": random.randint(0, 4)}, {"end": random.randint(5, 20)}]),
    }


SCALING = ("Constant", "Exponential", "Linear", "MultiStep", "Step")


def drawn_window(random, longest):
    begin = random.choice([0, 0, random.randint(0, longest)])
    return {"begin": begin, "end": begin + random.randint(1, longest)}


def mmengine_case(random):
    """A list of one to five entries of any type for one to three parameters, on one clock or on both."""
    groups, events = drawn_groups(random), 40
    epoch_length = random.choice([None, 1, 1, 2, 3, 5])
    clocks = ["epoch"] if epoch_length is None else ["epoch", "iteration", "converted"]
    one_clock = random.choice(["epoch", "iteration"])
    kinds, has_plateau = [*MMENGINE, "OneCycle", "LinearLrInterval"], random.random() < 0.1
    configs = []
    for _ in range(random.randint(1, 5)):
        kind = random.choice(SCALING if has_plateau else kinds)
        clock = random.choice(clocks) if epoch_length else one_clock
        longest = 20 if clock == "iteration" or epoch_length is None else max(20 // epoch_length, 2)
        window = drawn_window(random, longest)
        steps = window["end"] - window["begin"]
        if kind == "LinearLrInterval":
            own = {"start_factor": between(random, 0.05, 1), "end_factor": between(random, 0.05, 1)}
            config = {"type": kind, "from": "mmagic", **own, "interval": random.randint(1, max(steps - 1, 1)), **window}
        else:
            suffix = random.choice(["LR", "LR", "LR", "Momentum", "ParamScheduler"])
            suffix = "LR" if kind == "OneCycle" or has_plateau else suffix
            config = {"type": kind + suffix, **MMENGINE[kind](random, len(groups), steps), **window}
            if suffix == "ParamScheduler":
                config["param_name"] = "weight_decay"
        if clock == "iteration":
            config["by_epoch"] = False
        if clock == "converted":
            config["convert_to_iter_based"] = True
        configs.append(config)
    if has_plateau and (epoch_length or one_clock == "epoch"):
        draw = random.choice([reduce_on_plateau, reduce_lr])
        plateau = draw(random)
        configs.insert(random.randint(0, len(configs)), plateau)
    metrics = [between(random, 0.5, 2) for _ in range(events)] if "Reduce" in str(configs) else None
    more = {"epoch_length": epoch_length, "metrics": metrics, "events": events, "adam": random.random() < 0.3}
    return {"configs": configs, "groups": groups, **more}


def in_mmengine(case, clock=None):
    """What mmengine has for it, stepped as by its runner: at iterations, at epochs, and with metrics."""
    from mmengine.optim import scheduler as library

    optimizer, rows, clock = optimizer_of(case), [], {} if clock is None else clock
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schedulers = [_mmengine_scheduler(library, optimizer, config, case, clock) for config in case["configs"]]
        for event in range(case["events"]):
            rows.append(held(optimizer))
            optimizer.step()
            clock["iter"], clock["epoch"] = event, event // (case["epoch_length"] or 1)
            clock["metric"] = case["metrics"] and case["metrics"][clock["epoch"]]
            iterations = [one for one in schedulers if not one.by_epoch]
            epochs = [one for one in schedulers if one.by_epoch]
            try:
                for one in iterations:
                    one.step()
                if (event + 1) % (case["epoch_length"] or 1) == 0:
                    for one in epochs:
                        one.step()
                    for one in epochs:
                        if getattr(one, "need_val_args", False):
                            one.step({"loss": clock["metric"]})
            except ValueError as error:  # a one-cycle past its last step
                assert "Tried to step" in str(error)
                break
    return np.array(rows)


def _mmengine_scheduler(library, optimizer, config, case, clock):
    kwargs = {key: value for key, value in config.items() if key not in ("type", "convert_to_iter_based", "from")}
    cls = MMAGIC[config["type"]](library, clock) if "from" in config else getattr(library, config["type"])
    if config.get("convert_to_iter_based"):
        return cls.build_iter_from_epoch(optimizer, **kwargs, epoch_length=case["epoch_length"])
    return cls(optimizer, **kwargs)


def mmagic_linear(library, clock):
    """Mmagic's formula: a factor at the first step, then absolute values by the finished iterations or epochs."""

    class LinearLrInterval(library.LinearLR):
        def __init__(self, *args, interval=1, **kwargs):
            self.interval = interval
            super().__init__(*args, **kwargs)

        def _get_value(self):
            if self.last_step == 0:
                return [group["lr"] * self.start_factor for group in self.optimizer.param_groups]
            done = max(0, clock["epoch" if self.by_epoch else "iter"] - self.begin) // self.interval
            part = done / ((self.end - self.begin) // self.interval)
            value = self.start_factor + (self.end_factor - self.start_factor) * part
            return [value for _ in self.optimizer.param_groups]

    return LinearLrInterval


def mmagic_reduce(library, clock):
    """By mmagic's formula: at each step but the first one, a plateau that compares eps before it applies min_lr."""

    class ReduceLR(library.ConstantLR):
        def __init__(self, optimizer, mode, factor, patience, threshold, threshold_mode, cooldown, min_lr, **kwargs):
            self.sign, self.rate, self.patience, self.lowest = 1 if mode == "min" else -1, factor, patience, min_lr
            self.threshold, self.relative, self.cooldown = threshold, threshold_mode == "rel", cooldown
            self.best, self.bad, self.cooling = self.sign * float("inf"), 0, 0
            super().__init__(optimizer, **kwargs)

        def _get_value(self):
            values = [group["lr"] for group in self.optimizer.param_groups]
            if self.last_step == 0:
                return values
            by = self.best * self.threshold if self.relative else self.threshold
            bound = self.best if self.best == self.sign * float("inf") else self.best - self.sign * by
            if self.sign * clock["metric"] < self.sign * bound:
                self.best, self.bad = clock["metric"], -1
            self.bad += 1
            if self.cooling > 0:
                self.cooling, self.bad = self.cooling - 1, 0
            if self.bad <= self.patience:
                return values
            self.cooling, self.bad = self.cooldown, 0
            return [max(v * self.rate, self.lowest) if v - v * self.rate > 1e-8 else v for v in values]

    return ReduceLR


MMAGIC = {"LinearLrInterval": mmagic_linear, "ReduceLR": mmagic_reduce}
