"""New words for the vocabulary of a BERT: each becomes one wordpiece."""

import json
import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from spacy_bertcrf.models.bert.pretrained import load_tokenizer
from spacy_bertcrf.pretraining.base_model import check_tokenizer
from spacy_bertcrf.pretraining.model_folder import check_output, save_tokenizer, written_whole

UNUSED = re.compile(r"\[unused\d+\]")


class WordInFile(NamedTuple):
    """A word that is to become a wordpiece, and where it was asked for, as `file:line`."""

    word: str
    place: str


class Extension(NamedTuple):
    """What `extend_vocabulary` did.

    added: the new wordpieces, with their rows of the embeddings.
    n_unused: of these so many have the row of an `[unusedN]`; the others' are appended.
    known: words that were one wordpiece already.
    repeated: words that were asked for twice; the place is the second.
    before, after: wordpieces for 100 characters of the texts that were measured.
    """

    added: dict[str, int]
    n_unused: int
    known: list[str]
    repeated: list[WordInFile]
    before: float
    after: float


def extend_vocabulary(
    name: str, words: Sequence[WordInFile], output: Path, *, texts: Iterable[str] | None = None
) -> Extension:
    """Give words a wordpiece of their own, and write model and tokenizer.

    A word that the tokenizer does not part (letters and digits, or one Chinese character) becomes
    a wordpiece like any other. It is one for that word alone, not within words; but a longer word
    that begins with it may now be parted behind it, as WordPiece takes the longest beginning that
    it knows. A word that is parted before the vocabulary is asked (several Chinese characters,
    hyphens, spaces) becomes an added token too, which is found in the text beforehand; where it
    begins or ends with letters of a script with spaces, at the borders of words alone. (In that
    last case slow tokenizers judge borders otherwise: a Chinese character beside the word is none
    to them.) The tokens of other texts stay as they were.

    The rows of `[unusedN]` are taken first. A new row, and where the model predicts wordpieces its
    weight and bias there, is the mean of those of the wordpieces that the word had before.

    name: of a model on the Hugging Face hub, or its folder.
    words: in the order in which they get their rows.
    output: the folder to write, whole or not at all.
    texts: what is measured; None for the words themselves.

    Raises ValueError if the model cannot be loaded, its tokenizer is not a fast WordPiece, a word
    cannot become a wordpiece, or there is no new one.
    """
    check_output(output)
    tokenizer = load_tokenizer(name, {})
    check_tokenizer(tokenizer, name)
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    if state["model"]["type"] != "WordPiece":
        raise ValueError(
            f"The tokenizer of '{name}' is a {state['model']['type']}; only the vocabularies of "
            "WordPiece tokenizers, as BERT's, can be extended."
        )
    plan = _plan(tokenizer, state, words)
    if not plan.rows:
        raise ValueError(
            f"There is no new word: {len(plan.known):,} are wordpieces already."
            if plan.known
            else "There is no new word."
        )
    model = _load_model(name)
    n_rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > n_rows:
        raise ValueError(
            f"The tokenizer of '{name}' has {len(tokenizer):,} wordpieces, its model {n_rows:,} "
            "rows of embeddings."
        )
    measured = list(texts) if texts is not None else [word.word for word in words]
    with written_whole(output) as folder:
        extended = _extended(tokenizer, state, plan)
        _check_reached(extended, plan)
        _add_rows(model, plan.pieces)
        model.save_pretrained(folder)
        save_tokenizer(folder, extended)
    return Extension(
        added=plan.rows,
        n_unused=plan.n_unused,
        known=plan.known,
        repeated=plan.repeated,
        before=pieces_per_100(tokenizer, measured),
        after=pieces_per_100(extended, measured),
    )


def pieces_per_100(tokenizer: Any, texts: Sequence[str]) -> float:
    """Wordpieces for 100 characters that are no spaces."""
    encoded = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    n_characters = sum(len("".join(text.split())) for text in texts)
    return 100 * sum(map(len, encoded)) / max(1, n_characters)


