"""The service for annotators: what it gives, keeps and refuses."""

import json
import threading
import time
from pathlib import Path

import pytest
import requests
import spacy
from spacy.tokens import DocBin
from spacy.util import load_config

from spacy_bertcrf.annotation.rows import Row
from spacy_bertcrf.corpora.reading import read_corpus
from spacy_bertcrf.serving.app import PAGE, TEACHING_PAGE
from spacy_bertcrf.serving.readings import Reader
from spacy_bertcrf.teaching import session as session_module
from spacy_bertcrf.teaching.decisions import DecisionFile
from spacy_bertcrf.teaching.retraining import Retraining, RunningError
from spacy_bertcrf.teaching.session import Teaching

KNOWN, NEW, FAILS = "王小明在北京大学工作。", "广州张伟大学上海王芳", "boom 👍 上海"
NEW_FIRST = "spacy.prioritize_new_ents_filter.v1"
ROOT = Path(__file__).parents[2]
TAB = "a tab of the tests"


def ask(server, path, tab=TAB, **content):
    answer = server.session.post(f"{server.url}/v1/teach/{path}", json={"tab": tab, **content})
    return answer.status_code, answer.json()


@pytest.fixture
def session(serve, teach):
    teaching, readers = teach(KNOWN, NEW, FAILS, labels=["time"])
    with serve(readers, teaching=teaching) as server, requests.Session() as server.session:
        yield server


def test_texts_come_in_teaching_order_and_pre_annotated(session):
    status, first = ask(session, "next")
    assert status == 200
    assert first["counts"] == {"accepted": 0, "skipped": 0, "left": 3}
    assert first["labels"][-1] == "time"
    text = first["text"]
    assert (text["text"], text["id"]) == (NEW, "raw:1"), "what the pipeline knows by heart is later"
    assert text["tokens"] == [[i, i + 1] for i in range(len(NEW))]
    plain = session.post({"text": NEW}).json()["entities"]
    assert [s["start"] for s in text["suggestions"]] == [e["start"] for e in plain]
    assert (text["entities"], text["rejected"]) == ([], [])


def test_a_text_that_the_pipeline_cannot_read_can_be_annotated(session):
    found = [ask(session, "next", tab=f"tab number {i}")[1]["text"] for i in range(3)]
    (failed,) = [text for text in found if text["text"] == FAILS]
    assert "boom is more" in failed["error"]
    assert failed["suggestions"] == []
    assert failed["tokens"][4] == [5, 6]


def test_every_suggestion_can_be_accepted(serve, load, tmp_path):
    """Also one of a component that does not say which labels it has."""
    nlp = load()
    setting = {"annotate_ents": True, "ents_filter": {"@misc": NEW_FIRST}}
    nlp.add_pipe("span_ruler", config=setting).add_patterns([{"label": "job", "pattern": "工作"}])
    file = DecisionFile(tmp_path / "saved.jsonl")
    teaching = Teaching(nlp, [Row("1", KNOWN, {}, "raw:1")], file)
    readers = {"model": Reader(nlp)}
    with serve(readers, teaching=teaching) as server, requests.Session() as server.session:
        told = ask(server, "next")[1]
        spans = [{k: s[k] for k in ("start", "end", "label")} for s in told["text"]["suggestions"]]
        assert "job" in {span["label"] for span in spans} & set(told["labels"])
        said = {"key": told["text"]["key"], "status": "accepted", "entities": spans}
        assert ask(server, "decide", rejected=[], **said)[0] == 200


def test_a_decision_is_on_the_disk_before_it_is_answered(session, tmp_path):
    text = ask(session, "next")[1]["text"]
    said = {
        "key": text["key"],
        "entities": [{"start": 0, "end": 2, "label": "name"}],
        "rejected": [{"start": 3, "end": 7, "label": "address"}],
    }
    ask(session, "decide", status="open", **said)
    status, answer = ask(session, "decide", status="accepted", **said)
    assert (status, answer["counts"]["accepted"]) == (200, 1)
    _, line = (tmp_path / "saved.jsonl").read_text("utf8").splitlines()
    assert json.loads(line)["entities"][0] == {**said["entities"][0], "text": "广州"}
    assert ask(session, "next")[1]["text"]["text"] != NEW
    again = ask(session, "reopen", key=text["key"])[1]["text"]
    assert (again["entities"], again["rejected"]) == (said["entities"], said["rejected"])


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (
            {"status": "accepted", "entities": [{"start": 0, "end": 99, "label": "name"}]},
            422,
            "out",
        ),
        (
            {"status": "accepted", "entities": [{"start": 0, "end": 2, "label": "<b>"}]},
            422,
            "label",
        ),
        ({"status": "done"}, 422, "status"),
        ({"status": "open", "file": "/etc/passwd"}, 422, "file"),
        ({"status": "open", "key": "no such"}, 404, "no such text"),
        ({"status": "open", "tab": "another tab"}, 409, "Another tab"),
    ],
)
def test_what_is_no_decision_is_refused(session, tmp_path, content, status, told):
    key = ask(session, "next")[1]["text"]["key"]
    content = {"key": key, "entities": [], "rejected": [], **content}
    found, answer = ask(session, "decide", **content)
    assert found == status
    assert told in answer["error"]
    assert (tmp_path / "saved.jsonl").read_bytes() == b""


