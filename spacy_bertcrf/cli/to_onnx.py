"""`python -m spacy bertcrf to-onnx`: a pipeline for machines without torch."""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from spacy_bertcrf.cli import bertcrf_app
from spacy_bertcrf.cli.progress import working


@bertcrf_app.command("to-onnx")
def to_onnx_cli(
    pipeline: Annotated[str, typer.Argument(help="A trained pipeline, or its folder")],
    output: Annotated[Path, typer.Argument(help="Folder to write the pipeline to")],
    int8: Annotated[
        bool, typer.Option("--int8", help="Multiply in 8 bits: faster, smaller, not quite the same")
    ] = False,
    force: Annotated[bool, typer.Option("--force", "-F", help="Write over what is there")] = False,
) -> None:
    """Write a pipeline whose bertcrf runs on onnxruntime and NumPy, on the CPU, without torch.

    It predicts and does not learn; keep the trained pipeline for that. To write and to read it
    takes `pip install 'spacy-bertcrf[onnx]'`.
    """
    import spacy

    if output.exists() and not output.is_dir():
        msg.fail(f"{output} is a file", "Name a folder.", exits=1)
    if output.resolve() == Path(pipeline).resolve():
        msg.fail(f"{output} is the trained pipeline itself", "Name another folder.", exits=1)
    if output.exists() and any(output.iterdir()) and not force:
        msg.fail(f"{output} is not empty", "Name another folder, or pass --force.", exits=1)
    try:
        from spacy_bertcrf.pipeline.onnx_export import export_to_onnx

        nlp = spacy.load(pipeline)
        with working("Exporting"):
            names = export_to_onnx(nlp, int8)
    except (ValueError, OSError, ImportError) as error:
        msg.fail("No pipeline was written", str(error), exits=1)
    nlp.to_disk(output)
    msg.good(f"Wrote a pipeline with {', '.join(names)} on onnxruntime to {output}")