class _Plan(NamedTuple):
    """What becomes of the words.

    rows: the new wordpieces, as the vocabulary writes them, and their rows.
    pieces: of each row that gets a new vector, the ids that its word had before.
    added_tokens: those of `rows` that must be found before the tokenizer parts the text.
    words: each row's word, as it was asked for.
    """

    rows: dict[str, int]
    pieces: dict[int, list[int]]
    added_tokens: list[str]
    words: dict[int, WordInFile]
    n_unused: int
    known: list[str]
    repeated: list[WordInFile]


def _plan(tokenizer: Any, state: dict[str, Any], words: Sequence[WordInFile]) -> _Plan:
    vocabulary = tokenizer.get_vocab()
    added = tokenizer.get_added_vocab()
    free = sorted(
        row for piece, row in vocabulary.items() if UNUSED.fullmatch(piece) and piece not in added
    )
    rows = iter([*free, *range(len(vocabulary), len(vocabulary) + len(words))])
    plan = _Plan({}, {}, [], {}, 0, [], [])
    seen: set[str] = set()
    for word in words:
        normalized = _normalized(tokenizer, word.word)
        parts = _parts(tokenizer, normalized)
        _check_word(word, parts, tokenizer, state)
        if normalized in seen:
            plan.repeated.append(word)
            continue
        seen.add(normalized)
        is_parted = len(parts) > 1
        piece = _lowered(tokenizer, word.word) if is_parted else parts[0]
        ids = tokenizer(word.word, add_special_tokens=False, verbose=False)["input_ids"]
        row = vocabulary.get(piece)
        if ids == [row]:
            plan.known.append(word.word)
            continue
        if row is None:
            row = next(rows)
            plan.pieces[row] = ids
        # Otherwise it is in the vocabulary, but the tokenizer parts it before it would look there.
        plan.rows[piece] = row
        plan.words[row] = word
        if is_parted:
            plan.added_tokens.append(piece)
    return plan._replace(n_unused=len(plan.pieces.keys() & set(free)))


def _check_word(word: WordInFile, parts: list[str], tokenizer: Any, state: dict[str, Any]) -> None:
    longest = state["model"]["max_input_chars_per_word"]
    if not parts:
        why = "has nothing that the tokenizer reads"
    elif word.word in tokenizer.all_special_tokens or UNUSED.fullmatch(word.word):
        why = "is a special token"
    elif word.word.startswith(prefix := state["model"]["continuing_subword_prefix"]):
        why = f"is written as {prefix} marks the later pieces of a word"
    elif len(parts) == 1 and len(parts[0]) > longest:
        why = f"has more than {longest} characters, the most that the tokenizer takes for a word"
    else:
        return
    shown = word.word if len(word.word) <= 30 else f"{word.word[:30]}…"
    raise ValueError(f"{word.place}: '{shown}' {why}. Remove it.")


def _normalized(tokenizer: Any, word: str) -> str:
    normalizer = tokenizer.backend_tokenizer.normalizer
    return word if normalizer is None else normalizer.normalize_str(word).strip()


def _parts(tokenizer: Any, normalized: str) -> list[str]:
    parts = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(normalized)
    return [part for part, _ in parts]


def _lowered(tokenizer: Any, word: str) -> str:
    """A slow tokenizer lowers the text, but not its added tokens."""
    return word.lower() if _normalized(tokenizer, "A") == "a" else word


