"""Teaching a pipeline: which texts to annotate next, and what was said of them."""
