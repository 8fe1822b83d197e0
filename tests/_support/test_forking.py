"""Work in a process that was forked after torch has computed with several threads."""

from __future__ import annotations

import _thread
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nncodec._support import forking
from nncodec._support.forking import note_thread

DECODE_AND_FORK = """
import os, sys, warnings
import torch
torch.set_num_threads(2)
import numpy as np
import nncodec

warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: a fork of a process with threads
data = nncodec.encode(np.random.default_rng(1).integers(0, 255, (256, 256, 3), np.uint8))
expected = nncodec.decode(data, as_array=True)
child = os.fork()
if not child:
    same = np.abs(nncodec.decode(data, as_array=True).astype(int) - expected).max() <= 1
    os._exit(0 if same and nncodec.encode(expected) and torch.get_num_threads() == 1 else 1)
assert torch.get_num_threads() == 2
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_forked_after_decoding_encodes_and_decodes() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", DECODE_AND_FORK],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=environment,
            process_group=0,
        )
    except subprocess.TimeoutExpired:
        pytest.fail("the child hangs")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="this system does not tell its threads")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forks with threads, from Python 3.12 on
def test_a_fork_waits_for_threads_that_end() -> None:
    begun, ended = threading.Event(), []

    def work() -> None:
        note_thread()
        begun.set()
        time.sleep(0.2)
        ended.append(True)

    _thread.start_new_thread(work, ())  # not one of `threading.enumerate`, as a thread that ends
    begun.wait(10)
    if not (child := os.fork()):
        os._exit(0 if ended else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_threads_that_are_gone_are_forgotten() -> None:
    for _ in range(300):
        thread = threading.Thread(target=note_thread)
        thread.start()
        thread.join()
    assert len(forking._computed) <= 100
