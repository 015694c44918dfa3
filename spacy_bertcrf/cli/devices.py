"""The device that a command computes on."""


def use_device(gpu_id: int, silent: bool = False) -> None:
    """Have spaCy compute on a GPU, or with a negative number on the CPU, and say so.

    Raises MissingGPUError, a ValueError, if the GPU cannot be used.
    """
    from spacy.cli._util import setup_gpu

    from spacy_bertcrf.models.bridge.gpus import check_gpus

    check_gpus(gpu_id)
    setup_gpu(gpu_id, silent=silent)
