"""What it costs to convert a corpus: seconds of CPU, MB/s and peak memory for each format that is
written too and for Parquet, and for spaCy alone, which imports itself, and which reads and writes
the same Docs as a DocBin.

python benchmarks/convert.py corpus.txt [--sentences 45000] [--formats columns …]

corpus.txt: columns, such as MSRA's; it is repeated until it has that many sentences.
"""

import argparse
import subprocess
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path

FORMATS = ("columns", "parquet", "cluener", "json-spans", "doccano", "label-studio", "prodigy")
ROWS_AT_ONCE = 1000

IMPORT = "import spacy"
DOCBIN = """
import sys, spacy
from spacy.tokens import DocBin
docs = DocBin().from_disk(sys.argv[1]).get_docs(spacy.blank("zh").vocab)
DocBin(attrs=["ENT_IOB", "ENT_TYPE"], docs=docs).to_disk(sys.argv[2])
"""
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def measure(name: str, size: int, *arguments: str) -> None:
    """Run Python with these arguments; print its CPU seconds, MB/s and peak memory."""
    command = [sys.executable, "-c", MEASURE, sys.executable, *arguments]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    seconds, kilobytes = map(float, printed.split())
    # Linux counts KiB, macOS bytes.
    megabytes = kilobytes / (1024**2 if sys.platform == "darwin" else 1024)
    speed = f"{size / seconds / 1e6:.1f}" if size else "–"
    row = f"| {name} | {size / 1e6:.1f} | {seconds:.1f} | {speed} | {megabytes:.0f} |"
    print(row, flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--sentences", type=int, default=45_000)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    arguments = parser.parse_args()
    text = arguments.corpus.read_text(encoding="utf8").strip()
    sentences = islice(cycle(text.split("\n\n")), arguments.sentences)
    with tempfile.TemporaryDirectory() as folder:
        columns = Path(folder) / "columns.txt"
        columns.write_text("\n\n".join(sentences) + "\n", encoding="utf8")
        output = str(Path(folder) / "out.spacy")
        command = ["-m", "spacy", "bertcrf"]

        def convert(name: str, path: Path) -> None:
            arguments = [*command, "convert", str(path), output, "--lang", "zh"]
            measure(name, path.stat().st_size, *arguments)

        print("| read | MB | CPU s | MB/s | peak MB |\n|---|---|---|---|---|")
        measure("nothing: import spacy", 0, "-c", IMPORT)
        for name in arguments.formats:
            path = columns if name == "columns" else Path(folder) / f"{name}.json"
            if name == "parquet":
                write_parquet(columns, path)
            elif name != "columns":
                export = [*command, "export", str(columns), str(path), "--format", name]
                subprocess.run([sys.executable, *export], check=True, stdout=subprocess.DEVNULL)
            convert(name, path)
        size = Path(output).stat().st_size
        measure("DocBin → DocBin, by spaCy", size, "-c", DOCBIN, output, output)


def write_parquet(columns: Path, path: Path) -> None:
    """The sentences of a column file as rows of tokens and tags."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    texts = pyarrow.list_(pyarrow.string())
    schema = pyarrow.schema({"tokens": texts, "ner_tags": texts})
    sentences = iter(columns.read_text(encoding="utf8").strip().split("\n\n"))
    with ParquetWriter(path, schema) as writer:
        while batch := list(islice(sentences, ROWS_AT_ONCE)):
            rows = [[line.split() for line in sentence.splitlines()] for sentence in batch]
            tokens = [[row[0] for row in sentence] for sentence in rows]
            tags = [[row[-1] for row in sentence] for sentence in rows]
            writer.write_batch(pyarrow.record_batch([tokens, tags], schema=schema))


if __name__ == "__main__":
    main()
