"""What each step of a run scored: the labels, what a model predicts, what refiners make of either; and when to stop."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskwright.io.outputs import write_atomically
from maskwright.pipelines.fingerprints import json_safe
from maskwright.pipelines.recipe import Recipe


@dataclass
class Scoring:
    """The scores of a run so far, by the folder of masks they are of; none where the recipe names no truth."""

    recipe: Recipe
    folder: Path
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    methods: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def note(self, place: str, methods: Sequence[str], only: Collection[str]) -> None:
        """Score masks in the folder `place` of the run; `methods` names all that had a part in them, in order.

        `only` names the pictures of this run: others may lie there from another recipe, or from before a failure.
        """
        against = self.recipe.evaluate
        if not only or against is None or (against.truth is None and against.points is None):
            return
        from maskwright.pipelines.evaluate import evaluate

        self.steps[place] = evaluate(
            self.folder / place, against.truth, classes=self.recipe.classes, points=against.points,
            sites=self.recipe.sites, only=only,
        )  # fmt: skip
        self.methods[place] = tuple(methods)

    def falls_short(self, number: int) -> tuple[float, float] | None:
        """The scores before and after a round that gained less than the stop rule asks; round 1 has gained nothing."""
        stop = self.recipe.stop
        if stop is None or number < 2:
            return None
        before, now = (float(self.steps[place_of(each)][stop.score]["value"]) for each in (number - 1, number))
        return (before, now) if now - before < stop.least_gain else None

    def write(self) -> None:
        """Write metrics.json: the scores of the last round as `evaluate --json` prints them, those of every round, and
        those of every step with what it gained over the step before."""
        if not self.steps:
            return
        rounds = {round_of(place): found for place, found in self.steps.items() if place.endswith("/masks")}
        final = list(rounds)[-1]
        told = json_safe({**rounds[final], "final": final, "rounds": rounds, "steps": self._steps()})
        write_atomically(self.folder / "metrics.json", (json.dumps(told, indent=2) + "\n").encode())

    def _steps(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        for place, found in self.steps.items():
            headlines = {key: found.get(key) for key in ("mean_iou", "pixel_accuracy")}
            gain = {key: _difference(each, lines[-1][key]) if lines else None for key, each in headlines.items()}
            methods = list(self.methods[place])
            lines.append({"round": round_of(place), "masks": place, "methods": methods, **headlines, "gain": gain})
        return lines


def place_of(number: int) -> str:
    """The folder of the masks of a round, in the folder of the run.

    >>> place_of(2)
    'round-2/masks'
    """
    return f"round-{number}/masks"


def round_of(place: str) -> str:
    """The name of the round that a folder of masks belongs to.

    >>> round_of("round-2/masks")
    'round-2'
    """
    return place.partition("/")[0]


def _difference(now: Any, before: Any) -> float | None:
    values = [each.get("value") if isinstance(each, dict) else None for each in (now, before)]
    return None if values[0] is None or values[1] is None else float(values[0] - values[1])
