"""Trainings on a stand-in for a GPU, beside the same on the CPU: a script that the tests start in
a process of its own, for such a device is there for good once it is there.

    python stand_in_trainings.py CASES.json OUTPUT.json
"""

import json
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


def main(cases: str, output: str) -> None:
    found = {}
    for name, case in json.loads(Path(cases).read_text()).items():
        try:
            found[name] = KINDS[case.get("kind", "twin")](case)
        except Exception:
            found[name] = {"error": traceback.format_exc()}
    Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
