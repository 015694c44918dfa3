"""What a user sets, of which the output depends."""

from dataclasses import dataclass

FORMATS = ("jsonl", "parquet")
OWN_COLUMNS = ("id", "text", "entities", "spans", "cats", "place", "error")
OF_ERRORS = ("place", "error")


@dataclass(frozen=True)
class Settings:
    """How rows are read, and what is written of them.

    text_field, id_field: columns, or keys of JSON objects. Without an id_field the id is that
        under "id", and made from file and line where there is none.
    keep: columns that are written too.
    save_texts: whether texts are written too.
    format: one of FORMATS.
    shard_size: most texts in a shard.
    whole_files: whether a plain text file is one text, instead of each of its lines.
    delimiter: between the columns of CSV files; if None, a comma, and in .tsv files a tab.
    quotes: whether fields of CSV files may stand in quotes, which are else characters as any other.

    Raises ValueError for what cannot be.
    """

    text_field: str = "text"
    id_field: str | None = None
    keep: tuple[str, ...] = ()
    save_texts: bool = False
    format: str = "jsonl"
    shard_size: int = 10_000
    whole_files: bool = False
    delimiter: str | None = None
    quotes: bool = True

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"The format is {self.format!r}; it must be {' or '.join(FORMATS)}.")
        if self.shard_size < 1:
            raise ValueError(f"The shard size is {self.shard_size}; it must be at least 1.")
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise ValueError(f"The delimiter is {self.delimiter!r}; it must be one character.")
        for option, field in (("--text-field", self.text_field), ("--id-field", self.id_field)):
            if field in OF_ERRORS:
                raise ValueError(
                    f"{option} {field}: errors.jsonl says something else under that name. Rename "
                    "that of the input."
                )
        taken = [column for column in self.keep if column in OWN_COLUMNS]
        if taken:
            raise ValueError(
                f"--keep {taken[0]}: what is written has something else under that name, in "
                "any case, by --save-texts or in errors.jsonl. Rename that of the input."
            )
        if len(set(self.keep)) < len(self.keep):
            raise ValueError("--keep names a column twice.")
