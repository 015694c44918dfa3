"""The CRF against enumeration: every path of small cases is scored by hand."""

import itertools
import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spacy_bertcrf.layers import LinearChainCRF, Stretch

NO_PATH = -math.inf


class Case:
    """A random CRF with a batch, and for each sequence all its paths inside the masks."""

    def __init__(
        self, seed, lengths, tags, legality, with_allowed, scale, batch_first=True, solvable=True
    ):
        random = torch.Generator().manual_seed(seed)

        def chance(*shape):
            return torch.rand(shape, generator=random) < 0.7

        shape = (len(lengths), max(lengths), tags)
        start, transitions, end = chance(tags), chance(tags, tags), chance(tags)
        self.allowed = chance(*shape) if with_allowed else None
        if solvable:
            # One path of each sequence stays open.
            for sequence, length in enumerate(lengths):
                path = torch.randint(tags, (length,), generator=random)
                transitions[path[:-1], path[1:]] = True
                start[path[:1]] = end[path[-1:]] = True
                if with_allowed:
                    self.allowed[sequence, torch.arange(length), path] = True
        legal = (start, transitions, end) if legality else (None,) * 3
        self.crf = LinearChainCRF(tags, batch_first, *legal).double()
        for parameter in self.crf.parameters():
            parameter.data = torch.randn(parameter.shape, generator=random).double() * 2
        shape = (len(lengths), max(lengths), tags)
        self.lengths = lengths
        self.emissions = torch.randn(shape, generator=random).double() * scale
        self.mask = torch.arange(shape[1]) < torch.tensor(lengths)[:, None]
        self.paths = [self.enumerate(sequence) for sequence in range(len(lengths))]

    def enumerate(self, sequence, inside=True):
        """All legal paths of a sequence with their scores, best first."""
        crf, local = self.crf, self.emissions[sequence]
        paths = []
        for path in itertools.product(range(crf.num_tags), repeat=self.lengths[sequence]):
            legal = not path or bool(
                crf.legal_start[path[0]]
                and crf.legal_end[path[-1]]
                and all(crf.legal_transitions[pair] for pair in itertools.pairwise(path))
            )
            if inside and self.allowed is not None:
                legal &= all(self.allowed[sequence, t, tag] for t, tag in enumerate(path))
            if legal:
                score = sum(local[t, tag].item() for t, tag in enumerate(path))
                score += sum(crf.transitions[pair].item() for pair in itertools.pairwise(path))
                if path:
                    score += (crf.start_transitions[path[0]] + crf.end_transitions[path[-1]]).item()
                paths.append((list(path), score))
        return sorted(paths, key=lambda found: -found[1])

    def laid_out(self, tensor):
        return tensor if self.crf.batch_first or tensor is None else tensor.transpose(0, 1)

    @property
    def arguments(self):
        return {
            "emissions": self.laid_out(self.emissions),
            "mask": self.laid_out(self.mask),
            "allowed": self.laid_out(self.allowed),
        }


def log_sum(paths):
    return torch.tensor([score for _, score in paths], dtype=torch.float64).logsumexp(0).item()


FACTS = {
    "seed": st.integers(0, 10**6),
    "lengths": st.lists(st.integers(0, 4), min_size=1, max_size=3).filter(any),
    "tags": st.integers(1, 4),
    "legality": st.booleans(),
    "with_allowed": st.booleans(),
    # The last needs the scan in log space.
    "scale": st.sampled_from([1.0, 10.0, 1e3]),
    "batch_first": st.booleans(),
}
CASES = st.builds(Case, **FACTS)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.builds(Case, **FACTS, solvable=st.booleans()))
def test_log_partition_is_the_sum_over_all_paths(case):
    expected = [log_sum(paths) if paths else NO_PATH for paths in case.paths]
    torch.testing.assert_close(
        case.crf.log_partition(**case.arguments), torch.tensor(expected, dtype=torch.float64)
    )


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(CASES)
def test_decode_finds_the_best_path(case):
    assert case.crf.decode(**case.arguments) == [paths[0][0] for paths in case.paths]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(CASES, st.integers(1, 9))
