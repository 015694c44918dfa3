"""Docs to token vectors by a Hugging Face encoder: wordpieces, windows, batches by length."""
