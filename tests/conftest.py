"""What all tests share: torch on one thread (machines are small and shared), examples that are
always the same, and no skipped test in CI."""

from __future__ import annotations

import os

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)

# What is tried must not differ from run to run: a failure that comes and goes is nobody's.
settings.register_profile("league", derandomize=True, deadline=None)
settings.load_profile("league")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped; in CI every test must run ({report.longrepr})"
