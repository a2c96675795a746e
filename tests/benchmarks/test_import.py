"""The cost of importing: what lehr takes beyond ignite, beside what ignite takes beyond torch, in new processes."""

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


def test_import(benchmark, tell):
    samples = {"lehr": [], "ignite": [], "torch": []}

    def in_a_new_process():
        printed = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True).stdout
        torch, ignite, lehr, end = map(float, printed.split())
        for library, seconds in (("torch", ignite - torch), ("ignite", lehr - ignite), ("lehr", end - lehr)):
            samples[library].append(seconds)

    in_a_new_process()  # from the disk
    for taken in samples.values():
        taken.clear()
    benchmark.pedantic(in_a_new_process, rounds=ROUNDS)
    tell("torch, then ignite.handlers, then lehr.handlers: each beyond those before it", samples)
