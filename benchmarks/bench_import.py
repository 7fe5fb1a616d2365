"""What ``import skae`` costs beyond its dependencies.

    python benchmarks/bench_import.py [--repeats 9]

Each import runs in a process of its own, in turn; the figures are medians of CPU seconds.
"""

import argparse
import resource
import statistics
import subprocess
import sys

IMPORTS = ("import torch, sklearn, skorch", "import skae")


def cpu_seconds(code):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    runs = [[cpu_seconds(code) for code in IMPORTS] for _ in range(args.repeats + 1)][1:]
    medians = [statistics.median(column) for column in zip(*runs, strict=True)]
    for code, median in zip(IMPORTS, medians, strict=True):
        print(f"{code:32}{median:7.2f} s{median / medians[0]:7.2f}")


if __name__ == "__main__":
    main()
