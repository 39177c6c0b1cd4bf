"""The page of the demo: one HTML file without scripts or links outside, every picture inside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskwright.arrays.colour import overlay
from maskwright.io.outputs import write_atomically
from maskwright.pipelines.demo import Attempt, Shown, made_mask, mask_path
from maskwright.pipelines.page import number, whisker
from maskwright.pipelines.toy_sets import flat_truth
from maskwright.types import Keypoints, Points

if TYPE_CHECKING:
    from maskwright.toys.scenes import Scene
    from maskwright.types import Mask

SCENES_SHOWN = 3
Pixels = NDArray[np.uint8]


def write_page(out: Path, shown: Sequence[Shown]) -> Path:
    """Write OUT/index.html from what each chapter gave; the same results give the same page but for the seconds."""
    style = "\n".join(
        resources.files("maskwright.pipelines").joinpath(name).read_text("utf-8") for name in ("report.css", "demo.css")
    )
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Maskwright demo</title><style>\n{style}</style></head>\n<body>\n{_head(shown)}\n"
        + "\n".join(map(_chapter, shown))
        + f"\n<footer>{_foot()}</footer>\n</body></html>\n"
    )
    write_atomically(out / "index.html", page.encode())
    return out / "index.html"


def _head(shown: Sequence[Shown]) -> str:
    first = [each.toys.scenes[0] for each in shown]
    figures = "".join(f"<figure>{_image(_pixels(scene), scene.name)}</figure>" for scene in first)
    return (
        "<h1>Hints become masks</h1>"
        "<p>A hint is anything cheap that somebody knows about a picture: a few named pixels, a click, joints, one "
        "example, a tag. Maskwright makes class maps, objects and segmenters of them, and keeps the story of how.</p>"
        f"<div class=hero>{figures}</div>"
        "<p class=soft>All pictures are drawn by code from a seed, so their truth is known to the pixel. Nothing was "
        "downloaded, everything ran on this computer's processor.</p>"
    )


def _chapter(shown: Shown) -> str:
    chapter, best = shown.chapter, shown.best
    parts = [f'<section id="{chapter.name}"><h2>{escape(chapter.title)}</h2><p>{escape(chapter.text)}</p>']
    parts += [_gallery(shown, best), _legend(shown)]
    if best is not None:
        parts += [_scores(shown), _again(shown, best)]
    if shown.coming:
        names = ", ".join(f"<code>{escape(each)}</code>" for each in shown.coming)
        here = (
            "" if shown.attempts else "No method for this kind of hint is here yet, so only data and truth are shown. "
        )
        parts.append(f"<p class=coming>{here}Still to come: {names}.</p>")
    return "\n".join([*parts, "</section>"])


def _gallery(shown: Shown, best: Attempt | None) -> str:
    """One row of figures for each scene; where there are only two, two scenes share a row."""
    scenes = [_scene(scene, shown, best) for scene in shown.toys.scenes[: SCENES_SHOWN + 1]]
    columns = len(scenes[0])
    if columns == 2:
        scenes, columns = [scenes[at] + scenes[at + 1] for at in range(0, len(scenes) - 1, 2)], 4
    width = " three" if columns == 3 else ""
    return "".join(f'<div class="scene{width}">{"".join(each)}</div>' for each in scenes[:SCENES_SHOWN])


def _scene(scene: Scene, shown: Shown, best: Attempt | None) -> list[str]:
    colours = shown.toys.classes.palette()[:255]
    figures = [_figure(_image(_pixels(scene), scene.name), "picture")]
    if scene.hints:
        figures.append(_figure(_image(_hint(scene, colours), f"hint of {scene.name}"), _hint_words(scene)))
    if best is not None:
        mask = made_mask(best, scene.name)
        figures.append(_figure(_image(_overlaid(scene, mask, colours), f"mask of {scene.name}"), best.method))
    truth = _overlaid(scene, flat_truth(scene), colours)
    figures.append(_figure(_image(truth, f"truth of {scene.name}"), "truth"))
    return figures


def _figure(image: str, words: str) -> str:
    return f"<figure>{image}<figcaption>{escape(words)}</figcaption></figure>"


def _pixels(scene: Scene) -> Pixels:
    return np.asarray(scene.image.pixels)


def _overlaid(scene: Scene, mask: Mask, colours: Pixels) -> Pixels:
    return overlay(_pixels(scene), mask.class_ids, colours, opacity=0.62)


def _hint(scene: Scene, colours: Pixels) -> Pixels:
    """The picture, grey and pale, with what was known about it drawn on top."""
    import cv2

    grey = _pixels(scene).mean(axis=2, keepdims=True)
    canvas = np.ascontiguousarray(np.repeat(120 + 0.5 * grey, 3, axis=2).astype(np.uint8))
    hint = scene.hints.get("clicks") or next(iter(scene.hints.values()))
    if isinstance(hint, Points | Keypoints):
        paints = colours[hint.class_ids] if isinstance(hint, Points) else np.tile([[213, 94, 0]], (len(hint.names), 1))
        radius = max(canvas.shape[1] // 80, 2)
        for row, col, paint in zip(hint.rows, hint.cols, paints.tolist(), strict=True):
            if not np.isnan(row):
                place = (round(float(col)), round(float(row)))
                cv2.circle(canvas, place, radius + 1, (255, 255, 255), -1, cv2.LINE_AA)
                cv2.circle(canvas, place, radius, paint, -1, cv2.LINE_AA)
    return canvas


def _hint_words(scene: Scene) -> str:
    hint = scene.hints.get("clicks") or next(iter(scene.hints.values()))
    if isinstance(hint, Points):
        return f"hint: {len(hint)} points"
    if isinstance(hint, Keypoints):
        return f"hint: {int(np.isfinite(hint.rows).sum())} joints"
    present = sorted(getattr(hint, "present", ()))
    return f"hint: {present[0]} present" if present else "hint: no object"


def _legend(shown: Shown) -> str:
    classes = shown.toys.classes
    swatches = "".join(
        f'<span><i class=swatch style="background:{classes.colors[class_id]}"></i>{escape(name)}</span>'
        for class_id, name in classes.named.items()
    )
    return f"<div class=legend>{swatches}</div>"


def _scores(shown: Shown) -> str:
    more = list(shown.attempts[0].average_precision)
    head = ["method", "mean IoU", "95 % interval", "", "pixel accuracy", *more, "pictures", "seconds", ""]
    rows = "".join(_row(each) for each in shown.attempts)
    titles = "".join(f"<th>{each}</th>" for each in head)
    caption = (
        "Against the full truth; intervals by drawing pictures again and again. "
        "Seconds include reading, writing and the report."
    )
    return f"<div class=wide><table><caption>{caption}</caption><tr>{titles}</tr>{rows}</table></div>"


def _row(attempt: Attempt) -> str:
    score, accuracy = attempt.scores["mean_iou"], attempt.scores["pixel_accuracy"]
    bounds = f"{number(score['low'])} to {number(score['high'])}"
    report = attempt.folder / "report.html"
    link = "/".join((*attempt.folder.parts[-3:], report.name))
    cells = [
        f"<code>{escape(attempt.method)}</code>", number(score["value"]), bounds,
        whisker(score), number(accuracy["value"]),
        *map(number, attempt.average_precision.values()), str(attempt.scores["pictures"]), f"{attempt.seconds:.1f}",
        f'<a href="{escape(link, quote=True)}">report</a>' if report.exists() else "",
    ]  # fmt: skip
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _again(shown: Shown, best: Attempt) -> str:
    """How to make the best masks again, and the story of the first of them."""
    from maskwright.pipelines.explain import explain

    command = f"maskwright run {shown.chapter.name}/recipe.yaml --out again --set label.0.method={best.method}"
    story = explain(mask_path(best, shown.toys.scenes[0].name)).text
    return (
        f"<p>The best of them again, from this folder: <code>{escape(command)}</code></p>"
        f"<details><summary>The story of the first mask</summary><pre>{escape(story)}</pre></details>"
    )


def _image(pixels: Pixels, words: str) -> str:
    """A picture inside the page, as JPEG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=88)
    data = base64.b64encode(buffer.getvalue()).decode()
    height, width = pixels.shape[:2]
    return (
        f'<img width="{width}" height="{height}" alt="{escape(words, quote=True)}" style="height:auto" '
        f'src="data:image/jpeg;base64,{data}">'
    )


def _foot() -> str:
    from maskwright import __version__

    return f"Made by <code>maskwright demo</code>, version {escape(__version__)}."
