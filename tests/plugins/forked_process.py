"""Run by tests in a process that was forked from one with all imported: what `python ARGUMENTS`
would run, which may be killed from within or from without.

ARGUMENTS: of Python; a script, or -m and a module, and what follows.
PRINTED: the file to which all goes that it prints.
ENVIRONMENT: its variables.
FOLDER: where it begins.
KILL_AT: the number of the change to files and folders at which the process kills itself, or None.
SIZE_LIMIT: no file becomes larger than so many bytes, as on a full disk; or None.
"""

import os
import resource
import runpy
import signal
import sys

import torch

GIVEN = ("ARGUMENTS", "PRINTED", "ENVIRONMENT", "FOLDER", "KILL_AT", "SIZE_LIMIT")
ARGUMENTS, PRINTED, ENVIRONMENT, FOLDER, KILL_AT, SIZE_LIMIT = (globals()[name] for name in GIVEN)
CHANGES = ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "shutil.rmtree", "os.truncate")
n_changes = 0


def watch(event, args):
    global n_changes
    is_written = event == "open" and isinstance(args[2], int) and args[2] & os.O_CREAT
    if event in CHANGES or is_written:
        n_changes += 1
        if n_changes == KILL_AT:
            os.kill(os.getpid(), signal.SIGKILL)


os.environ.clear()
os.environ.update(ENVIRONMENT)
if "OMP_NUM_THREADS" in os.environ:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
os.chdir(FOLDER)
if KILL_AT is not None:
    sys.addaudithook(watch)
if SIZE_LIMIT is not None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE_LIMIT, SIZE_LIMIT))
with open(PRINTED, "a") as printed:
    os.dup2(printed.fileno(), 1)
    os.dup2(printed.fileno(), 2)
    if ARGUMENTS[0] == "-m":
        sys.argv = list(ARGUMENTS[1:])
        runpy.run_module(ARGUMENTS[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(ARGUMENTS)
        sys.path.insert(0, os.path.dirname(ARGUMENTS[0]))
        runpy.run_path(ARGUMENTS[0], run_name="__main__")
