"""A plain token classifier: BERT, a linear layer, cross-entropy, a softmax for each token."""

import random
from collections.abc import Sequence

import numpy as np
import torch
from spacy.tokens import Doc
from torch.nn.functional import cross_entropy
from transformers import AutoModelForTokenClassification, AutoTokenizer

from spacy_bertcrf.training.piece_batches import batch_by_pieces

IGNORED = -100
HEAD_RATE = 5.0  # times BERT's, as in the shipped configs


class PlainTagger:
    """tags: "O" first, then B- and I- of each label."""

    def __init__(self, bert: str, labels: Sequence[str]):
        self.bert = bert
        self.tags = ["O", *(f"{prefix}-{label}" for label in labels for prefix in "BI")]
        self.tokenizer = AutoTokenizer.from_pretrained(bert)
        self.model = AutoModelForTokenClassification.from_pretrained(
            bert, num_labels=len(self.tags)
        )

    def train(
        self, docs: Sequence[Doc], *, pieces: int, epochs: int, rate: float, seed: int
    ) -> int:
        """Learn from the entities of Docs, in batches of as many wordpieces as the pipelines'; the
        number of steps."""
        torch.manual_seed(seed)
        rng = random.Random(seed)
        batches = []
        batcher = batch_by_pieces(pieces, self.bert)
        for _ in range(epochs):
            shuffled = list(docs)
            rng.shuffle(shuffled)
            batches += list(batcher(shuffled))
        head = list(self.model.classifier.parameters())
        body = [p for name, p in self.model.named_parameters() if "classifier" not in name]
        groups = [{"params": body, "lr": rate}, {"params": head, "lr": HEAD_RATE * rate}]
        optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
        warmup = len(batches) // 10
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            lambda step: min(step / max(warmup, 1), (len(batches) - step) / len(batches) / 0.9),
        )
        self.model.train()
        for batch in batches:
            logits, places = self._logits(batch)
            gold = np.concatenate([self.gold(doc) for doc in batch])
            loss = cross_entropy(
                logits[places >= 0].float(), torch.from_numpy(gold[places[places >= 0]])
            )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        return len(batches)

    def probabilities(self, docs: Sequence[Doc]) -> list[np.ndarray]:
        """For each Doc (n_tokens, n_tags); a token without wordpieces is outside."""
        found = []
        self.model.eval()
        for begin in range(0, len(docs), 32):
            batch = docs[begin : begin + 32]
            with torch.no_grad():
                logits, places = self._logits(batch)
            lengths = [len(doc) for doc in batch]
            rows = np.zeros((sum(lengths), len(self.tags)))
            rows[:, 0] = 1.0
            values = logits[places >= 0].double().softmax(-1).numpy()
            rows[places[places >= 0]] = values
            found += np.split(rows, np.cumsum(lengths)[:-1])
        return found

    def gold(self, doc: Doc) -> np.ndarray:
        """The tags of a Doc's tokens, as numbers."""
        ids = np.zeros(len(doc), dtype=np.int64)
        for ent in doc.ents:
            first = self.tags.index(f"B-{ent.label_}")
            ids[ent.start : ent.end] = first + 1
            ids[ent.start] = first
        return ids

    def _logits(self, docs: Sequence[Doc]) -> tuple[torch.Tensor, np.ndarray]:
        """The scores of all wordpieces, and for each the place of its token among all of the
        batch, or -1: of each token the first wordpiece counts."""
        words = [[token.text for token in doc] for doc in docs]
        encoded = self.tokenizer(
            words, is_split_into_words=True, truncation=True, max_length=512, padding=True,
            return_tensors="pt",
        )  # fmt: skip
        places = np.full(encoded["input_ids"].shape, -1)
        offset = 0
        for row, doc in enumerate(docs):
            before = None
            for column, word in enumerate(encoded.word_ids(row)):
                if word is not None and word != before:
                    places[row, column] = offset + word
                before = word
            offset += len(doc)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self.model(**encoded).logits
        return logits.float(), places
