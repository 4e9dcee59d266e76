"""How far every learning trial is from its bound: a table by seed and by the processor's vector instructions.

    python tests/margins.py [TEXT ...] [--seeds 5] [--capabilities default avx2 avx512] [--threads 1] [--slow]

TEXT picks the trials that have it in their names; without one, all. Each capability and number of torch threads gets a
process of its own, as torch reads both when it starts. Prints a Markdown table: what random play reaches, what is
usually reached, what the test asks, and the least and the most that the seeds reached. Ends with 1 if a seed missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from time import perf_counter

LEARNING = Path(__file__).parent / "learning"
MODULES = ("test_it_learns", "test_it_remembers", "off_policy.test_value_learner")
"""The files of `tests/learning` that have TRIALS."""

MATRIX_LIBRARIES = {
    "default": {"MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "avx2": {"MKL_CBWR": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "avx512": {},
}
"""What keeps the libraries that multiply matrices to the same instructions as torch's own loops."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="*")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--capabilities", nargs="+", default=["default", "avx2", "avx512"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--slow", action="store_true", help="also the trials that take minutes")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(asked: argparse.Namespace) -> None:
    """Run the trials in this process, and print each as a line of JSON."""
    import torch

    torch.set_num_threads(asked.threads[0])
    for module in MODULES:
        sys.path[:0] = [str(LEARNING), str((LEARNING / module.replace(".", "/")).parent)]
        for trial in import_module(module.rpartition(".")[2]).TRIALS:
            wanted = not asked.text or any(text.lower() in trial.name.lower() for text in asked.text)
            if wanted and (asked.slow or not trial.slow):
                begin = perf_counter()
                found = [trial.reach(seed) for seed in range(1, asked.seeds + 1)]
                facts = {"name": trial.name, "random": trial.random, "usual": trial.usual, "asked": trial.asked}
                missed = [seed for seed, value in enumerate(found, 1) if not trial.passes(value)]
                print(json.dumps(facts | {"found": found, "missed": missed, "seconds": perf_counter() - begin}))
                sys.stdout.flush()


def main() -> None:
    asked = arguments()
    if asked.here:
        measure(asked)
        return
    print("| trial | random | usual | asked | reached | instructions, threads | seconds a seed |")
    print("|---|---|---|---|---|---|---|")
    missed = False
    for threads in asked.threads:
        for capability in asked.capabilities:
            settings = {"ATEN_CPU_CAPABILITY": capability, "OMP_NUM_THREADS": str(threads)}
            here = [sys.executable, __file__, *asked.text, "--here", "--seeds", str(asked.seeds)]
            here += ["--threads", str(threads), *["--slow"] * asked.slow]
            environment = os.environ | settings | MATRIX_LIBRARIES[capability]
            with subprocess.Popen(here, env=environment, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    one = json.loads(line)
                    bounds = " | ".join(f"{one[key]:.3f}" for key in ("random", "usual", "asked"))
                    reached = f"{min(one['found']):.3f} .. {max(one['found']):.3f}"
                    if one["missed"]:
                        missed, reached = True, f"{reached} MISSED by seeds {one['missed']}"
                    seconds = f"{one['seconds'] / asked.seeds:.1f}"
                    print(f"| {one['name']} | {bounds} | {reached} | {capability}, {threads} | {seconds} |", flush=True)
            missed |= process.returncode != 0
    sys.exit(int(missed))


if __name__ == "__main__":
    main()