def test_another_site_cannot_decide(session):
    """Its pages may send what is no JSON without the browser asking the service first."""
    for headers in ({}, {"Content-Type": "text/plain"}):
        answer = requests.post(
            f"{session.url}/v1/teach/next", data=json.dumps({"tab": TAB}), headers=headers
        )
        assert answer.status_code == 415


def test_the_token_is_asked_for(serve, teach):
    teaching, readers = teach(KNOWN)
    with serve(readers, teaching=teaching, token="s3cret") as server:
        for path in [*PAGE, *TEACHING_PAGE, "/docs"]:
            assert server.get(path).status_code == 200, "the page asks for the token itself"
        assert "script-src 'self'" in server.get("/teach").headers["Content-Security-Policy"]
        answer = requests.post(f"{server.url}/v1/teach/next", json={"tab": TAB})
        assert answer.status_code == 401
        assert server.get("/v1/teach/training").status_code == 401


def test_the_api_is_told_without_any_script(session):
    answer = session.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    for told in ("POST /v1/entities", "POST /v1/teach/decide", "k_best", "by default characters"):
        assert told in answer.text
    assert "<script" not in answer.text
    assert "list of object of start, end, label" in answer.text


def test_without_a_queue_there_is_no_such_page(server):
    assert server.get("/teach").status_code == 404
    assert server.get("/v1/pipelines").json()["teach"] is False


