"""Docs to emissions and their CRF: the sequence layer, the CRF's layer, growth by new labels."""
