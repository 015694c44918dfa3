"""Models that listen to a shared component, and whether it has read the Docs."""

from collections.abc import Iterable

from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model

ANY = "*"  # the upstream_name of a listener that does not say to which component


def unread(tok2vec: Model, docs: Iterable[Doc]) -> str | None:
    """What to say if `tok2vec` listens to a shared component that has not read all of the Docs:
    a listener would take vectors of zeros for theirs, without a word. None if all is well."""
    for node in tok2vec.walk():
        upstream = getattr(node, "upstream_name", None)
        if upstream is None:
            continue
        is_read = _has_tensor if isinstance(node, Tok2VecListener) else _has_transformer_data
        if not all(is_read(doc) for doc in docs if len(doc)):
            name = "the shared tok2vec or transformer" if upstream == ANY else f"'{upstream}'"
            return (
                f"listens to {name}, which has not read its texts: without the vectors there is "
                "nothing to predict from. Do not disable or exclude that component, and let it "
                "come first; in a training, write its name in 'training.annotating_components' too."
            )
    return None


def _has_tensor(doc: Doc) -> bool:
    return bool(doc.tensor.size)


def _has_transformer_data(doc: Doc) -> bool:
    """That of spacy-transformers and of spacy-curated-transformers has the same name."""
    return not doc.has_extension("trf_data") or doc._.trf_data is not None
