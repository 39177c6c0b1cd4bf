"""The recipe reef on the toy reef, beside the same network trained on the full truth.

    python -m benchmarks.reef [--seeds 0 1 2] [--as-long] [--out FOLDER] [--json FILE]

Each line is one seed: the mean IoU of every step of the recipe and whether each is above the one before, of the network
trained on the full truth with the recipe's settings, the last step as a share of that, and seconds of the recipe from
file to file, by the clock and of the processor. With `--as-long` a second network is trained on the full truth, for as
many steps as all rounds of the recipe together. Several minutes a seed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from maskwright.io.outputs import write_atomically
from maskwright.pipelines.commands import predict, train
from maskwright.pipelines.evaluate import evaluate
from maskwright.pipelines.recipe import MethodCall, read_recipe, shipped_recipe
from maskwright.pipelines.run import run
from maskwright.pipelines.toy_sets import write_set

PICTURES = 6


def measure(seed: int, folder: Path, *, as_long: bool = False) -> dict[str, Any]:
    """Scores and seconds of one seed; what lies in `folder` already is continued."""
    write_set("reef", folder, count=PICTURES, random_state=seed)
    write_atomically(folder / "recipe.yaml", shipped_recipe("reef").encode())
    began, began_cpu = time.perf_counter(), time.process_time()
    run(folder / "recipe.yaml", out=folder / "run")
    spent = {"seconds": time.perf_counter() - began, "processor_seconds": time.process_time() - began_cpu}
    steps = json.loads((folder / "run" / "metrics.json").read_text())["steps"]
    scores = [round(each["mean_iou"]["value"], 4) for each in steps]
    call, later = _learners(folder)
    told: dict[str, Any] = {"seed": seed, "steps": scores, "rises": all(a < b for a, b in pairwise(scores))}
    told |= {key: round(each) for key, each in spent.items()}
    told["truth"] = _with_truth(folder, "truth", call)
    told["share"] = round(scores[-1] / told["truth"], 3)
    if as_long:
        length = call.settings["steps"] + later.get("steps", call.settings["steps"])
        long = replace(call, settings={**call.settings, "steps": length})
        told["truth_as_long"] = _with_truth(folder, "truth-as-long", long)
    return told


def _learners(folder: Path) -> tuple[MethodCall, dict[str, Any]]:
    """The learner of the recipe, and what is different in its second round."""
    recipe = read_recipe(folder / "recipe.yaml")
    assert recipe.train is not None
    return recipe.train, recipe.later_rounds.settings


def _with_truth(folder: Path, name: str, call: MethodCall) -> float:
    """The mean IoU of the recipe's network, trained on the truth of the same pictures."""
    pictures, model, masks = folder / "orthophotos", folder / f"{name}-model", folder / f"{name}-masks"
    train(call.method, pictures, masks=folder / "truth", classes=folder / "classes.yaml", out=model,
          settings=call.settings)  # fmt: skip
    predict(model, pictures, out=masks)
    return round(float(evaluate(masks, folder / "truth")["mean_iou"]["value"]), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--as-long", action="store_true", help="learn the truth for as many steps as all rounds, too")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp(prefix="reef-"))
    lines = []
    for seed in arguments.seeds:
        lines.append(measure(seed, out / str(seed), as_long=arguments.as_long))
        print(lines[-1], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(lines, indent=2) + "\n")


if __name__ == "__main__":
    main()
