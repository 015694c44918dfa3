"""What stands in the archive is what `nlp.pipe` says, however the work was cut and ordered."""

import json

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_bertcrf.annotation.inputs import find_inputs
from spacy_bertcrf.annotation.job import Job, ShardAnnotator
from spacy_bertcrf.annotation.run import opened
from spacy_bertcrf.annotation.settings import Settings
from spacy_bertcrf.annotation.shards import cut

PIECES = ["王小明", "李雷", "在北京大学工作", "去了上海", "张伟", "。", ",今天天气很好", " ", "x1"]
texts_strategy = st.lists(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join), min_size=1, max_size=12
)


@pytest.fixture(scope="module", params=["cpu_cnn_crf", "bert_crf"])
def pipeline(request, trained_as, tmp_path_factory):
    path = tmp_path_factory.mktemp("pipeline")
    trained_as(request.param).to_disk(path)
    return path, spacy.load(path, config={"components.bertcrf.spans_key": "sure"})


@pytest.mark.slow
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts_strategy, st.integers(1, 5), st.sampled_from([1, 3, None]), st.randoms())
def test_any_cut_and_order_gives_what_the_pipeline_gives(
    pipeline, tmp_path_factory, texts, shard_size, batch_size, rng
):
    """Else an archive could not be told from one that was annotated on another day's cluster."""
    path, nlp = pipeline
    folder = tmp_path_factory.mktemp("archive")
    middle = len(texts) // 2
    for name, some in (("a", texts[:middle]), ("b", texts[middle:])):
        lines = [json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in some]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    given = Settings(shard_size=shard_size, save_texts=True)
    archive = cut(find_inputs([str(folder)], folder / "out")[0], given)
    job = Job(
        str(path), None, folder / "out", given, archive.sources, len(archive.shards),
        batch_size=batch_size,
    )  # fmt: skip
    with opened(job, archive) as run:
        annotate = ShardAnnotator(job)
        for shard in rng.sample(archive.shards, k=len(archive.shards)):
            run.add(annotate(shard))
        run.end()
    parts = sorted((folder / "out" / "parts").iterdir())
    rows = [json.loads(line) for part in parts for line in part.open(encoding="utf-8")]
    assert [row["text"] for row in rows] == texts
    for row, doc in zip(rows, nlp.pipe(texts), strict=True):
        found = [(e["start"], e["end"], e["text"], e["label"]) for e in row["entities"]]
        assert found == [(e.start_char, e.end_char, e.text, e.label_) for e in doc.ents]
        scores = list(doc.spans["sure"].attrs["scores"])
        assert [e["score"] for e in row["entities"]] == pytest.approx(scores, abs=1e-3)
