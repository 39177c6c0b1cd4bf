"""A big GeoTIFF predicted piece by piece: speed beside the model alone and a plain loop, and the memory of the whole.

    python -m benchmarks.predict_big [--size 4096] [--model FOLDER] [--out FOLDER] [--json FILE]

The model is the default network with fixed random weights unless a folder is given: the network's speed does not depend
on what was learned, but its answers are noise, the hardest there is to pack. Clocks start when torch is loaded.
All figures are picture pixels per second for the same windows, so the pixels neighbours share are paid for by everyone:

- `network in plain torch`: a window of the picture, read before, as scores by the network's own modules, normalisations
  folded, in the same precision, called side by side as `predict` does;
- `model alone`: the same by a call of the model, whose convolutions are joined with what follows them
  (`maskwright.models.inference`);
- `plain loop`: open with rasterio, read a window, call the model on it, take the best class, write it; the model runs
  with torch's own threads;
- `plain loop, 1 thread`: the same with torch in one thread, which is faster on a busy machine;
- `predict`: the command from file to file: mask, confidence, story and both COGs with their overviews.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine

WINDOW, OVERLAP, BATCH = 512, 64, 1
CLASSES = ("", "branching", "tabular", "massive", "other", "sand")


def make_picture(path: Path, size: int) -> None:
    """A picture of noise on slow waves, 5 cm pixels, with a corner without data."""
    from maskwright.arrays.windows import split
    from maskwright.io.rasters import RasterWriter
    from maskwright.types import Grid

    grid = Grid(size, size, (0.05, 0.0, 320000.0, 0.0, -0.05, 7660000.0), "EPSG:32740")
    noise = np.random.default_rng(0).integers(0, 60, (512, 512, 3), dtype=np.uint8)
    with RasterWriter(path, grid, bands=3, nodata=0, cog=False) as writer:
        for window in split(grid.window, 512):
            rows, cols = np.mgrid[window.top : window.bottom, window.left : window.right]
            waves = 90 + 60 * np.sin(rows / 90) * np.cos(cols / 70)
            pixels = noise[: window.height, : window.width] + waves.astype(np.uint8)[..., None]
            pixels[rows + cols < size // 8] = 0
            writer.write(window, pixels)


def make_model(folder: Path) -> None:
    """The default network with random weights, and statistics of the picture."""
    import torch

    from maskwright.models.networks import new_network
    from maskwright.models.weights import ModelRecord, write_model

    torch.manual_seed(0)
    made = new_network("unet", 3, len(CLASSES) - 1)
    record = ModelRecord(made.architecture, CLASSES, (120.0,) * 3, (40.0,) * 3, pixel_m=0.05)
    write_model(folder, record, made.network.state_dict())


def network_alone(model: Path, picture: Path) -> float:
    """Picture pixels per second of the network without anything of ours but folded normalisations."""
    import torch

    from maskwright.models.inference import folded
    from maskwright.models.processors import autocast, placed
    from maskwright.models.weights import read_model

    segmenter, device = read_model(model, "cpu"), torch.device("cpu")
    network = placed(folded(segmenter.trained_network()), device)

    def scores(pixels: Any) -> Any:
        given = segmenter.normalised(pixels).to(memory_format=torch.channels_last)
        with torch.inference_mode(), autocast(device, segmenter.precision):
            return torch.softmax(network(given).float().contiguous(), dim=1).numpy()

    return _called(scores, segmenter, picture)


def model_alone(model: Path, picture: Path) -> float:
    """Picture pixels per second of nothing but calls of the model."""
    from maskwright.models.weights import read_model

    segmenter = read_model(model)
    return _called(segmenter.named_scores, segmenter, picture)


def _called(scores: Callable[[Any], Any], segmenter: Any, picture: Path) -> float:
    """Speed of 64 calls with a window from the middle of the picture, in as many threads as there are cores."""
    from maskwright.io.rasters import open_raster

    image, threads = open_raster(picture), len(os.sched_getaffinity(0))
    middle = image.grid.height // 2
    tile = np.asarray(image.pixels[middle : middle + WINDOW, middle : middle + WINDOW])
    batch, calls = np.stack([tile] * BATCH), 64
    scores(batch)
    with segmenter.one_thread(), ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        for _ in pool.map(scores, [batch] * calls):
            pass
        seconds = time.perf_counter() - start
    return calls * BATCH * (WINDOW - OVERLAP) ** 2 / seconds


def plain_loop(model: Path, picture: Path, out: Path, threads: int | None = None) -> float:
    """What anybody would write first: one window after the other, the last one to write wins."""
    import rasterio
    import torch
    from rasterio.windows import Window

    from maskwright.models.weights import read_model

    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    segmenter = read_model(model)
    start = time.perf_counter()
    with rasterio.open(picture) as source:
        profile = source.profile | {"count": 1, "nodata": 255, "compress": "deflate"}
        size = source.height
        with rasterio.open(out, "w", **profile) as target:
            starts = [*range(0, size - WINDOW, WINDOW - OVERLAP), size - WINDOW]
            for top in starts:
                for left in starts:
                    window = Window(left, top, WINDOW, WINDOW)
                    scores = segmenter(source.read(window=window).transpose(1, 2, 0)[None])
                    target.write(scores[0].argmax(axis=0).astype(np.uint8), 1, window=window)
    return size * size / (time.perf_counter() - start)


def ours(model: Path, picture: Path, out: Path, workers: int = 1) -> float:
    from maskwright.io.images import picture_size
    from maskwright.models.weights import read_model
    from maskwright.pipelines.commands import predict

    read_model(model)(np.zeros((1, 64, 64, 3), np.uint8))
    start = time.perf_counter()
    outcome = predict(model, picture, out=out, window=WINDOW, overlap=OVERLAP, batch=BATCH, workers=workers)
    seconds = time.perf_counter() - start
    if outcome.failed:
        raise SystemExit(str(outcome.failed))
    height, width = picture_size(picture)
    return height * width / seconds


def alone(work: Callable[..., float], *arguments: Any) -> dict[str, Any]:
    """Speed and peak memory of a piece of work in a process of its own, its own workers counted too."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_told, args=(sender, work, arguments))
    process.start()
    told: dict[str, Any] = receiver.recv()
    process.join()
    return told


