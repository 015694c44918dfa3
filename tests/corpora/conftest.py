"""What reading thousands of small files would make anew for each."""

from collections.abc import Iterator
from functools import cache

import pytest
import spacy
from spacy.language import Language
from spacy.util import get_lang_class
from spacy.vocab import Vocab, create_vocab

from spacy_bertcrf.corpora.documents import DocMaker


@pytest.fixture(scope="module", autouse=True)
def one_tokenizer_a_language() -> Iterator[None]:
    """An English tokenizer takes longer to make than a small file to read. A vocabulary that lives
    longer than the tests of a file would know what others have put into it."""

    @cache
    def vocab_of(lang: str) -> Vocab:
        return create_vocab(lang, get_lang_class(lang).Defaults)

    @cache
    def nlp_of(lang: str) -> Language:
        return spacy.blank(lang, vocab=vocab_of(lang))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DocMaker, "vocab", property(lambda self: vocab_of(self.lang)))
        patch.setattr(DocMaker, "nlp", property(lambda self: nlp_of(self.lang)))
        yield
