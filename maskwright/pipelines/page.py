"""The report as one HTML page: no script, no link outside, pictures inside the file; for a screen and for paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

Record = Mapping[str, Any]


def report_page(report: Record) -> str:
    """A whole page from what `report.gather` found; a part that has nothing to show is left out."""
    parts: list[tuple[str, Callable[[Record], str]]] = [
        ("", _headlines),
        ("Scores per class", _class_table),
        ("Round by round", _round_table),
        ("Where it is worst", _gallery),
        ("What the masks hold", _statistics),
        ("Learning", _curves),
        ("What failed", _failed),
        ("What it cost", _cost),
        ("Weights", _weights),
        ("Versions", _versions),
        ("Recipe", _recipe),
    ]
    body = [f"<h1>{escape(report['title'])}</h1>", f"<p class=soft>{escape(report['subtitle'])}</p>"]
    for title, part in parts:
        if content := part(report):
            body.append(f"<section>{f'<h2>{title}</h2>' if title else ''}{content}</section>")
    style = resources.files("maskwright.pipelines").joinpath("report.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report['title'])}</title><style>\n{style}</style></head>\n<body>\n"
        + "\n".join(body)
        + f"\n<footer>{escape(report['footer'])}</footer>\n</body></html>\n"
    )


def _headlines(report: Record) -> str:
    if not report["headlines"]:
        return ""
    return f"<div class=headlines>{''.join(map(_headline, report['headlines']))}</div>{_paragraph(report['scored'])}"


def _headline(score: Record) -> str:
    bounds = f"95 % interval {number(score['low'])} to {number(score['high'])}"
    return (
        f"<div class=headline><span>{escape(score['label'])}</span><b>{number(score['value'])}</b>"
        f"<span>{bounds}</span>{whisker(score)}</div>"
    )


def whisker(score: Record | None, color: str = "var(--mark)") -> str:
    """A score between 0 and 1 as a dot on a line, its interval as a bar."""
    if score is None or not _is_number(score.get("value")):
        return ""
    value = _clip(score["value"])
    low, high = (_clip(score[key]) if _is_number(score.get(key)) else value for key in ("low", "high"))
    return (
        '<svg viewBox="0 0 200 14" preserveAspectRatio="none" role="img" '
        f'aria-label="{number(value)}, {number(low)} to {number(high)}">'
        '<line x1="0" x2="200" y1="7" y2="7" stroke="var(--line)" stroke-width="2"/>'
        f'<rect x="{200 * low:.1f}" width="{max(200 * (high - low), 0.5):.1f}" y="4" height="6" fill="{color}" '
        f'opacity=".35"/><rect x="{min(200 * value, 197):.1f}" width="3" y="1" height="12" fill="{color}"/></svg>'
    )


def _class_table(report: Record) -> str:
    if not any(each["iou"] for each in report["classes"]):
        return ""
    columns = [
        key for key in ("dice", "boundary_f", "boundary_iou") if any(each.get(key) for each in report["classes"])
    ]
    names = {"dice": "Dice", "boundary_f": "boundary F", "boundary_iou": "boundary IoU"}
    head = ["class", "IoU", "95 % interval", "", *(names[key] for key in columns), "pixels in truth"]
    rows = [
        [_class(each), _value(each["iou"]), _interval(each["iou"]), whisker(each["iou"])]
        + [_value(each.get(key)) for key in columns]
        + [_count(each.get("support"))]
        for each in report["classes"]
    ]
    return _table(head, rows, report["classes_note"])


def _round_table(report: Record) -> str:
    if len(report["rounds"]) < 2:
        return ""
    rows = [
        [escape(each["name"]), escape(each["methods"]), _value(iou), _gain(each["gain"]), _interval(iou), whisker(iou),
         _value(each["pixel_accuracy"])]
        for each in report["rounds"]
        for iou in [each["mean_iou"]]
    ]  # fmt: skip
    head = ["round", "made by", "mean IoU", "gain", "95 % interval", "", "pixel accuracy"]
    return _table(head, rows, "Gain: what the mean IoU rose by over the line before.")


def _gain(value: Any) -> str:
    return f"{value:+.3f}" if _is_number(value) else "–"


def _gallery(report: Record) -> str:
    examples = report["gallery"]
    if not examples:
        return ""
    kinds = [kind for kind in ("picture", "truth", "mask", "confidence") if any(each[kind] for each in examples)]
    legend = "".join(f"<span>{_class(each)}</span>" for each in report["classes"])
    ramp = "<span>confidence 0<i class=ramp></i>1</span>" if "confidence" in kinds else ""
    shown = "".join(_example(each, kinds) for each in examples)
    return f"{_paragraph(report['gallery_note'])}<div class=legend>{legend}{ramp}</div>{shown}"


def _example(example: Record, kinds: Sequence[str]) -> str:
    figures = "".join(_figure(kind, example[kind], example["name"]) for kind in kinds)
    score = f"mean IoU {number(example['score'])}" if _is_number(example["score"]) else ""
    head = f"<header><b>{escape(example['name'])}</b><span>{score}</span></header>"
    return f"<div class='example of{len(kinds)}'>{head}{figures}</div>"


def _figure(kind: str, source: str | None, name: str) -> str:
    picture = f'<img src="{source}" alt="{kind} of {escape(name, quote=True)}">'
    absent = f"<div class=absent>no {kind}</div>"
    return f"<figure>{picture if source else absent}<figcaption>{kind}</figcaption></figure>"


def _statistics(report: Record) -> str:
    rows = [
        [
            _class(each),
            _count(each["pictures"]),
            _count(each["pixels"]),
            percent(each["fraction"]),
            bar(each["fraction"]),
        ]
        for each in report["statistics"]
    ]
    return _table(["class", "pictures", "pixels", "share", ""], rows, report["statistics_note"]) if rows else ""


def bar(fraction: float) -> str:
    """A share of one as a bar."""
    width = 200 * _clip(fraction)
    return (
        '<svg viewBox="0 0 200 14" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="200" y="3" height="8" fill="var(--line)"/>'
        f'<rect width="{width:.1f}" y="3" height="8" fill="var(--mark)"/></svg>'
    )


def _curves(report: Record) -> str:
    return "".join(
        f"<figure style='margin:0 0 1rem'>{curve(each['values'])}<figcaption>{escape(each['name'])}, over "
        f"{escape(each['over'])}; {number(each['values'][0])} to {number(each['values'][-1])}</figcaption></figure>"
        for each in report["curves"]
        if len(each["values"]) > 1
    )


def curve(values: Sequence[float]) -> str:
    """Numbers in order as a line, the axis from the least to the largest; gaps where a number is missing."""
    known = [value for value in values if _is_number(value)]
    if not known:
        return ""
    least, most = min(known), max(known)
    span = (most - least) or 1.0
    points = [
        f"{50 + 540 * index / max(len(values) - 1, 1):.1f},{150 - 135 * (value - least) / span:.1f}"
        for index, value in enumerate(values)
        if _is_number(value)
    ]
    return (
        '<svg class=curve viewBox="0 0 600 160" role="img">'
        '<line x1="50" x2="590" y1="150" y2="150" stroke="var(--line)"/><line x1="50" x2="50" y1="15" y2="150" '
        f'stroke="var(--line)"/><text x="44" y="19" text-anchor="end">{number(most)}</text>'
        f'<text x="44" y="152" text-anchor="end">{number(least)}</text>'
        f'<polyline points="{" ".join(points)}" fill="none" stroke="var(--mark)" stroke-width="2"/></svg>'
    )


def _failed(report: Record) -> str:
    rows = [[escape(name), f"<span class=alarm>{escape(reason)}</span>"] for name, reason in report["failed"]]
    return _table(["item", "reason"], rows, text=(1,)) if rows else ""


def _cost(report: Record) -> str:
    rows = [
        [
            escape(each["stage"]),
            _count(each["items"]),
            time_taken(each["seconds"]),
            time_taken(each["seconds_per_item"]),
        ]
        for each in report["cost"]
    ]
    return _table(["stage", "items", "time", "per item"], rows, report["cost_note"]) if rows else ""


def _weights(report: Record) -> str:
    rows = [
        [escape(each["name"]), escape(each["licence"]), f"<code>{escape(each['sha256'] or '-')}</code>"]
        for each in report["weights"]
    ]
    return _table(["weights", "licence", "sha256"], rows, text=(1, 2)) if rows else ""


def _versions(report: Record) -> str:
    rows = [[escape(str(name)), escape(str(version))] for name, version in report["versions"].items()]
    return _table(["", "version"], rows, text=(1,)) if rows else ""


def _recipe(report: Record) -> str:
    return f"<pre>{escape(report['recipe'])}</pre>" if report["recipe"] else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "", text: Sequence[int] = ()) -> str:
    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(f"<{tag}{' class=text' if i in text else ''}>{each}</{tag}>" for i, each in enumerate(values))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    below = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f"<div class=wide><table>{below}<thead><tr>{cells('th', head)}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _paragraph(text: str) -> str:
    return f"<p class=soft>{escape(text)}</p>" if text else ""


def _class(each: Record) -> str:
    color = escape(each["color"] or "transparent", quote=True)
    return f'<i class=swatch style="background:{color}"></i>{escape(each["name"])}'


def _value(score: Record | None) -> str:
    return number(score["value"]) if score else "–"


def _interval(score: Record | None) -> str:
    if not score or not _is_number(score.get("low")):
        return "–"
    return f"<small>{number(score['low'])} – {number(score['high'])}</small>"


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def percent(fraction: float) -> str:
    """A share as people read it.

    >>> percent(0.1234), percent(0.00004)
    ('12.3 %', '< 0.1 %')
    """
    return "< 0.1 %" if 0 < fraction < 0.001 else f"{100 * fraction:.1f} %"


def time_taken(seconds: float) -> str:
    """A time with a unit that fits it.

    >>> time_taken(0.0088), time_taken(4.4), time_taken(500), time_taken(9000)
    ('8.8 ms', '4.4 s', '8.3 min', '2.5 h')
    """
    for limit, share, unit in ((1, 0.001, "ms"), (120, 1, "s"), (7200, 60, "min")):
        if seconds < limit:
            return f"{seconds / share:,.1f} {unit}"
    return f"{seconds / 3600:,.1f} h"


def number(value: float | None) -> str:
    """Three digits behind the point for a score, fewer for large numbers, a dash for none.

    >>> number(0.85714), number(1234.5), number(float("nan"))
    ('0.857', '1,234', '–')
    """
    if not _is_number(value):
        return "–"
    assert value is not None
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _clip(value: float) -> float:
    return min(max(float(value), 0.0), 1.0)
