"""The HTTP API: what it answers, and to whom."""

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
import requests
import spacy

from spacy_bertcrf.serving.limits import Limits
from spacy_bertcrf.serving.readings import Reader

TEXT = "王小明在北京大学工作。"


def expected(pipeline_folder, text):
    nlp = spacy.load(pipeline_folder, config={"components": {"bertcrf": {"spans_key": "s"}}})
    doc = nlp(text)
    scores = doc.spans["s"].attrs["scores"]
    return [
        (ent.start_char, ent.end_char, ent.text, ent.label_, pytest.approx(score, abs=1e-3))
        for ent, score in zip(doc.spans["s"], scores, strict=True)
    ]


def found(answer):
    return [tuple(e[k] for k in ("start", "end", "text", "label", "score"))
            for e in answer["entities"]]  # fmt: skip


def test_one_text_and_several(server, pipeline_folder):
    """The answers are the pipeline's own."""
    want = expected(pipeline_folder, TEXT)
    assert want
    assert found(server.post({"text": TEXT}).json()) == want
    results = server.post({"texts": [TEXT, "", TEXT]}).json()["results"]
    assert [found(result) for result in results] == [want, [], want]


def test_offsets_are_characters_or_utf16_units(server):
    text = "👍👍" + TEXT
    plain, utf16 = (
        server.post({"text": text, "offsets": unit, "k_best": 1}).json()
        for unit in ("characters", "utf16")
    )
    for e in plain["entities"]:
        assert text[e["start"] : e["end"]] == e["text"]
    encoded = text.encode("utf-16-le")
    for answer in (utf16["entities"], utf16["readings"][0]["entities"]):
        for e in answer:
            assert encoded[2 * e["start"] : 2 * e["end"]].decode("utf-16-le") == e["text"]


def test_the_best_readings_and_alternatives_are_exact(server, pipeline_folder):
    answer = server.post({"text": TEXT, "k_best": 3, "alternatives": True}).json()
    nlp = spacy.load(pipeline_folder)
    recognizer = nlp.get_pipe("bertcrf")
    doc = nlp.make_doc(TEXT)
    (readings,) = recognizer.k_best([doc], 3)
    assert [r["probability"] for r in answer["readings"]] == pytest.approx(
        [probability for _, probability in readings], abs=1e-3
    )
    for entity in answer["entities"]:
        for other in entity["alternatives"]:
            span = doc.char_span(other["start"], other["end"], label=other["label"])
            (score,) = recognizer.span_probabilities(doc, [span])
            assert other["score"] == pytest.approx(float(score), abs=1e-3)


def test_a_text_that_fails_takes_no_other_with_it(server, pipeline_folder):
    response = server.post({"texts": [TEXT, "boom", TEXT]})
    first, failed, last = response.json()["results"]
    assert response.status_code == 200
    assert found(first) == found(last) == expected(pipeline_folder, TEXT)
    assert "boom is more than it bears" in failed["error"]
    assert server.post({"text": "boom"}).status_code == 422