@pytest.mark.slow
def test_tabs_at_once_have_different_texts_and_lose_nothing(serve, teach, tmp_path):
    texts = [f"{KNOWN}{i}" for i in range(24)]
    teaching, readers = teach(*texts, by=None)

    def annotate(server, tab):
        with requests.Session() as server.session:
            while (text := ask(server, "next", tab=tab)[1]["text"]) is not None:
                given.append(text["text"])
                said = {"key": text["key"], "status": "accepted", "entities": [], "rejected": []}
                assert ask(server, "decide", tab=tab, **said)[0] == 200

    given = []
    with serve(readers, teaching=teaching) as server:
        server.session = requests.Session()
        threads = [
            threading.Thread(target=annotate, args=(type(server)(server.url), f"tab number {i}"))
            for i in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(given) == sorted(texts)
    assert len(read_corpus(tmp_path / "saved.jsonl", lang="zh").docs) == len(texts)


def test_a_training_whose_folder_cannot_be_made_says_so(serve, teach, tmp_path, make_nlp):
    """And another one can be begun when it can."""
    config, folder = tmp_path / "config.cfg", tmp_path / "out"
    make_nlp("cpu_cnn_crf").config.to_disk(config)
    teaching, readers = teach(KNOWN)
    teaching.train_with(config, folder, "zh")
    folder.write_text("in the way", encoding="utf8")
    with serve(readers, teaching=teaching) as server:
        url = f"{server.url}/v1/teach/train"
        for _ in range(2):
            answer = requests.post(url, json={}, timeout=30)
            assert (answer.status_code, "out" in answer.json()["error"]) == (507, True)
        assert server.get("/v1/teach/training").json()["state"] == "idle"
        folder.unlink()
        assert requests.post(url, json={}, timeout=30).status_code == 200
        wait(teaching.retraining)


def test_a_service_that_ends_does_not_wait_for_a_new_order(teach, pipeline_folder, monkeypatch):
    """Of a hundred thousand texts it takes longer than who stops the service waits."""
    given = []
    monkeypatch.setattr(session_module, "Retraining", lambda *settings: given.extend(settings))
    teaching, _ = teach(KNOWN)
    teaching.train_with(Path("config.cfg"), Path("out"), "zh")
    use = given[4]
    use(pipeline_folder)
    teaching.close()
    with pytest.raises(ValueError, match="The service ends"):
        use(pipeline_folder)


@pytest.mark.parametrize("given", ["", "corpus.jsonl"])
def test_a_corpus_that_is_not_read_is_told(teach, tmp_path, make_nlp, given):
    """Else it would be left out of the training, or fail in the middle of it."""
    teaching, _ = teach(KNOWN)
    queue = teaching.queue
    for tab in ("tab-a", "tab-b"):
        found = queue.next(tab)
        if found is not None:
            queue.decide(tab, found.key, "accepted", [], [])
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text("{}", encoding="utf8")
    config = make_nlp("cpu_cnn_crf").config.copy()
    config["paths"] = {"train": str(folder / given), "dev": "dev.spacy"}
    config.to_disk(tmp_path / "config.cfg")
    teaching.train_with(tmp_path / "config.cfg", tmp_path / "out", "zh")
    teaching.retraining.start()
    wait(teaching.retraining)
    assert "no .spacy file" in teaching.retraining.progress()["error"]


def test_a_training_on_nothing_says_so(teach, tmp_path, make_nlp):
    teaching, _ = teach(KNOWN)
    config = tmp_path / "config.cfg"
    make_nlp("cpu_cnn_crf").config.to_disk(config)
    with pytest.raises(ValueError, match="no training config"):
        teaching.train_with(tmp_path / "none.cfg", tmp_path / "out", "zh")
    training = Retraining(config, tmp_path / "out", tmp_path / "saved.jsonl", "zh", print)
    training.start()
    wait(training)
    assert training.progress()["state"] == "failed"
    assert "Nothing has been annotated" in training.progress()["error"]
    training.stop()
    with pytest.raises(RunningError):
        training.start()


@pytest.mark.slow
@pytest.mark.usefixtures("forked_commands")
def test_a_training_swaps_its_pipeline_in(serve, teach, tmp_path):
    """And a failed one says so, and leaves the old pipeline serving."""
    config = load_config(ROOT / "configs" / "cpu_cnn_crf.cfg")
    config["training"].update(max_epochs=0, max_steps=4, eval_frequency=2, patience=0)
    config.to_disk(tmp_path / "good.cfg")
    config["training"]["max_steps"] = 10**6
    config.to_disk(tmp_path / "long.cfg")
    config["training"]["optimizer"] = {"@optimizers": "no such optimizer"}
    config.to_disk(tmp_path / "bad.cfg")
    teaching, readers = teach(KNOWN, NEW, "一切都好。", labels=["time"])
    before = readers["model"]
    with serve(readers, teaching=teaching) as server, requests.Session() as server.session:
        for spans in ([(0, 2, "time")], [], [(0, 2, "name")]):
            text = ask(server, "next")[1]["text"]
            said = [dict(zip(("start", "end", "label"), span, strict=True)) for span in spans]
            wrong = [{"start": 2, "end": 4, "label": "name"}]
            content = {"key": text["key"], "status": "accepted", "entities": said}
            assert ask(server, "decide", rejected=wrong, **content)[0] == 200
        for name, state in (("bad", "failed"), ("good", "done")):
            teaching.train_with(tmp_path / f"{name}.cfg", tmp_path / name, "zh")
            url = f"{server.url}/v1/teach/train"
            assert server.session.post(url, json={}).status_code == 200
            assert server.session.post(url, json={}).status_code == 409
            wait(teaching.retraining)
            progress = server.get("/v1/teach/training").json()
            assert progress["state"] == state, progress
            assert progress["texts"] == 3
            assert progress["log"]
            assert "\x1b" not in "".join(progress["log"]), "no terminal shows it"
            labels = server.get("/v1/pipelines").json()["pipelines"][0]["labels"]
            assert ("time" in labels) == (name == "good")
            assert server.post({"text": KNOWN}).status_code == 200
        teaching.train_with(tmp_path / "long.cfg", tmp_path / "long", "zh")
        assert server.session.post(url, json={}).status_code == 200
        while teaching.retraining.progress()["state"] != "training":
            time.sleep(0.05)
    ended = teaching.retraining.progress()
    assert ended["state"] == "failed", "a training ends with its service"
    assert "ended with the service" in ended["error"]
    assert set(before.labels) >= {"name", "address"}
    (trained,) = (tmp_path / "good").glob("*/model-best")
    assert spacy.load(trained).get_pipe("bertcrf").incorrect_spans_key == "incorrect_spans"
    docs = DocBin().from_disk(trained.parent / "train" / "annotated.spacy")
    assert len(docs) == 2, "every fifth text is for the dev corpus, where the config names none"
    assert not (trained.parent / "checkpoints").exists()


def wait(training, seconds=240):
    deadline = time.monotonic() + seconds
    while training.progress()["state"] in ("preparing", "training", "loading"):
        assert time.monotonic() < deadline, training.progress()
        time.sleep(0.05)
