"""Spans ⇄ tags: schemes, tag sets, legal transitions."""

from spacy_bertcrf.tagging.schemes import SCHEMES
from spacy_bertcrf.tagging.spans import ANNOTATED_LABELS, EntitySpan
from spacy_bertcrf.tagging.tag_set import TagSet

__all__ = ["ANNOTATED_LABELS", "SCHEMES", "EntitySpan", "TagSet"]
