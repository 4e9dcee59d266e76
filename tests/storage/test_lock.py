"""The lock: one writer at a time; a second one is told who holds it; the kernel releases it however its holder ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from league.errors import RunError
from league.storage.lock import RunLock
from league.storage.store import Store

HOLD = "import sys, time; from pathlib import Path; from league.storage.lock import RunLock\n"
HOLD += "lock = RunLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"


def hold(folder, script=HOLD):
    process = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_writer_is_told_who_holds_the_run_since_when(tmp_path):
    Store.create(tmp_path, {}, {}, {}).close()
    process = hold(tmp_path)
    try:
        year = time.gmtime().tm_year
        with pytest.raises(RunError, match=rf"process {process.pid} on {socket.gethostname()} .* since {year}-"):
            Store.open(tmp_path)
        Store.reader(tmp_path).close()
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    Store.open(tmp_path).close()


def test_two_writers_in_one_process_are_refused_too(tmp_path):
    with RunLock(tmp_path), pytest.raises(RunError, match=f"process {os.getpid()} "):
        RunLock(tmp_path)
    lock = RunLock(tmp_path)
    lock.release()
    lock.release()
    RunLock(tmp_path).release()


def test_a_forked_worker_that_outlives_the_holder_does_not_hold_the_run(tmp_path):
    fork = "import os\nif os.fork() == 0:\n"
    fork += "    open(sys.argv[1] + '/pid', 'w').write(f'{os.getpid()}\\n')\n    time.sleep(60)\n"
    script = HOLD.replace("print(", fork + "print(")
    process = hold(tmp_path, script)
    pid = tmp_path / "pid"
    while not (pid.exists() and pid.read_text().endswith("\n")):
        time.sleep(0.01)
    process.kill()
    process.wait()
    worker = int(pid.read_text())
    try:
        os.kill(worker, 0)
        with RunLock(tmp_path), pytest.raises(RunError, match=f"process {os.getpid()} "):
            RunLock(tmp_path)
    finally:
        os.kill(worker, signal.SIGKILL)
        process.stdout.close()


def test_a_folder_that_cannot_be_locked_is_named(tmp_path):
    with pytest.raises(RunError, match=r"absent.lock cannot be opened"):
        RunLock(tmp_path / "absent")


def test_a_holder_that_has_not_yet_written_its_name_still_holds(tmp_path):
    with RunLock(tmp_path):
        (tmp_path / "lock").write_text("{")
        with pytest.raises(RunError, match="another process has just taken it"):
            RunLock(tmp_path)
