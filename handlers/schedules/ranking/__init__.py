"""The ranking of schedules by a bound on the loss at the end of a run."""