def _told(sender: Any, work: Callable[..., float], arguments: tuple[Any, ...]) -> None:
    peak, done = [0], threading.Event()
    watch = threading.Thread(target=_watch, args=(peak, done))
    watch.start()
    speed = work(*arguments)
    done.set()
    watch.join()
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    load = round(os.getloadavg()[0], 1)
    sender.send({"mpx_per_s": round(speed / 1e6, 2), "peak_mb": round(max(own, *peak) / 1e6), "load": load})


def _watch(peak: list[int], done: threading.Event) -> None:
    """What this process and its children hold together at most, looked at four times a second.

    Pages that several share count once: a child that has just been forked has none of its own, though its own peak is
    that of its parent.
    """
    while not done.wait(0.25):
        peak[0] = max(peak[0], sum(_held(each) for each in _family(os.getpid())))


def _family(pid: int) -> list[int]:
    children = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has ended
            children += [int(each) for each in path.read_text().split()]
    return [pid, *(each for child in children for each in _family(child))]


def _held(pid: int) -> int:
    with contextlib.suppress(OSError):  # a process that has ended
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0


def digest(folder: Path, name: str) -> str:
    """One hash of a mask and its confidence."""
    files = (folder / f"{name}.tif", folder / f"{name}.confidence.tif")
    return hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()[:16]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predict_big", description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=4096, metavar="PX", help="side of the picture (4096)")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="a trained model instead of random weights")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where pictures and masks go")
    parser.add_argument("--only-ours", action="store_true", help="leave the plain loops out: they take their time")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    picture, model = out / "map.tif", arguments.model or out / "model"
    if not picture.exists():
        make_picture(picture, arguments.size)
    if arguments.model is None:
        make_model(model)
    cases: dict[str, tuple[Any, ...]] = {
        "network in plain torch": (network_alone, model, picture),
        "model alone": (model_alone, model, picture),
    }
    if not arguments.only_ours:
        cases["plain loop"] = (plain_loop, model, picture, out / "plain.tif")
        cases["plain loop, 1 thread"] = (plain_loop, model, picture, out / "plain.tif", 1)
    cases["predict"] = (ours, model, picture, out / "one")
    cases["predict, 2 workers"] = (ours, model, picture, out / "two", 2)
    cases["network, again"] = (network_alone, model, picture)
    cases["model alone, again"] = (model_alone, model, picture)
    rows = {}
    for name, case in cases.items():
        rows[name] = alone(*case)
        print(f"{name:<24}{rows[name]}", file=sys.stderr, flush=True)
    same = digest(out / "one", "map") == digest(out / "two", "map")
    result = {"size": arguments.size, "rows": rows, "same_for_1_and_2_workers": same, "machine": machine()}
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
