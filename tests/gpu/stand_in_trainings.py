"""Trainings on a stand-in for a GPU, beside the same on the CPU: a script that the tests start in
a process of its own, for such a device is there for good once it is there.

    python stand_in_trainings.py GROUPS.json

Each group is a list of processes that run at the same time, forked from this one after its imports,
which take longest. Of each: its environment, the file with its cases, and that for its output.
"""

import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

# First of all, before thinc looks for a GPU.
from stand_in_gpu import DEVICE  # isort: skip

import torch
from stand_in_journal import journal
from stand_in_loops import in_processes, resumed
from stand_in_twins import fault, twin

from spacy_bertcrf.layers import LinearChainCRF


def crf(case: dict[str, Any]) -> dict[str, Any]:
    """What the CRF asks of the device for a batch of ragged texts."""
    batch, longest, n_tags = case["size"]
    torch.manual_seed(0)
    lengths = torch.randint(longest // 4, longest + 1, (batch,))
    lengths[0] = longest  # so many steps
    mask = torch.arange(longest) < lengths[:, None]
    layer = LinearChainCRF(n_tags, batch_first=True).to(DEVICE)
    emissions = torch.randn(batch, longest, n_tags).to(DEVICE).requires_grad_()
    tags = torch.randint(n_tags, (batch, longest))
    journal.clear()
    layer(emissions, tags, mask, reduction="sum").backward()
    loss = journal.noted()
    journal.clear()
    layer.decode(emissions, mask)
    return {"loss": loss, "best path": journal.noted()}


KINDS = {
    "twin": twin,
    "crf": crf,
    "resumed": resumed,
    "processes": in_processes,
    "fault": fault,
}


def main(groups: str) -> None:
    for group in json.loads(Path(groups).read_text()):
        started = []
        for process in group:
            pid = os.fork()
            if pid == 0:
                run(**process)
            started.append(pid)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in started]
        if any(codes):
            sys.exit(f"processes ended with {codes}")


def run(environment: dict[str, str], cases: str, output: str) -> None:
    """Go through the cases, and end this process."""
    code = 1
    try:
        os.environ.update(environment)
        found = {}
        for name, case in json.loads(Path(cases).read_text()).items():
            try:
                found[name] = KINDS[case.get("kind", "twin")](case)
            except Exception:
                found[name] = {"error": traceback.format_exc()}
        Path(output).write_text(json.dumps(found))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
