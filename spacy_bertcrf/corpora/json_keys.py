"""The keys of JSON objects under which a corpus has texts, tokens and entities."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from spacy_bertcrf.corpora.json_entity_keys import plain
from spacy_bertcrf.corpora.json_parallel import (
    entity_rows,
    is_beside,
    lists_beside,
    rows_beside,
)
from spacy_bertcrf.corpora.json_passages import text_of_passages, texts_of_passages
from spacy_bertcrf.corpora.options import Options

# Keys as `plain` has them; those that say most of all first.
TEXTS = """text textcontent labeleddata originaltext rawtext fulltext sourcetext sentence sent
content context document doc paragraph passage query utterance utt data source input abstract
report note body transcript title raw form 文本 原文 句子 内容""".split()  # noqa: SIM905
_TOKENS = """tokens words tokenizedtext sentences sents tokenized token word texttokens
sentencetokens sentence sent text chars characters""".split()  # noqa: SIM905
ENTITIES = """entities spans annotations labels label annotation ents entity entitylist
entitymentions mentions namedentities ner denotations textsegmentannotations goldner golden
entitylabels nerlabels result results objects privacymask pii ners nertags tags vertexset slots nes
ne 实体 标注""".split()  # noqa: SIM905
_NO_ENTITIES = """relations relation relationmentions events eventmentions triggers clusters coref
coreferences attributes pos postags chunks deps dependencies lemmas predictions prediction
drafts""".split()  # noqa: SIM905
OF_TOKENS = ("tokens", "words", "token", "sentences", "sents")
COLUMNS = {*TEXTS, *_TOKENS}
LONG = 8
_DEEPEST = 2
_MOST_KEYS = 300


def flatten(value: dict[str, Any]) -> dict[str, Any]:
    """An object with what lies in objects inside it, under keys such as "data.text", too, with
    entities whose parts are in lists beside each other, and with texts in passages."""
    found = value | lists_beside(value) | dict(texts_of_passages(value))
    waiting = [(key, of) for key, of in value.items() if _holds_more(of)]
    while waiting and len(found) < _MOST_KEYS:
        way, inner = waiting.pop(0)
        for key, of in inner.items():
            name = f"{way}.{key}"
            found.setdefault(name, of)
            if _holds_more(of) and name.count(".") < _DEEPEST:
                waiting.append((name, of))
    return found


def look_up(value: dict[str, Any], key: str | None) -> Any:
    """What an object has under a key as `flatten` has it; None if nothing."""
    if key is None or key in value:
        return value.get(key or "")
    if is_beside(key):
        return rows_beside(value, key)
    first, _, rest = key.partition(".")
    inner = value.get(first)
    if isinstance(inner, list):
        return text_of_passages(value, key)
    return look_up(inner, rest) if rest and isinstance(inner, dict) else None


def text_keys(objects: list[dict[str, Any]], options: Options) -> list[str]:
    """The keys of texts in objects, those of the likeliest first; the one that is given alone."""

    def is_text(value: Any) -> bool:
        return isinstance(value, str) and bool(value)

    if options.text_key is not None:
        found = any(is_text(value.get(options.text_key)) for value in objects)
        return [options.text_key] if found else []
    known = list(_ordered(objects, TEXTS, is_text))
    if known:
        return sorted(known, key=lambda key: key.count("."))
    lengths: Counter[str] = Counter()
    for value in objects:
        lengths.update({key: len(of) for key, of in value.items() if is_text(of)})
    longest = [key for key, length in lengths.most_common(1) if length > LONG * len(objects)]
    return [key for key in longest if " " in str(objects[0].get(key))]


def tokens_key(objects: list[dict[str, Any]]) -> str | None:
    """The key of tokens in objects; None if there is none."""
    return next(iter(_ordered(objects, _TOKENS, are_tokens)), None)


def entity_keys(objects: list[dict[str, Any]], without: set[str]) -> list[str]:
    """The keys that may hold entities: known ones first, then others, those of tokens last."""
    keys = Counter(
        key
        for value in objects
        for key, of in value.items()
        if isinstance(of, dict | list)
        and not any(other == key or other.startswith(f"{key}.") for other in without)
        and not any(plain(part) in _NO_ENTITIES for part in key.split("."))
    )

    def rank(key: str) -> tuple[int, int, int]:
        name = last_part(key)
        place = ENTITIES.index(name) if name in ENTITIES else len(ENTITIES)
        return 2 if name in OF_TOKENS else int(name not in ENTITIES), key.count("."), place

    return sorted(keys, key=rank)


def are_tokens(value: Any) -> bool:
    """Whether a value is a list of tokens, or of sentences of tokens."""
    if not isinstance(value, list) or not value:
        return False
    if all(isinstance(one, list) for one in value):
        return all(isinstance(token, str) for one in value for token in one) and any(value)
    return all(isinstance(one, str) for one in value)


def last_part(key: str) -> str:
    return plain(key.rpartition(".")[2])


def _holds_more(value: Any) -> bool:
    """Whether a value is an object with keys of its own, rather than its entities."""
    return isinstance(value, dict) and entity_rows(value) is None


def _ordered(
    objects: list[dict[str, Any]], wanted: list[str], fits: Callable[[Any], bool]
) -> Iterator[str]:
    """The keys that are known and under which at least half of the objects have what fits."""
    counts = Counter(key for value in objects for key, of in value.items() if fits(of))
    for name in wanted:
        for key, count in counts.items():
            if last_part(key) == name and 2 * count >= len(objects):
                yield key