@pytest.mark.slow
def test_requests_of_many_connections_do_not_mix(server, pipeline_folder):
    texts = [TEXT[:n] + "好" * k for n in (3, 8, 11) for k in range(16)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda text: server.post({"text": text}).json(), texts))
    nlp = spacy.load(pipeline_folder)
    for text, answer in zip(texts, answers, strict=True):
        ents = [(ent.start_char, ent.end_char, ent.label_) for ent in nlp(text).ents]
        assert [(e["start"], e["end"], e["label"]) for e in answer["entities"]] == ents


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        ({}, 422, "either `text` or `texts`"),
        ({"text": "a", "texts": ["b"]}, 422, "either `text` or `texts`"),
        ({"text": 3}, 422, "text: Input should be a valid string"),
        ({"text": "a", "treshold": 1}, 422, "treshold: Extra inputs"),
        ({"text": "a", "pipeline": "other"}, 404, "only ['model']"),
        ({"text": "a" * 51}, 413, "at most 50 characters; one has 51"),
        ({"texts": ["a"] * 4}, 413, "at most 3 texts"),
        ({"text": "a" * 2000}, 413, "at most 1,000 bytes"),
    ],
)
def test_what_is_not_accepted_is_told(serve, reader, content, status, message):
    limits = Limits(body_bytes=1000, text_characters=50, texts=3)
    with serve({"model": reader}, limits=limits) as server:
        response = server.post(content)
        assert response.status_code == status
        assert message in response.json()["error"]
        assert server.post({"text": "a"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "kind", "status", "message"),
    [
        (b'{"text": "a"', "application/json", 422, "body: Invalid JSON"),
        (b'{"text": "half \\ud83d a character"}', "application/json", 422, "body: Invalid JSON"),
        (b"\xff\xfe", "application/json", 422, "body: Invalid JSON"),
        (b'["a"]', "application/json", 422, "body: "),
        (b'{"text": 3}', "Application/JSON; charset=utf-8", 422, "text: Input should be"),
        (b'{"text": "a"}', "text/plain", 415, "Content-Type: application/json"),
    ],
)
def test_what_is_no_json_is_told(server, body, kind, status, message):
    headers = {"Content-Type": kind}
    answer = requests.post(f"{server.url}/v1/entities", data=body, headers=headers, timeout=30)
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_a_body_without_a_length_is_bounded_too(serve, reader):
    with serve({"model": reader}, limits=Limits(body_bytes=1000)) as server:
        body = (b"x" * 500 for _ in range(10))
        headers = {"Content-Type": "application/json"}
        url = f"{server.url}/v1/entities"
        assert requests.post(url, data=body, headers=headers, timeout=30).status_code == 413


def test_a_compressed_body_is_told(server):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    url, body = f"{server.url}/v1/entities", gzip.compress(b'{"text": "a"}')
    answer = requests.post(url, data=body, headers=headers, timeout=30)
    assert (answer.status_code, "gzip" in answer.json()["error"]) == (415, True)


def test_more_than_could_ever_wait_is_no_matter_of_time(serve, reader):
    """With 429 a client would send it again and again."""
    with serve({"model": reader}, limits=Limits(waiting=2)) as server:
        refused = server.post({"texts": [TEXT] * 3})
        assert (refused.status_code, "Retry-After" in refused.headers) == (413, False)
        assert "at most 2 texts; this one 3" in refused.json()["error"]


def test_what_goes_wrong_is_told_as_json(serve, reader, monkeypatch):
    def fail(questions):
        raise RuntimeError("no memory, say")

    monkeypatch.setattr(reader, "answer", fail)
    with serve({"model": reader}) as server:
        answer = server.post({"text": TEXT})
        assert (answer.status_code, "log" in answer.json()["error"]) == (500, True)
        assert "script-src" in answer.headers["content-security-policy"]


def test_more_than_the_queue_holds_is_refused(serve, reader, monkeypatch):
    """Rather than that all clients wait longer and longer."""
    is_free, is_busy = threading.Event(), threading.Event()
    answer = reader.answer

    def slow(questions):
        is_busy.set()
        is_free.wait(30)
        return answer(questions)

    monkeypatch.setattr(reader, "answer", slow)
    with serve({"model": reader}, limits=Limits(waiting=2)) as server, ThreadPoolExecutor(2) as p:
        first = p.submit(server.post, {"text": TEXT})
        is_busy.wait(30)
        refused = server.post({"texts": [TEXT] * 2})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        is_free.set()
        assert first.result().status_code == 200
        assert server.post({"text": TEXT}).status_code == 200


def test_without_the_token_nothing_is_told(serve, reader):
    with serve({"model": reader}, token="secret") as server:
        for headers in ({}, {"Authorization": "Bearer secre"}, {"Authorization": "Basic secret"}):
            assert server.post({"text": TEXT}, headers=headers).status_code == 401
            assert server.get("/metrics", headers=headers).status_code == 401
            assert server.get("/openapi.json", headers=headers).status_code == 401
        assert server.get("/healthz").status_code == 200
        right = {"Authorization": "Bearer secret"}
        assert server.post({"text": TEXT}, headers=right).status_code == 200


