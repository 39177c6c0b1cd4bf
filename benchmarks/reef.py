"""The recipe reef on the toy reef, beside the same network trained on the full truth.

    python -m benchmarks.reef [--seeds 0 1 2] [--out FOLDER] [--json FILE]

Each line is one seed: the mean IoU of every step of the recipe, of the network trained on the full truth with the
recipe's settings, the last step as a share of that, and seconds of the recipe from file to file. Several minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from maskwright.io.outputs import write_atomically
from maskwright.pipelines.commands import predict, train
from maskwright.pipelines.evaluate import evaluate
from maskwright.pipelines.recipe import read_recipe, shipped_recipe
from maskwright.pipelines.run import run
from maskwright.pipelines.toy_sets import write_set

PICTURES = 6


def measure(seed: int, folder: Path) -> dict[str, Any]:
    """Scores and seconds of one seed; what lies in `folder` already is continued."""
    write_set("reef", folder, count=PICTURES, random_state=seed)
    write_atomically(folder / "recipe.yaml", shipped_recipe("reef").encode())
    began = time.perf_counter()
    run(folder / "recipe.yaml", out=folder / "run")
    seconds = time.perf_counter() - began
    steps = json.loads((folder / "run" / "metrics.json").read_text())["steps"]
    scores = [round(each["mean_iou"]["value"], 4) for each in steps]
    best = _with_truth(folder)
    return {"seed": seed, "steps": scores, "truth": best, "share": scores[-1] / best, "seconds": round(seconds)}


def _with_truth(folder: Path) -> float:
    """The mean IoU of the recipe's network, trained on the truth of the same pictures."""
    call = read_recipe(folder / "recipe.yaml").train
    assert call is not None
    pictures, model, masks = (folder / each for each in ("orthophotos", "truth-model", "truth-masks"))
    train(call.method, pictures, masks=folder / "truth", classes=folder / "classes.yaml", out=model,
          settings=call.settings)  # fmt: skip
    predict(model, pictures, out=masks)
    return round(float(evaluate(masks, folder / "truth")["mean_iou"]["value"]), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp(prefix="reef-"))
    lines = []
    for seed in arguments.seeds:
        lines.append(measure(seed, out / str(seed)))
        print(lines[-1], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(lines, indent=2) + "\n")


if __name__ == "__main__":
    main()
