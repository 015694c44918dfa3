"""Checkpoints of a training on disk: safetensors and JSON."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from thinc.api import get_torch_default_device
from thinc.compat import has_cupy_gpu

from spacy_bertcrf.models.resumable import State
from spacy_bertcrf.training.checkpoints.whole_folder import (
    remove_folder,
    remove_leftovers,
    write_folder,
)

ARRAYS, VALUES, MANIFEST = "arrays.safetensors", "state.json", "manifest.json"
ARRAY = "$array"
CHUNK = 1 << 22  # bytes


class Checkpoints:
    """Those of one training, in folders `step-N`, N being the number of steps that were taken.

    folder: that they are in.
    frequency: steps from one to the next.
    keep: how many are kept, the last ones. While one is written, there is one more.

    Raises ValueError if one of the numbers is below 1.
    """

    def __init__(self, folder: Path, frequency: int = 200, keep: int = 2):
        for name, number in (("frequency", frequency), ("keep", keep)):
            if number < 1:
                raise ValueError(f"{name} is {number}; it must be at least 1.")
        self.folder = folder
        self.frequency = frequency
        self.keep = keep

    def paths(self) -> list[Path]:
        """The folders that are there, the newest first."""
        found = [path for path in self.folder.glob("step-*") if path.name[5:].isdecimal()]
        return sorted(found, key=_n_steps, reverse=True)

    def newest_whole(self) -> Path | None:
        """The newest whose files are all as they were written."""
        return next((path for path in self.paths() if is_whole(path)), None)

    def write(self, n_steps: int, state: State) -> None:
        """Write a checkpoint, and then remove the oldest.

        Raises OSError if that fails; those written before are still there.
        """
        path = self.folder / f"step-{n_steps}"
        try:
            write_folder(path, lambda draft: _write(draft, state))
        except OSError as error:
            newest = self.newest_whole()
            kept = "There is none before it" if newest is None else f"{newest} is as it was"
            raise OSError(
                error.errno, f"The checkpoint {path} could not be written ({error}). {kept}."
            ) from error
        for old in self.paths()[self.keep :]:
            remove_folder(old)

    def begin(self, newest: Path | None) -> None:
        """Remove what kills have left behind, and all that is newer than a checkpoint, which a
        training goes on from; all there is if it begins anew."""
        if self.folder.exists():
            remove_leftovers(self.folder, "step-*")
        for path in self.paths():
            if newest is None or _n_steps(path) > _n_steps(newest):
                remove_folder(path)


def read_checkpoint(path: Path) -> State:
    """The state that was written, with all tensors on the device that torch makes them on."""
    values = json.loads((path / VALUES).read_text("utf-8"))
    arrays = safetensors.torch.load_file(path / ARRAYS)
    state: State = _joined(values, arrays)
    return state


def is_whole(path: Path) -> bool:
    """Whether all files of a checkpoint are as they were written."""
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
        return all(checksum(path / name) == expected for name, expected in manifest.items())
    except (OSError, ValueError):
        return False


def checksum(path: Path) -> list[int]:
    """Size and CRC-32 of a file."""
    size, crc = 0, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            size += len(chunk)
            crc = zlib.crc32(chunk, crc)
    return [size, crc]


def _write(folder: Path, state: State) -> None:
    folder.mkdir()
    arrays: dict[str, torch.Tensor] = {}
    values = _split(state, "", arrays)
    (folder / VALUES).write_text(json.dumps(values), "utf-8")
    try:
        safetensors.torch.save_file(_unshared(arrays), folder / ARRAYS)
    except safetensors.SafetensorError as error:
        raise OSError(None, str(error)) from error
    manifest = {name: checksum(folder / name) for name in (VALUES, ARRAYS)}
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")


def _split(value: Any, name: str, arrays: dict[str, torch.Tensor]) -> Any:
    """The state with names in the place of arrays, which are put aside."""
    if isinstance(value, dict):
        return {key: _split(item, f"{name}/{key}", arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_split(item, f"{name}/{i}", arrays) for i, item in enumerate(value)]
    if isinstance(value, torch.Tensor):
        arrays[name] = value.detach().cpu()
        return {ARRAY: name, "kind": "torch" if value.device.type == "cpu" else "cuda"}
    if isinstance(value, np.ndarray):
        arrays[name] = torch.from_numpy(value)
        return {ARRAY: name, "kind": "numpy"}
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "__cuda_array_interface__"):
        arrays[name] = torch.from_numpy(value.get())
        return {ARRAY: name, "kind": "cupy"}
    return value


def _joined(value: Any, arrays: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_joined(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if ARRAY not in value:
        return {key: _joined(item, arrays) for key, item in value.items()}
    tensor = arrays[value[ARRAY]]
    if value["kind"] == "cuda":
        return tensor.to(get_torch_default_device())
    if value["kind"] == "torch":
        return tensor
    if value["kind"] == "cupy" and has_cupy_gpu:
        import cupy

        return cupy.asarray(tensor.numpy())
    return tensor.numpy()


def _unshared(arrays: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The arrays with memory of their own: safetensors refuses tied weights."""
    seen: set[int] = set()
    own = {}
    for name, array in arrays.items():
        tensor = array.contiguous()
        memory = tensor.untyped_storage().data_ptr()
        own[name] = tensor.clone() if memory in seen else tensor
        seen.add(memory)
    return own


def _n_steps(path: Path) -> int:
    return int(path.name.removeprefix("step-"))