def test_k_best_paths_come_in_order_with_their_probabilities(case, k):
    """Someone who reviews alternatives would miss one, or see a wrong confidence."""
    found = case.crf.k_best(**case.arguments, k=k)
    for paths, best in zip(case.paths, found, strict=True):
        total = log_sum(paths)
        expected = [path for path, score in paths[:k]]
        assert [path for path, _ in best] == expected
        assert [log for _, log in best] == pytest.approx(
            [score - total for _, score in paths[:k]], abs=1e-9
        )


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(CASES)
def test_marginals_are_shares_of_all_paths(case):
    marginals = case.laid_out(case.crf.marginals(**case.arguments))
    expected = torch.zeros_like(case.emissions)
    for sequence, paths in enumerate(case.paths):
        total = log_sum(paths)
        for path, score in paths:
            for position, tag in enumerate(path):
                expected[sequence, position, tag] += math.exp(score - total)
    torch.testing.assert_close(marginals, expected)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(CASES, st.sampled_from([1.0, 3.0]))
def test_entropies_are_those_of_the_distribution_over_all_paths(case, temperature):
    """Else the texts that teach most would not be asked for first."""
    expected = []
    for paths in case.paths:
        scores = torch.tensor([score for _, score in paths], dtype=torch.float64) / temperature
        expected.append(torch.special.entr(scores.softmax(0)).sum())
    found = case.crf.entropies(**case.arguments, temperature=temperature)
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-9, rtol=1e-9)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(CASES, st.data())
def test_path_marginals_are_shares_of_all_paths(case, data):
    """The score of an entity would not be its probability."""
    tag = st.integers(0, case.crf.num_tags - 1)
    stretches = []
    for sequence, length in enumerate(case.lengths):
        for start, end in itertools.combinations(range(length + 1), 2):
            tags = data.draw(st.lists(tag, min_size=end - start, max_size=end - start))
            stretches.append(Stretch(sequence, start, tags))
    closings = torch.rand(len(stretches), case.crf.num_tags) < 0.6
    open_ended = case.crf.path_marginals(stretches=stretches, **case.arguments)
    closed = case.crf.path_marginals(stretches=stretches, closings=closings, **case.arguments)

    def share(stretch, closing):
        sequence, start, tags = stretch
        end = start + len(tags)
        total = log_sum(case.paths[sequence])
        return sum(
            math.exp(score - total)
            for path, score in case.paths[sequence]
            if path[start:end] == tags and (end == len(path) or closing[path[end]])
        )

    anything = torch.ones(case.crf.num_tags).bool()
    assert open_ended.tolist() == pytest.approx([share(s, anything) for s in stretches], abs=1e-9)
    assert closed.tolist() == pytest.approx(
        [share(s, closing) for s, closing in zip(stretches, closings, strict=True)], abs=1e-9
    )


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(CASES)
def test_the_loss_of_a_partial_annotation_sums_over_all_that_fits(case):
    """Missing annotation would be learned as O."""
    assume(case.allowed is not None)
    expected = [
        log_sum(paths) - log_sum(case.enumerate(sequence, inside=False))
        for sequence, paths in enumerate(case.paths)
    ]
    found = case.crf.partial_log_likelihood(**case.arguments, reduction="none")
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(CASES)
def test_log_likelihood_is_that_of_enumeration(case):
    case.allowed = None
    case.paths = [case.enumerate(sequence) for sequence in range(len(case.lengths))]
    tags = torch.full(case.mask.shape, -100)
    expected = []
    for sequence, paths in enumerate(case.paths):
        path, score = paths[len(paths) // 2]
        tags[sequence, : len(path)] = torch.tensor(path, dtype=torch.int64)
        expected.append(score - log_sum(paths))
    found = case.crf(
        case.laid_out(case.emissions), case.laid_out(tags), case.laid_out(case.mask), "none"
    )
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), atol=1e-9, rtol=1e-7
    )


def test_a_temperature_divides_all_scores():
    """Calibrated scores would be those of another model than the one that decodes."""
    case = Case(seed=3, lengths=[4, 2], tags=3, legality=False, with_allowed=False, scale=1.0)
    cooled = Case(seed=3, lengths=[4, 2], tags=3, legality=False, with_allowed=False, scale=1.0)
    for parameter in cooled.crf.parameters():
        parameter.data /= 2.5
    cooled.emissions /= 2.5
    torch.testing.assert_close(
        case.crf.marginals(**case.arguments, temperature=2.5),
        cooled.crf.marginals(**cooled.arguments),
    )
    stretches = [(0, 1, [2, 0]), (1, 0, [1])]
    torch.testing.assert_close(
        case.crf.path_marginals(stretches=stretches, **case.arguments, temperature=2.5),
        cooled.crf.path_marginals(stretches=stretches, **cooled.arguments),
    )
