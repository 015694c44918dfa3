"""What a training saves: model-last, and model-best."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training.loop import create_before_to_disk_callback, update_meta

from spacy_bertcrf.training.checkpoints.whole_folder import write_folder

MODEL_BEST, MODEL_LAST = "model-best", "model-last"


class SavedPipelines:
    """Saves model-last and model-best, each whole or not at all.

    output: None to save nothing.
    """

    def __init__(self, nlp: Language, output: Path | None, training: dict[str, Any]):
        self._nlp = nlp
        self._output = output
        self._training = training
        self._before_to_disk = create_before_to_disk_callback(training["before_to_disk"])

    def save_evaluated(self, info: dict[str, Any], is_best: bool) -> None:
        """Save the pipeline with the scores in its meta data."""
        with self._nlp.select_pipes(disable=self._training["frozen_components"]):
            update_meta(self._training, self._nlp, info)
        if self._output is None:
            return
        self.save_last()
        if is_best:
            last = self._output / MODEL_LAST
            write_folder(self._output / MODEL_BEST, partial(shutil.copytree, last))
        info["output_path"] = str(self._output / MODEL_LAST)

    def save_last(self) -> None:
        """Save the pipeline as it is, with averages if the optimizer keeps any."""
        if self._output is not None:
            with self._nlp.use_params(self._training["optimizer"].averages):
                write_folder(self._output / MODEL_LAST, self._before_to_disk(self._nlp).to_disk)
