"""A linear-chain CRF with all that such a model knows: legal transitions, partial annotation,
marginals and k best paths, behind the interface of pytorch-crf."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torchcrf
from torch import Tensor

from spacy_bertcrf.layers.chains import TagChain, chains_of
from spacy_bertcrf.layers.forward_backward import ForwardBackward, LogPartition, scan
from spacy_bertcrf.layers.gold import check_gold, gold_scores
from spacy_bertcrf.layers.packing import Packing, lengths_of, pack
from spacy_bertcrf.layers.path_entropy import path_entropies
from spacy_bertcrf.layers.scores import (
    Scores,
    packed_emissions,
    raise_unsound,
    rows_of,
    soften,
)
from spacy_bertcrf.layers.stretches import Stretch, log_probabilities, place
from spacy_bertcrf.layers.viterbi import best_path, k_best_paths

REDUCTIONS = ("none", "sum", "mean", "token_mean")


class LinearChainCRF(torchcrf.CRF):
    """Linear-chain conditional random field (Lafferty, McCallum and Pereira 2001).

    The parameters, the state dict and the numbers are those of `torchcrf.CRF`. Beyond it:
    illegal transitions are ruled out for good, not only discouraged; empty sequences are legal,
    contribute nothing and decode to []; sums over paths are made in float64 whatever the type
    of the emissions; and no sequence's result depends on padding or on its batch mates.

    num_tags: number of tags.
    batch_first: whether tensors are (batch, length, …), else (length, batch, …).
    legal_start, legal_transitions, legal_end: boolean arrays or tensors (tags,), (tags, tags)
        as from × to, and (tags,); None allows everything. They are no part of the state dict.

    Arguments that its methods share, in the shapes of batch_first=True:
    emissions: (batch, length, tags), any floating-point type. Minus infinity rules a tag out.
    mask: (batch, length), true for tokens, which come before the padding; None: all of them.
    allowed: (batch, length, tags), bool: the tags that each token may have; None: every tag.
        What it says about padding is not read.

    Masks, given tags and what is allowed may lie on the CPU, whatever device the emissions are
    on. Masks and tags had better: they are read there, and else have to be waited for.

    All methods raise ValueError if shapes do not fit, if a mask has tokens after padding, and
    if the emissions of a token hold NaN or infinity.
    """

    legal_start: Tensor
    legal_transitions: Tensor
    legal_end: Tensor
    illegal: Tensor

    def __init__(
        self,
        num_tags: int,
        batch_first: bool = False,
        legal_start: Any = None,
        legal_transitions: Any = None,
        legal_end: Any = None,
    ) -> None:
        super().__init__(num_tags, batch_first)
        shapes = {"start": (num_tags,), "transitions": (num_tags, num_tags), "end": (num_tags,)}
        for name, shape in shapes.items():
            legal = torch.ones(shape, dtype=torch.bool)
            self.register_buffer(f"legal_{name}", legal, persistent=False)
        # All of it together, in the order of `_scores`.
        size = 2 * num_tags + num_tags**2
        self.register_buffer("illegal", torch.zeros(size, dtype=torch.bool), persistent=False)
        self.set_legal(legal_start, legal_transitions, legal_end)

    def set_legal(self, start: Any = None, transitions: Any = None, end: Any = None) -> None:
        """Say what is legal, as in the constructor. Raises ValueError if a shape is wrong."""
        given = {"legal_start": start, "legal_transitions": transitions, "legal_end": end}
        on_cpu = []
        for name, value in given.items():
            legal = getattr(self, name)
            if value is None:
                value = torch.ones(legal.shape, dtype=torch.bool)
            elif not isinstance(value, Tensor):
                # A copy, for torch cannot take the read-only arrays of a tag set.
                value = torch.from_numpy(np.array(value, dtype=bool))
            _check_shape(name, value, legal.shape)
            legal.copy_(value.bool())
            on_cpu.append(value.bool().cpu().clone())
        self._legal_on_cpu = (on_cpu[0], on_cpu[1], on_cpu[2])
        start, transitions, end = on_cpu
        self.illegal.copy_(~torch.cat([start, end, transitions.flatten()]))

    def forward(
        self,
        emissions: Tensor,
        tags: Tensor,
        mask: Tensor | None = None,
        reduction: str = "sum",
    ) -> Tensor:
        """Log-likelihood of the given tags.

        tags: (batch, length) int64; what stands in padding is not read.
        reduction: "none", "sum", "mean" (over sequences) or "token_mean".

        Returns (batch,) for "none", otherwise one number; float32, or float64 where emissions
        or parameters are. Raises ValueError, with sequence and position, if a tag does not
        exist or is not legal where it stands.
        """
        packing = self._pack(emissions, mask, reduction)
        _check_shape("tags", tags, emissions.shape[:2])
        gold = rows_of(tags, packing)
        check_gold(gold, *self._legal_at(gold.device), packing.at(gold.device))
        gold_score = gold_scores(
            emissions,
            self.start_transitions,
            self.transitions,
            self.end_transitions,
            gold,
            packing,
        )
        likelihood = _log_ratio(gold_score, self._log_partition(emissions, packing, None))
        return self._reduce(likelihood, emissions, packing.lengths, reduction)

    def partial_log_likelihood(
        self,
        emissions: Tensor,
        allowed: Tensor,
        mask: Tensor | None = None,
        reduction: str = "sum",
    ) -> Tensor:
        """Log of the total probability of all legal paths that stay inside `allowed`: the
        log-likelihood of a partial annotation (Tsuboi et al. 2008).

        Returns what `forward` does. Raises ValueError, with the sequence, if no legal path
        stays inside.
        """
        _check_shape("allowed", allowed, emissions.shape)
        # Both sums in one scan, which reads every sequence twice.
        axis = 0 if self.batch_first else 1
        twice = torch.cat([emissions, emissions], axis)
        limits = torch.cat([allowed.bool(), torch.ones_like(allowed, dtype=torch.bool)], axis)
        packing = self._pack(
            twice, None if mask is None else torch.cat([mask, mask], axis), reduction
        )
        inside, anywhere = self._log_partition(twice, packing, limits).chunk(2)
        if bool((inside == -math.inf).any()):
            with torch.no_grad():
                self._scan(twice, packing, limits, both_ways=False)
        lengths = packing.lengths[: len(inside)]
        return self._reduce(_log_ratio(inside, anywhere), emissions, lengths, reduction)

    def log_partition(
        self,
        emissions: Tensor,
        mask: Tensor | None = None,
        allowed: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Log of the sum of exp(score / temperature) over all legal paths inside `allowed`:
        (batch,), of the type that `forward` returns; minus infinity where there is none, 0 for an
        empty sequence."""
        packing = self._pack(emissions, mask)
        partition = self._log_partition(emissions, packing, allowed, temperature)
        return partition.to(self._result_type(emissions))

    @torch.no_grad()
    def decode(
        self, emissions: Tensor, mask: Tensor | None = None, allowed: Tensor | None = None
    ) -> list[list[int]]:
        """The best legal path of each sequence inside `allowed`, as tag ids.

        A legal path comes out whatever the emissions are, also where all have a score of minus
        infinity. Raises ValueError, with the sequence, if there is none.
        """
        return [path.tolist() for path in self.best_paths(emissions, mask, allowed)]

    @torch.no_grad()
    def best_paths(
        self, emissions: Tensor, mask: Tensor | None = None, allowed: Tensor | None = None
    ) -> list[np.ndarray]:
        """What `decode` gives, as int64 arrays."""
        packing = self._pack(emissions, mask)
        if not packing.n_running:
            return [np.zeros(0, dtype=np.int64) for _ in range(packing.batch)]
        scores, sound = self._scores(emissions, packing, allowed)
        tags, best = best_path(scores, packing)
        # The path and whether it is one come off the device together.
        flags = torch.stack([sound.all(), (best > -math.inf).all()])
        found = torch.cat([tags, flags.long()]).cpu().numpy()
        *_, is_sound, is_possible = found
        if not is_sound:
            raise_unsound(sound, packing)
        if is_possible:
            return packing.unpack(found[:-2])
        softened, _ = self._scores(emissions, packing, allowed, softened=True)
        tags, best = best_path(softened, packing)
        _require_path(best, packing)
        return packing.unpack(tags.cpu().numpy())

    @torch.no_grad()
    def k_best(
        self,
        emissions: Tensor,
        mask: Tensor | None = None,
        k: int = 5,
        allowed: Tensor | None = None,
        temperature: float = 1.0,
    ) -> list[list[tuple[list[int], float]]]:
        """For each sequence its k best legal paths inside `allowed`, best first, each with its
        log-probability among all of them; fewer where fewer have a probability. Paths of equal
        score always come in the same order. An empty sequence has one path: ([], 0.0).

        temperature: as in `marginals`; the order does not depend on it.

        Raises ValueError if k is not positive, or, with the sequence, if there is no path.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        packing = self._pack(emissions, mask)
        found: list[list[tuple[list[int], float]]] = [[([], 0.0)] for _ in range(packing.batch)]
        if not packing.n_running:
            return found
        scores, result = self._scan(emissions, packing, allowed, False, temperature)
        tags, best = k_best_paths(scores, packing, k)
        logs = (best - result.log_partition.unsqueeze(1)).tolist()
        paths = packing.unpack(tags.cpu().numpy())
        for sequence, probabilities in zip(packing.on_cpu.order.tolist(), logs, strict=True):
            found[sequence] = [
                (path, log)
                for path, log in zip(paths[sequence].T.tolist(), probabilities, strict=True)
                if log > -math.inf
            ]
        return found

    @torch.no_grad()
    def marginals(
        self,
        emissions: Tensor,
        mask: Tensor | None = None,
        allowed: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Posterior probability of each tag at each token, given that the path is legal and
        inside `allowed`.

        temperature: all scores are divided by it; above 1 it makes the CRF less certain, and
            it never changes the best path.

        Returns (batch, length, tags), zero in padding, without gradient. Raises ValueError,
        with the sequence, if it has no legal path.
        """
        packing = self._pack(emissions, mask)
        marginals = emissions.new_zeros(emissions.shape, dtype=self._result_type(emissions))
        if packing.n_running:
            _, result = self._scan(emissions, packing, allowed, temperature=temperature)
            posteriors = result.posteriors().to(marginals.dtype)
            marginals = packing.scatter(posteriors, marginals)
        return marginals

    @torch.no_grad()
    def entropies(
        self,
        emissions: Tensor,
        mask: Tensor | None = None,
        allowed: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Shannon entropy, in nats, of the posterior over all legal paths inside `allowed`: 0 where
        one path alone is possible, log n for n equally probable ones.

        temperature: as in `marginals`.

        Returns (batch,), 0 for an empty sequence, without gradient. Raises ValueError, with the
        sequence, if it has no legal path.
        """
        packing = self._pack(emissions, mask)
        entropies = emissions.new_zeros(packing.batch, dtype=self._result_type(emissions))
        if packing.n_running:
            scores, result = self._scan(emissions, packing, allowed, temperature=temperature)
            found = path_entropies(scores, result, packing)
            entropies[packing.order] = found.to(entropies.dtype)
        return entropies

    @torch.no_grad()
    def path_marginals(
        self,
        emissions: Tensor,
        stretches: Sequence[Stretch | tuple[int, int, Sequence[int]]],
        closings: Any = None,
        mask: Tensor | None = None,
        allowed: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Exact posterior probability that stretches of tags occur: of all paths, the share
        that runs through them. It is no product of token marginals.

        stretches: (sequence, start, tags) each: `tags[i]` on token `start + i`. They may
            overlap and be of any sequence.
        closings: bool (n_stretches, tags), array or tensor: the tags that the token after each
            stretch may have; None: any. Of no account for a stretch that ends its sequence.
            In BIO an entity ends where its own I- does not follow: the stretch is B- I- I-, its
            closing every tag but that I-. In BIOES the stretch says it all.
        temperature: as in `marginals`.

        Returns (n_stretches,), without gradient. One forward-backward, however many stretches.
        Raises ValueError if a stretch is empty, runs out of its sequence or names a tag that
        does not exist, or if a sequence has no legal path.
        """
        packing = self._pack(emissions, mask)
        if not len(stretches):
            return emissions.new_zeros(0, dtype=self._result_type(emissions))
        placed = place(stretches, packing, self.num_tags)
        scores, result = self._scan(emissions, packing, allowed, temperature=temperature)
        logs = log_probabilities(placed, closings, scores, result, packing)
        return logs.exp().to(self._result_type(emissions))

    @torch.no_grad()
    def chains(
        self,
        emissions: Tensor,
        mask: Tensor | None = None,
        temperature: float = 1.0,
        floor: float = 0.0,
    ) -> list[TagChain]:
        """The posterior over the tag sequences of each sequence, as the Markov chain that it is.

        temperature: as in `marginals`.
        floor: probabilities up to it are left out, and the others of a token made up for it.

        One forward-backward. Raises ValueError, with the sequence, if it has no legal path.
        """
        packing = self._pack(emissions, mask)
        if not packing.n_running:
            return [TagChain.of_nothing(self.num_tags) for _ in range(packing.batch)]
        _, result = self._scan(emissions, packing, None, temperature=temperature)
        return chains_of(result, packing, self.num_tags, floor)

    def _pack(self, emissions: Tensor, mask: Tensor | None, reduction: str = "none") -> Packing:
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction}")
        if emissions.dim() != 3 or emissions.shape[2] != self.num_tags:
            raise ValueError(
                f"emissions must have three dimensions, the last of {self.num_tags} tags, got "
                f"the shape {tuple(emissions.shape)}"
            )
        time = 1 if self.batch_first else 0
        longest, batch = emissions.shape[time], emissions.shape[1 - time]
        if mask is None:
            lengths = np.full(batch, longest)
        else:
            _check_shape("mask", mask, emissions.shape[:2])
            lengths = lengths_of(mask.bool(), time)
        return pack(lengths, longest, self.batch_first, emissions.device)

    @torch.no_grad()
    def _scores(
        self,
        emissions: Tensor,
        packing: Packing,
        allowed: Tensor | None,
        temperature: float = 1.0,
        softened: bool = False,
    ) -> tuple[Scores, Tensor]:
        """Beside the scores, (n_rows,) which of the emissions are sound: not looked at yet."""
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        local, sound = packed_emissions(emissions, packing)
        parameters = [self.start_transitions, self.end_transitions, self.transitions.reshape(-1)]
        together = torch.cat(parameters).double().masked_fill_(self.illegal, -math.inf)
        start, end, moves = together.split([len(part) for part in parameters])
        scores = Scores(local, start, moves.view(self.num_tags, -1), end)
        if softened:
            scores = soften(scores, len(packing.batch_sizes))
        if allowed is not None:
            _check_shape("allowed", allowed, emissions.shape)
            ruled_out = ~rows_of(allowed.bool(), packing)
            ruled_out = ruled_out.to(emissions.device, non_blocking=True)
            scores.emissions.masked_fill_(ruled_out, -math.inf)
        if temperature != 1.0:
            scores = Scores(*(part / temperature for part in scores))
        return scores, sound

    def _scan(
        self,
        emissions: Tensor,
        packing: Packing,
        allowed: Tensor | None,
        both_ways: bool = True,
        temperature: float = 1.0,
    ) -> tuple[Scores, ForwardBackward]:
        """For all that compares paths. Where every path of a sequence has a score of minus
        infinity, those with the fewest infinities share the probability."""
        scores, sound = self._scores(emissions, packing, allowed, temperature)
        result = scan(scores, sound, packing, both_ways)
        if not bool((result.log_partition > -math.inf).all()):
            scores, _ = self._scores(emissions, packing, allowed, temperature, softened=True)
            result = scan(scores, sound, packing, both_ways)
            _require_path(result.log_partition, packing)
        return scores, result

    def _log_partition(
        self,
        emissions: Tensor,
        packing: Packing,
        allowed: Tensor | None,
        temperature: float = 1.0,
    ) -> Tensor:
        """(batch,), float64, with gradient."""
        parts = [emissions, self.start_transitions, self.transitions, self.end_transitions]
        if temperature != 1.0:
            parts = [part / temperature for part in parts]
        scores = self._scores(emissions, packing, allowed, temperature)
        partition: Tensor = LogPartition.apply(*parts, *scores, packing)
        return partition

    def _legal_at(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """What is legal, where given tags lie."""
        if device.type == "cpu":
            return self._legal_on_cpu
        return self.legal_start, self.legal_transitions, self.legal_end

    def _reduce(
        self, likelihood: Tensor, emissions: Tensor, lengths: np.ndarray, reduction: str
    ) -> Tensor:
        if reduction == "sum":
            likelihood = likelihood.sum()
        elif reduction == "mean":
            likelihood = likelihood.mean()
        elif reduction == "token_mean":
            likelihood = likelihood.sum() / max(1, int(lengths.sum()))
        return likelihood.to(self._result_type(emissions))

    def _result_type(self, emissions: Tensor) -> torch.dtype:
        promoted = torch.promote_types(emissions.dtype, self.transitions.dtype)
        return torch.promote_types(promoted, torch.float32)


def _log_ratio(part: Tensor, whole: Tensor) -> Tensor:
    """What has no weight has no share either, even where the whole has none."""
    return torch.where(part == -math.inf, part, part - whole)


def _check_shape(name: str, value: Tensor, expected: Sequence[int]) -> None:
    if tuple(value.shape) != tuple(expected):
        raise ValueError(f"{name} must have the shape {tuple(expected)}, got {tuple(value.shape)}")


def _require_path(best: Tensor, packing: Packing) -> None:
    if bool(best.isnan().any()):  # not the emissions: these have been looked at
        raise ValueError(
            "the transitions hold NaN: the weights are damaged, or the training that made them "
            "diverged (a lower learning rate may mend it)"
        )
    blocked = best == -math.inf
    if bool(blocked.any()):
        sequence = int(packing.on_cpu.order[int(blocked.nonzero()[0, 0])])
        raise ValueError(
            f"sequence {sequence} ({packing.lengths[sequence]} tokens) has no legal path: look "
            "for tokens whose allowed tags cannot follow one another"
        )