def test_another_sites_name_does_not_reach_the_loopback(serve, reader):
    """A page elsewhere could point its own name at this machine."""
    with serve({"model": reader}, hosts=["127.0.0.1", "localhost"]) as server:
        assert server.get("/", headers={"Host": "evil.example"}).status_code == 400
        answer = server.get("/", headers={"Origin": "http://evil.example"})
        assert "access-control-allow-origin" not in answer.headers
        assert "script-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.slow
def test_several_pipelines(serve, load):
    other = load()
    other.remove_pipe("bertcrf")
    readers = {"first": Reader(load()), "second": Reader(other)}
    with serve(readers) as server:
        told = server.get("/v1/pipelines").json()["pipelines"]
        assert [(p["name"], p["readings"]) for p in told] == [("first", True), ("second", False)]
        assert server.post({"text": TEXT}).json()["entities"]
        assert not server.post({"text": TEXT, "pipeline": "second"}).json()["entities"]
        answer = server.post({"text": TEXT, "pipeline": "second", "k_best": 2})
        assert answer.status_code == 422
        assert "no bertcrf" in answer.json()["error"]


def test_it_counts(serve, reader):
    with serve({"model": reader}) as server:
        server.post({"texts": [TEXT, "boom"]})
        server.post({"text": "boom"})
        told = server.get("/metrics").text
    assert 'bertcrf_texts_total{pipeline="model"} 3.0' in told
    assert 'bertcrf_failed_texts_total{pipeline="model"} 2.0' in told
    assert 'bertcrf_requests_total{pipeline="model",status="200"} 1.0' in told
    assert 'bertcrf_requests_total{pipeline="model",status="422"} 1.0' in told
    assert 'bertcrf_request_seconds_count{pipeline="model"} 2.0' in told


def test_what_is_refused_is_counted_too(serve, reader):
    """Who looks after a service sees there that clients have the wrong token or address."""
    right = {"Authorization": "Bearer secret"}
    with serve({"model": reader}, token="secret", hosts=["127.0.0.1"]) as server:
        server.post({"text": TEXT})
        server.post({"text": TEXT, "pipeline": "none"}, headers=right)
        server.get("/", headers={"Host": "evil.example"})
        told = server.get("/metrics", headers=right).text
    for status in (401, 404, 400):
        assert f'bertcrf_http_answers_total{{status="{status}"}} 1.0' in told


def test_a_score_that_is_no_number_fails_its_text_alone(serve, load):
    nlp = load()
    nlp.add_pipe("doubts_nan")
    with serve({"model": Reader(nlp)}) as server:
        fine, failed = server.post({"texts": [TEXT, "nan"]}).json()["results"]
    assert fine["entities"]
    assert "a score of nan, which is no number" in failed["error"]


def test_the_head_of_a_page_can_be_asked_for(server):
    """As load balancers and `curl --head` do."""
    for path in ("/", "/healthz", "/metrics"):
        head, whole = requests.head(server.url + path, timeout=30), server.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == whole.headers["content-type"]


def test_it_says_that_it_is_ready(server):
    assert server.get("/readyz").json() == {"status": "ready"}
    described = server.get("/openapi.json").json()["paths"]["/v1/entities"]["post"]
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    assert {"text", "texts", "k_best"} < set(schema["properties"])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_new_words_do_not_stay_in_memory(serve):
    """A service that is sent ids and URLs all day would grow until it is killed."""
    words = count()

    def send(server, n_requests):
        for _ in range(n_requests):
            texts = [" ".join(f"id{next(words)}x" for _ in range(30)) for _ in range(64)]
            assert server.post({"texts": texts}).status_code == 200
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    with serve({"model": Reader(spacy.blank("en"))}) as server:
        warm = send(server, 20)
        grown = send(server, 60) - warm
    assert grown < 20, f"{grown:.0f} MB"  # of 115,000 words
