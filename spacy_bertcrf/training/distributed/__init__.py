"""Training by several processes, on one machine or many, over torch.distributed.

Each process (rank) has the whole pipeline and reads the same batches. It learns from its part of
each; the gradients are summed up before the optimizer steps, so that the weights stay the same in
all of them, and the same as in one process that learns from the whole batches.
"""

from spacy_bertcrf.training.distributed.errors import RankError
from spacy_bertcrf.training.distributed.process_group import (
    ProcessGroup,
    join,
    local_rank,
    started_as_rank,
)
from spacy_bertcrf.training.distributed.process_ranks import ProcessRanks

__all__ = ["ProcessGroup", "ProcessRanks", "RankError", "join", "local_rank", "started_as_rank"]
