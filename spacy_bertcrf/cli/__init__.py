"""`python -m spacy bertcrf …`: one file a command.

spaCy's command line loads this module through the `spacy_cli` entry point; importing the
command modules below registers them.
"""

import typer
from spacy.cli import app

bertcrf_app = typer.Typer(
    name="bertcrf", help="Corpora and models for the bertcrf component.", no_args_is_help=True
)
app.add_typer(bertcrf_app)

from spacy_bertcrf.cli import (  # noqa: E402, F401
    annotate,
    apply_review,
    calibrate,
    confusion,
    convert,
    debug_data,
    distill,
    export,
    extend_vocab,
    info,
    init_config,
    learning_curve,
    mean_scores,
    plot,
    pretrain,
    report,
    review,
    select,
    serve,
    to_onnx,
    train,
    tune,
)
