"""A training config made for a corpus: what is in the corpus, what follows from that, and why."""
