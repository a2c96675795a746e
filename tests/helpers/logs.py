"""Trainers whose log messages a test reads."""

import logging

from optimizers import make_trainer


def logging_trainer(caplog):
    """A trainer with a logger of its own, whose records ``caplog`` has."""
    engine = make_trainer()
    engine.logger = logging.Logger("of a test")
    engine.logger.addHandler(caplog.handler)
    return engine


def logged(caplog):
    """The warnings in the log."""
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
