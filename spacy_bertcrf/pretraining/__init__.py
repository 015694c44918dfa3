"""Raw text to a better BERT."""
