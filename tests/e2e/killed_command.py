"""Run by tests in a process of its own: a command that is killed from within or from without.

ARGUMENTS: of `python -m spacy`.
PRINTED: the file to which all goes that it prints.
KILL_AT: the number of the change to files and folders at which the process kills itself, or None.
SIZE_LIMIT: no file becomes larger than so many bytes, as on a full disk; or None.
ENVIRONMENT: more variables.
"""

import os
import resource
import signal
import sys

from spacy.cli import app

import spacy_bertcrf.cli  # noqa: F401

GIVEN = ("ARGUMENTS", "PRINTED", "KILL_AT", "SIZE_LIMIT", "ENVIRONMENT")
ARGUMENTS, PRINTED, KILL_AT, SIZE_LIMIT, ENVIRONMENT = (globals()[name] for name in GIVEN)
CHANGES = ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "shutil.rmtree", "os.truncate")
n_changes = 0


def watch(event, args):
    global n_changes
    is_written = event == "open" and isinstance(args[2], int) and args[2] & os.O_CREAT
    if event in CHANGES or is_written:
        n_changes += 1
        if n_changes == KILL_AT:
            os.kill(os.getpid(), signal.SIGKILL)


os.environ.update(ENVIRONMENT)
if KILL_AT is not None:
    sys.addaudithook(watch)
if SIZE_LIMIT is not None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE_LIMIT, SIZE_LIMIT))
with PRINTED.open("a") as printed:
    os.dup2(printed.fileno(), 1)
    os.dup2(printed.fileno(), 2)
    app(list(map(str, ARGUMENTS)), prog_name="spacy")
