"""Texts a second of `annotate`, beside what else there is, in one run; its overhead; its memory.

    OMP_NUM_THREADS=1 python benchmarks/annotate.py overhead PIPELINE TEXTS.txt --n-texts 1000
    OMP_NUM_THREADS=1 python benchmarks/annotate.py speed PIPELINE TEXTS.txt --n-texts 4000
    OMP_NUM_THREADS=1 python benchmarks/annotate.py reading TEXTS.txt
    OMP_NUM_THREADS=1 python benchmarks/annotate.py memory

`overhead` has three programs in one process, on the same texts, in turns, and counts the seconds of
the processor, which other programs on the machine disturb less than the clock: `nlp.pipe`, as one
has it who wants entities alone; `nlp.pipe, scores`, which asks for the scores of the entities, as
`annotate` must; and `annotate`, which reads shards, annotates them with scores, and writes them.
Loading is not in it. The share is the median of the rounds' ratios to `nlp.pipe`.

`speed` counts by the clock. `start` is what the same takes for a single text: loading, and of
processes and Ray their start. Texts a second are of the time beyond that, at the best of the
rounds, which take turns.

`reading` is what one process does before any text is annotated: it reads the archive once and cuts
it; the best of three times. `memory` has a million generated texts, each with words of its own,
annotated by rules in one process of `--nproc`. Linux only.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import spacy
import torch
from spacy.cli.apply import apply

from spacy_bertcrf.annotation.annotator import keep_scores
from spacy_bertcrf.annotation.engine_local import annotate_here, annotate_in_processes
from spacy_bertcrf.annotation.engine_ray import annotate_on_ray
from spacy_bertcrf.annotation.inputs import input_file
from spacy_bertcrf.annotation.job import Job, ShardAnnotator
from spacy_bertcrf.annotation.results import json_line
from spacy_bertcrf.annotation.run import opened
from spacy_bertcrf.annotation.settings import Settings
from spacy_bertcrf.annotation.shards import Archive, cut

N_MEMORY = 1_000_000
PAGE = 4096


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    for name, run, rounds in (("overhead", measure_overhead, 5), ("speed", measure_speed, 2)):
        command = commands.add_parser(name)
        command.add_argument("pipeline")
        command.add_argument("texts", type=Path)
        command.add_argument("--n-texts", type=int, default=4000)
        command.add_argument("--shard-size", type=int, default=1000)
        command.add_argument("--rounds", type=int, default=rounds)
        command.set_defaults(run=run)
    command.add_argument("--no-ray", action="store_true")
    reading = commands.add_parser("reading")
    reading.add_argument("texts", type=Path)
    reading.set_defaults(run=measure_reading)
    memory = commands.add_parser("memory")
    memory.add_argument("--n-texts", type=int, default=N_MEMORY)
    memory.set_defaults(run=measure_memory)
    args = parser.parse_args()
    args.run(args)


def measure_overhead(args: argparse.Namespace) -> None:
    texts = first_texts(args)
    plain, scored = spacy.load(args.pipeline), spacy.load(args.pipeline)
    keep_scores(scored)
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
        job, archive = prepare(folder, args.pipeline, args.shard_size)
        with opened(job, archive):
            annotator = ShardAnnotator(job)
            programs = {
                "nlp.pipe": lambda: [len(doc.ents) for doc in plain.pipe(texts)],
                "nlp.pipe, scores": lambda: [len(doc.ents) for doc in scored.pipe(texts)],
                "annotate": lambda: [annotator(shard).entities for shard in archive.shards],
            }
            for run in programs.values():
                run()  # what is done once, as oneDNN's preparations
            seconds: dict[str, list[float]] = {name: [] for name in programs}
            for _ in range(args.rounds):
                for name, run in programs.items():
                    seconds[name].append(processor_seconds(run))
    finally:
        shutil.rmtree(folder)
    print_setting(args, texts)
    for name, of_rounds in seconds.items():
        pairs = zip(of_rounds, seconds["nlp.pipe"], strict=True)
        share = statistics.median(mine / pipes for mine, pipes in pairs)
        rate = len(texts) / statistics.median(of_rounds)
        print(f"{name:20} {rate:8.0f} texts a processor's second   {share:6.1%} of nlp.pipe's time")


def processor_seconds(program: Callable[[], object]) -> float:
    began = time.process_time()
    program()
    return time.process_time() - began


def first_texts(args: argparse.Namespace) -> list[str]:
    lines = args.texts.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip()][: args.n_texts]


def print_setting(args: argparse.Namespace, texts: list[str]) -> None:
    print(
        f"{len(texts)} texts, {args.rounds} rounds, {torch.get_num_threads()} torch thread(s), "
        f"{time.strftime('%Y-%m-%d %H:%M')}, load {os.getloadavg()[0]:.1f} at the end"
    )


def measure_speed(args: argparse.Namespace) -> None:
    texts = first_texts(args)
    programs: dict[str, Callable[[list[str]], None]] = {
        "nlp.pipe": lambda given: through_pipe(args.pipeline, given),
        "nlp.pipe, scores": lambda given: through_pipe(args.pipeline, given, scores=True),
        "annotate": lambda given: through_annotate(args, given, annotate_here),
        "nlp.pipe(n_process=2)": lambda given: through_pipe(args.pipeline, given, n_process=2),
        "spacy apply": lambda given: through_apply(args.pipeline, given),
        "annotate --nproc 2": lambda given: through_annotate(
            args, given, lambda job, shards: annotate_in_processes(job, shards, 2)
        ),
    }
    if not args.no_ray:
        programs["annotate --ray local, 2 actors"] = lambda given: through_annotate(
            args, given, lambda job, shards: annotate_on_ray(job, shards, "local", 2, 2)
        )
    starts: dict[str, float] = dict.fromkeys(programs, float("inf"))
    times: dict[str, float] = dict.fromkeys(programs, float("inf"))
    for _ in range(args.rounds):
        for name, program in programs.items():
            starts[name] = min(starts[name], timed(program, texts[:1]))
            times[name] = min(times[name], timed(program, texts))
    print_setting(args, texts)
    for name in programs:
        rate = (len(texts) - 1) / (times[name] - starts[name])
        print(f"{name:32} {rate:8.0f} texts/s   start {starts[name]:5.1f} s")


def timed(program: Callable[[list[str]], None], texts: list[str]) -> float:
    began = time.monotonic()
    program(texts)
    return time.monotonic() - began


def through_pipe(
    pipeline: str, texts: list[str], *, scores: bool = False, n_process: int = 1
) -> None:
    nlp = spacy.load(pipeline)
    if scores:
        keep_scores(nlp)
    for doc in nlp.pipe(texts, n_process=n_process):
        len(doc.ents)


def through_apply(pipeline: str, texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.txt"
        path.write_text("\n".join(texts), encoding="utf-8")
        # As its command has them.
        apply(path, Path(folder) / "out.spacy", pipeline, "text", 1, 1)


def through_annotate(args: argparse.Namespace, texts: list[str], engine: Callable) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
        annotate(folder, args.pipeline, args.shard_size, engine)
    finally:
        shutil.rmtree(folder)


def annotate(folder: Path, pipeline: str, shard_size: int, engine: Callable) -> None:
    job, archive = prepare(folder, pipeline, shard_size)
    with opened(job, archive) as run:
        for done in engine(job, run.remaining()):
            run.add(done)
        run.end()


def prepare(folder: Path, pipeline: str, shard_size: int) -> tuple[Job, Archive]:
    settings = Settings(shard_size=shard_size)
    archive = cut([input_file(folder / "texts.txt")], settings)
    sources, n_shards = archive.sources, len(archive.shards)
    return Job(pipeline, None, folder / "out", settings, sources, n_shards), archive


def measure_reading(args: argparse.Namespace) -> None:
    lines = args.texts.read_text(encoding="utf-8").splitlines()
    rows = [{"id": i, "text": line} for i, line in enumerate(lines)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.jsonl"
        path.write_bytes(b"".join(map(json_line, rows)))
        seconds = min(processor_seconds(lambda: cut([input_file(path)], Settings())) for _ in "abc")
    print(f"{len(rows) / seconds:.0f} lines of JSON a processor's second, of {len(rows)}")


def measure_memory(args: argparse.Namespace) -> None:
    import multiprocessing

    folder = Path(tempfile.mkdtemp())
    try:
        nlp = spacy.blank("en")
        nlp.add_pipe("entity_ruler").add_patterns([{"label": "CITY", "pattern": "Berlin"}])
        nlp.to_disk(folder / "pipeline")
        with (folder / "texts.txt").open("w") as file:
            file.writelines(f"w{i}x is not Berlin but v{i * 7919}\n" for i in range(args.n_texts))
        n_done = 0

        def engine(job, shards):
            nonlocal n_done
            for done in annotate_in_processes(job, shards, 1):
                n_done += done.texts
                if done.shard % 10 == 9:
                    (child,) = multiprocessing.active_children()
                    memory = f"{mb('self')} MB of the command, {mb(child.pid)} of the process"
                    print(f"{n_done:9} texts: {memory}")
                yield done

        annotate(folder, str(folder / "pipeline"), 10_000, engine)
    finally:
        shutil.rmtree(folder)


def mb(pid: int | str) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE // 1_000_000


if __name__ == "__main__":
    main()
