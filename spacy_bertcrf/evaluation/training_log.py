"""Reading the log of a training, as the logger `spacy-bertcrf.JSONL.v1` writes it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class TrainingLog:
    """A training.

    run: what identifies it, of the last start if it was continued.
    records: in the order of their steps, each with its "step".
    """

    run: dict[str, Any]
    records: list[dict[str, Any]]

    @property
    def best_step(self) -> int | None:
        """The step whose weights spaCy keeps as model-best: that of the highest score, the last
        one of equals. None if nothing was evaluated."""
        scores = [(r["score"], r["step"]) for r in self.records if r.get("score") is not None]
        return max(scores)[1] if scores else None

    def series(self, *keys: str) -> tuple[np.ndarray, np.ndarray]:
        """A number over the steps, wherever it is recorded, such as `series("losses", "bertcrf")`.

        Returns the steps, (n,) int64, and the numbers, (n,) float64; nan where a number was not
        finite.
        """
        steps, numbers = [], []
        for record in self.records:
            found = _at(record, keys)
            if found is None or isinstance(found, int | float):
                steps.append(record["step"])
                numbers.append(np.nan if found is None else found)
        return np.asarray(steps, dtype=np.int64), np.asarray(numbers, dtype=np.float64)

    def names(self, *keys: str) -> list[str]:
        """What is recorded under the given keys, such as the labels in
        `names("scores", "ents_per_type")`, in the order of their first appearance."""
        found = [_at(record, keys) for record in self.records]
        return list(
            dict.fromkeys(name for part in found if isinstance(part, dict) for name in part)
        )


def read_training_log(path: Path) -> TrainingLog:
    """Read a log.

    Of a training that was continued from an earlier step, the records from then on count. A last
    line that is not finished, for the training is writing it or was killed, is left out.

    Raises ValueError, with file and line, for a log that is missing, empty or damaged.
    """
    if not path.is_file():
        raise ValueError(f"There is no log {path}.")
    content = path.read_bytes()
    run: dict[str, Any] | None = None
    records: list[dict[str, Any]] = []
    continued = False
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        place = f"{path}, line {number}"
        try:
            entry = _read_line(line)
        except ValueError as err:
            if not line.endswith(b"\n"):
                break
            raise ValueError(f"{place}: {err}.") from err
        if "run" in entry:
            run, continued = entry["run"], bool(records)
        elif run is None:
            raise ValueError(f'{place}: the first line of a log is {{"run": …}}.')
        elif type(entry.get("step")) is not int:
            raise ValueError(f"{place}: the record has no step.")
        else:
            if continued:
                records = [record for record in records if record["step"] < entry["step"]]
                continued = False
            elif records and entry["step"] <= records[-1]["step"]:
                raise ValueError(
                    f"{place}: step {entry['step']} comes after step {records[-1]['step']}."
                )
            records.append(entry)
    if run is None or not records:
        raise ValueError(f"The log {path} has no records.")
    return TrainingLog(run, records)


_MISSING = object()


def _at(record: dict[str, Any], keys: tuple[str, ...]) -> Any:
    found: Any = record
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            return _MISSING
        found = found[key]
    return found


def _read_line(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as err:
        raise ValueError(f"not UTF-8 ({err.reason})") from err
    except json.JSONDecodeError as err:
        raise ValueError(f"not JSON ({err.msg} at character {err.pos + 1})") from err
    if not isinstance(entry, dict):
        raise ValueError("not a JSON object")
    return entry
