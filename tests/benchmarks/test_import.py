"""The time to import lehr after ignite, beside ignite after torch, and torch; and the commands, in new processes."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
from time import perf_counter
times = [perf_counter()]
import torch
times.append(perf_counter())
import ignite.handlers
times.append(perf_counter())
from lehr.handlers import OneCycleScheduler
times.append(perf_counter())
print(*times)
"""
ROUNDS = 5


def test_import(benchmark, add_row):
    measured = {"lehr": [], "ignite": [], "torch": []}

    def in_a_new_process():
        printed = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True).stdout
        torch, ignite, lehr, end = map(float, printed.split())
        for library, seconds in (("torch", ignite - torch), ("ignite", lehr - ignite), ("lehr", end - lehr)):
            measured[library].append(seconds)

    in_a_new_process()  # from the disk
    for taken in measured.values():
        taken.clear()
    benchmark.pedantic(in_a_new_process, rounds=ROUNDS)
    add_row(
        "torch, then ignite.handlers, then OneCycleScheduler of lehr.handlers: each beyond those before it", measured
    )


PLAN = ("OneCycleScheduler", "max_value=0.1", "total_steps=1000")
COMMANDS = {
    "lehr --help": ("--help",),
    "an argument error": ("plot", "--nonsense"),
    "lehr list": ("list",),
    "lehr plot": ("plot", *PLAN),
    "lehr simulate": ("simulate", *PLAN),
}


def cpu_seconds(*args):
    """The CPU time of a new process of Python, from start to end."""
    process = subprocess.Popen([sys.executable, *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", COMMANDS)
def test_command(benchmark, add_row, name):
    measured = {"lehr": [], "import torch": [], "python": []}

    def all_three():
        command = "from lehr.handlers.cli import main; main()"
        measured["lehr"].append(cpu_seconds("-c", command, *COMMANDS[name]))
        measured["import torch"].append(cpu_seconds("-c", "import torch"))
        measured["python"].append(cpu_seconds("-c", "pass"))

    all_three()  # from the disk
    for taken in measured.values():
        taken.clear()
    benchmark.pedantic(all_three, rounds=ROUNDS)
    add_row(f"{name}: CPU time of the process", measured)
