"""Docs to labelled spans that may overlap: the scores of their tokens, and the heads."""
