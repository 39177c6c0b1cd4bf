"""Networks that tell a figure from its ground: SAM told where to look, and salient-object networks told nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import FormatError, MissingPartError, MissingWeightsError
from maskwright.models.lookup import file_hash

if TYPE_CHECKING:
    from maskwright.models.sam import Sam

Scores = NDArray[np.float32]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE_PX = 1024  # of networks whose file leaves the size open
LICENCES = {
    "rmbg": "CC BY-NC 4.0: not for commercial use without an agreement with BRIA",
    "birefnet": "MIT",
    "u2net": "Apache-2.0",
}

_log = logging.getLogger(__name__)


class Prompt(NamedTuple):
    """What a SAM is told of one figure: places on it and beside it, (n, 2) as row and column, and its box or None.

    The box is top, left, bottom, right, the last two excluded.
    """

    on: NDArray[np.float64]
    beside: NDArray[np.float64]
    box: tuple[int, int, int, int] | None


def figures_by_sam(sam: Sam, pixels: NDArray[np.uint8], prompts: Sequence[Prompt]) -> Iterator[Scores]:
    """Probability of each figure, float32 (height, width): the best of three answers, by SAM's own judgement.

    The picture (height, width, 3) is looked at once for all prompts.
    """
    from maskwright.models.sam import INSIDE, OUTSIDE

    for on, beside, box in prompts:
        given: dict[str, Any] = {}
        if len(on) + len(beside):
            labels = [INSIDE] * len(on) + [OUTSIDE] * len(beside)
            given |= {"points": np.concatenate([on, beside])[None], "labels": np.array([labels])}
        if box is not None:
            given["boxes"] = np.array([box])
        logits = sam.best_masks(sam.embed(pixels), **given).logits[0]
        yield np.asarray(1 / (1 + np.exp(-np.clip(logits, -50, 50))), np.float32)


@dataclass(frozen=True, eq=False)
class SalientObject:
    """A network that finds what catches the eye: a session of onnxruntime, the side it looks at, and its licence."""

    session: Any
    side: int
    sha256: str
    licence: str

    def __call__(self, pixels: NDArray[np.uint8]) -> Scores:
        """Probability of figure, float32 (height, width), of a picture uint8 (height, width, 3).

        The picture is resized to a square and normalised as ImageNet is; of several answers the largest counts, of
        equally large ones the first. Values beyond 0..1 are taken for logits.
        """
        from PIL import Image as Pillow

        small = Pillow.fromarray(pixels).resize((self.side, self.side), Pillow.Resampling.BILINEAR)
        values = (np.asarray(small, np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
        given = {self.session.get_inputs()[0].name: values.transpose(2, 0, 1)[None].astype(np.float32)}
        answers = [np.asarray(each, np.float32) for each in self.session.run(None, given)]
        said = max(answers, key=np.size)
        said = said.reshape(-1, *said.shape[-2:])[0]
        if said.min() < -1e-3 or said.max() > 1 + 1e-3:
            said = 1 / (1 + np.exp(-np.clip(said, -50, 50)))
        whole = Pillow.fromarray(said).resize((pixels.shape[1], pixels.shape[0]), Pillow.Resampling.BILINEAR)
        return np.clip(np.asarray(whole, np.float32), 0, 1)


@lru_cache(maxsize=1)
def load_salient(path: str, device: str = "auto") -> SalientObject:
    """A salient-object network from an .onnx file: BiRefNet, U2-Net, RMBG-2.0 and the like; nothing is downloaded.

    Its licence, as far as the file's name tells, is logged. A file that is not there is a MissingWeightsError, one that
    onnxruntime cannot read, or with another input than (1, 3, side, side), a FormatError.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise MissingWeightsError(f"{file}: no such file; expected a salient-object network as ONNX; name one you have")
    session = _session(file, device)
    shape = session.get_inputs()[0].shape
    if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
        raise FormatError(f"{file}: takes {shape}; expected pictures (1, 3, side, side); export it again")
    known = (text for word, text in LICENCES.items() if word in file.name.lower().replace("-", "").replace("_", ""))
    licence = next(known, "not known to Maskwright: read its publisher's")
    _log.warning("%s: licence %s", file.name, licence)
    return SalientObject(session, shape[2] if isinstance(shape[2], int) else SIDE_PX, file_hash(file), licence)


def _session(file: Path, device: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPartError(f"{file}: needs onnxruntime; install maskwright[torch]") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0") or 0)
    options.log_severity_level = 3
    wanted = ["CUDAExecutionProvider"] if device != "cpu" else []
    providers = [each for each in wanted if each in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(file), options, [*providers, "CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class of its own for every way a file can be broken
        raise FormatError(f"{file}: is no ONNX network that onnxruntime reads: {error}; export it again") from error
