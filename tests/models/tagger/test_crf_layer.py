"""The thinc layer around the CRF gives what the torch layer gives, Doc by Doc."""

import numpy as np
import pytest
import torch
from thinc.types import Ragged

from spacy_bertcrf.models.tagger.crf import CRF, build_crf, decode
from spacy_bertcrf.models.types import TagTargets
from spacy_bertcrf.tagging import TagSet

LENGTHS = np.array([3, 0, 1, 5])


@pytest.fixture(params=["BIO", "BIOES"])
def tag_set(request):
    return TagSet(["LOC", "PER"], request.param)


@pytest.fixture
def model(tag_set):
    torch.manual_seed(0)
    model = CRF()
    build_crf(model, tag_set)
    return model


@pytest.fixture
def emissions(tag_set):
    rng = np.random.default_rng(0)
    return Ragged(rng.normal(size=(LENGTHS.sum(), len(tag_set))).astype("float32"), LENGTHS)


def split(rows):
    return np.split(rows, np.cumsum(LENGTHS)[:-1])


def test_the_legal_tags_are_those_of_the_tag_set(model, tag_set):
    """Else illegal tag sequences would be predicted."""
    crf = model.shims[0].module
    assert np.array_equal(crf.legal_start.numpy(), tag_set.legal_start)
    assert np.array_equal(crf.legal_transitions.numpy(), tag_set.legal_transitions)
    assert np.array_equal(crf.legal_end.numpy(), tag_set.legal_end)


def test_legal_tags_come_back_from_bytes(model, tag_set):
    """Else a loaded pipeline could predict illegal sequences."""
    loaded = CRF().from_bytes(model.to_bytes())
    assert np.array_equal(loaded.shims[0].module.legal_end.numpy(), tag_set.legal_end)


def test_losses_are_those_of_each_doc_alone(model, tag_set, emissions):
    """Else a loss would be put down to the wrong Doc."""
    tags = np.concatenate(
        [tag_set.encode([(0, 1, "LOC"), (1, 3, "LOC")], 3), tag_set.encode([], 1),
         tag_set.encode([(1, 5, "PER")], 5)]
    )  # fmt: skip
    losses, _ = model.begin_update((emissions, TagTargets(tags)))
    crf = model.shims[0].module
    expected = [
        -crf(torch.tensor(rows)[None], torch.tensor(own_tags)[None]).item() if len(rows) else 0
        for rows, own_tags in zip(split(emissions.dataXd), split(tags), strict=True)
    ]
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-6)
    allowed = np.eye(len(tag_set), dtype=bool)[tags]
    losses, _ = model.begin_update((emissions, TagTargets(tags, allowed)))
    np.testing.assert_allclose(losses, expected, rtol=1e-4, atol=1e-5)


def test_decoding_keeps_docs_apart_and_within_what_is_allowed(model, tag_set, emissions):
    """Else the entities of one text would turn up in another, or presets would be overruled."""
    crf = model.shims[0].module
    paths = decode(model, emissions)
    assert [len(path) for path in paths] == LENGTHS.tolist()
    for path, rows in zip(paths, split(emissions.dataXd), strict=True):
        if len(rows):
            assert path.tolist() == crf.decode(torch.tensor(rows)[None])[0]
        tag_set.decode(path)
    allowed = np.ones(emissions.dataXd.shape, dtype=bool)
    allowed[4] = np.eye(len(tag_set), dtype=bool)[tag_set.encode([(0, 1, "PER")], 2)[0]]
    fixed = decode(model, emissions, allowed)
    assert fixed[3][0] == allowed[4].argmax()
    for path, fixed_path in zip(paths[:3], fixed[:3], strict=True):
        assert np.array_equal(path, fixed_path)
