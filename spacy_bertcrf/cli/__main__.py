"""`python -m spacy_bertcrf.cli …`: what torchrun can start; else as `python -m spacy bertcrf …`."""

from spacy_bertcrf.cli import bertcrf_app

if __name__ == "__main__":
    bertcrf_app(prog_name="python -m spacy_bertcrf.cli")
