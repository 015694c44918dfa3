"""Spans ⇄ tags: schemes, tag sets, legal transitions."""

from .schemes import SCHEMES
from .spans import EntitySpan
from .tag_set import TagSet

__all__ = ["SCHEMES", "EntitySpan", "TagSet"]