def _extended(tokenizer: Any, state: dict[str, Any], plan: _Plan) -> Any:
    from tokenizers import AddedToken

    new = {row: piece for piece, row in plan.rows.items()}
    # Added tokens that an earlier extension appended are rows of the vocabulary from now on.
    vocabulary = {new.get(row, piece): row for piece, row in tokenizer.get_vocab().items()}
    vocabulary |= plan.rows
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    state["model"]["vocab"] = {piece: vocabulary[piece] for piece in pieces}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tokenizer.save_pretrained(folder)
        (folder / "added_tokens.json").unlink(missing_ok=True)
        (folder / "tokenizer.json").write_text(json.dumps(state, ensure_ascii=False), "utf-8")
        lines = "".join(f"{piece}\n" for piece in pieces)
        (folder / "vocab.txt").write_text(lines, "utf-8", newline="\n")
        extended = load_tokenizer(str(folder), {})
    tokens = []
    for piece in plan.added_tokens:
        has_borders = any(_needs_border(tokenizer, char) for char in (piece[0], piece[-1]))
        # Normalised, a text has spaces around Chinese characters, and they are borders.
        is_normalized = has_borders or piece.lower() != piece.upper()
        tokens.append(AddedToken(piece, single_word=has_borders, normalized=is_normalized))
    extended.add_tokens(tokens)
    return extended


def _needs_border(tokenizer: Any, char: str) -> bool:
    """Whether the tokenizer does not part words beside this character."""
    return char.isalnum() and len(_parts(tokenizer, _normalized(tokenizer, char * 2))) == 1


def _check_reached(tokenizer: Any, plan: _Plan) -> None:
    for row, word in plan.words.items():
        ids = tokenizer(word.word, add_special_tokens=False, verbose=False)["input_ids"]
        if ids != [row]:
            raise ValueError(
                f"{word.place}: '{word.word}' cannot be made one wordpiece beside the others. "
                "Remove it."
            )


def _load_model(name: str) -> Any:
    """The model as its files say, in the dtype that they have."""
    import transformers
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # it says of a pooler that is not there that it is untrained
    try:
        config = transformers.AutoConfig.from_pretrained(name)
        kind = (config.architectures or ["AutoModel"])[0]
        model, found = getattr(transformers, kind, transformers.AutoModel).from_pretrained(
            name, torch_dtype="auto", output_loading_info=True
        )
    except (OSError, ValueError) as error:
        raise ValueError(
            f"The model of '{name}' cannot be loaded: {error}. Give the folder of a Hugging Face "
            "model or its name on the hub."
        ) from error
    finally:
        logging.set_verbosity(verbosity)
    missing = [key for key in found["missing_keys"] if "pooler" not in key.split(".")]
    if missing:
        raise ValueError(f"The files of '{name}' do not have the weights {', '.join(missing)}.")
    if found["missing_keys"]:
        model.base_model.pooler = None  # or a random one would be written
    return model


def _add_rows(model: Any, pieces: dict[int, list[int]]) -> None:
    means = [
        {row: table.detach()[ids].float().mean(0) for row, ids in pieces.items()}
        for table in _tables(model)
    ]
    n_rows = max(pieces, default=0) + 1
    if n_rows > model.get_input_embeddings().num_embeddings:
        _resize(model, n_rows)
    with torch.no_grad():
        for table, of_rows in zip(_tables(model), means, strict=True):
            for row, mean in of_rows.items():
                table[row] = mean.to(table.dtype)


def _resize(model: Any, n_rows: int) -> None:
    n_names = _names_of_bias(model)
    model.resize_token_embeddings(n_rows, mean_resizing=False)
    if _names_of_bias(model) > n_names:
        # transformers 5 ties it even where nothing is tied, and then does not write it.
        head = model.get_output_embeddings()
        head.bias = torch.nn.Parameter(head.bias.detach().clone())


def _names_of_bias(model: Any) -> int:
    """By how many names the model has the bias of its head."""
    bias = getattr(model.get_output_embeddings(), "bias", None)
    parameters = model.named_parameters(remove_duplicate=False)
    return sum(parameter is bias for _, parameter in parameters)


def _tables(model: Any) -> list[torch.Tensor]:
    """What has a row for each wordpiece: embeddings, and weight and bias of the head."""
    head = model.get_output_embeddings()
    of_head = [] if head is None else [head.weight, head.bias]
    return [table for table in (model.get_input_embeddings().weight, *of_head) if table is not None]
