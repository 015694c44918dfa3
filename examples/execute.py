"""Executes the notebooks beside it, each in an empty folder; an error in a cell is an error here.

python examples/execute.py            # as CI does: nothing is written
python examples/execute.py --write    # writes the outputs into the notebooks
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

# Outputs hold neither colours for a terminal nor warnings that name folders of this machine.
PLAIN = {"ANSI_COLORS_DISABLED": "1", "PYTHONWARNINGS": "ignore"}
ROOT = Path(__file__).resolve().parents[1]


def main(write: bool) -> None:
    os.environ.update(PLAIN, SPACY_BERTCRF_SOURCE=str(ROOT))
    for path in sorted((ROOT / "examples").glob("*.ipynb")):
        print(path.name, flush=True)
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(
                notebook,
                timeout=900,
                kernel_name="python3",
                resources={"metadata": {"path": folder}},
                record_timing=False,
                coalesce_streams=True,
            ).execute()
        if write:
            notebook.metadata.pop("language_info", None)
            nbformat.write(notebook, path)


if __name__ == "__main__":
    main(write="--write" in sys.argv[1:])
