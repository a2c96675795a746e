"""The time to import lehr after ignite, beside ignite after torch, and torch, in new processes."""

import subprocess
import sys

PROGRAM = """
from time import perf_counter
times = [perf_counter()]
import torch
times.append(perf_counter())
import ignite.handlers
times.append(perf_counter())
import lehr.handlers
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
    add_row("torch, then ignite.handlers, then lehr.handlers: each beyond those before it", measured)
