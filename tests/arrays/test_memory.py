"""No kernel holds more than three times what goes in and comes out: inputs, results and scratch together.

Pictures are large enough that constants (lookup tables, strips of fixed size) vanish. What the process holds is read
from the resident set, so memory that numpy, numba and C take counts alike.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.measure import bytes_of
from maskwright.arrays import calibrate, colour, combine, counts, encode, estimate, fuse, skeletons, wasserstein
from maskwright.arrays.compiled import HAS_NUMBA
from maskwright.arrays.connected import components
from maskwright.arrays.depths import inner_points, outer_point, squared_depths
from maskwright.arrays.likely import most_likely
from maskwright.arrays.regions import areas, boxes, fill_holes, outlines, remove_islands, small_islands, touching
from maskwright.arrays.scatter import inside_hull, interpolate_inverse_distance, interpolate_linear, interpolate_nearest
from maskwright.arrays.seeds import geodesic_distance, geodesic_nearest, nearest_seed, random_walk, raster_geodesic
from maskwright.arrays.windows import Window, cover, cut, stitch, weights

MOST = 3.0
SHAPE = (1024, 1536)
CLASSES = 5
RESET = Path("/proc/self/clear_refs")

random = np.random.default_rng(0)


def rise(call: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[int, Any]:
    """Bytes the process holds at most during a call beyond what it held before, and what came out."""
    ctypes.CDLL(None).malloc_trim(0)
    RESET.write_text("5")
    before = resident("VmRSS")
    result = call(*inputs)
    return resident("VmHWM") - before, result


def resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))


class Scene:
    """What the kernels are given, made when it is first asked for."""

    @cached_property
    def ids(self) -> Any:
        """Patches of five classes, some hundred regions, 255 in a corner."""
        rows, cols = np.indices(SHAPE)
        waves = np.sin(rows / 19) + np.cos(cols / 23) + np.sin((rows + cols) / 41)
        ids = (waves * 0.8 + 2.5).astype(np.uint8) % CLASSES
        ids[:100, :300] = 255
        return ids

    @cached_property
    def moved(self) -> Any:
        return np.roll(self.ids, 3, axis=1)

    @cached_property
    def labels(self) -> Any:
        return components(self.ids).labels

    @cached_property
    def rgb(self) -> Any:
        return random.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)

    @cached_property
    def soft(self) -> Any:
        return random.random((CLASSES, *SHAPE), np.float32)

    @cached_property
    def sure(self) -> Any:
        return random.random(SHAPE, np.float32)

    @cached_property
    def noise(self) -> Any:
        return random.random(SHAPE) < 0.5

    @cached_property
    def seeds(self) -> Any:
        seeds = np.full(SHAPE, -1, np.int32)
        seeds.ravel()[random.choice(seeds.size, 40, replace=False)] = random.integers(0, CLASSES, 40)
        return seeds

    @cached_property
    def two(self) -> Any:
        return np.minimum(self.seeds, 1)

    @cached_property
    def places(self) -> Any:
        """Rows, columns and three values of 3,000 places."""
        rows, cols = random.random((2, 3000)) * np.array(SHAPE)[:, None]
        return rows, cols, random.random((3000, 3)).astype(np.float32)

    @cached_property
    def points(self) -> Any:
        return random.random((400_000, 5))

    @cached_property
    def truth(self) -> Any:
        return random.integers(0, 5, 400_000).astype(np.uint8)

    @cached_property
    def body(self) -> Any:
        rows, cols = np.ogrid[:2400, :3600]
        return (rows - 1200) ** 2 + (cols - 1800) ** 2 < 1000**2

    @cached_property
    def tailed(self) -> Any:
        rows, cols = np.ogrid[:2400, :3600]
        return self.body & (cols < 2800) | (np.abs(rows - 1200) < 9)

    @cached_property
    def blobs(self) -> Any:
        return [encode.encode(random.random((300, 300)) < 0.5) for _ in range(80)]

    @cached_property
    def windows(self) -> Any:
        return cover(*SHAPE, 512, 64)

    @cached_property
    def parts(self) -> Any:
        return tuple((window, self.soft[(slice(None), *window.slices)]) for window in self.windows)

    @cached_property
    def counts(self) -> Any:
        return random.integers(0, 50, 700_000)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def walk_of_two(pixels: Any, labels: Any) -> Any:
    return random_walk(pixels, labels, 2)


CASES: dict[str, tuple[Callable[..., Any], Callable[[Scene], tuple[Any, ...]]]] = {
    "nearest_seed": (lambda rows, cols: nearest_seed(SHAPE, rows, cols), lambda s: s.places[:2]),
    "geodesic_distance": (geodesic_distance, lambda s: (s.rgb, s.seeds >= 0)),
    "geodesic_distance of floats": (geodesic_distance, lambda s: (s.sure, s.seeds >= 0)),
    "geodesic_nearest": (geodesic_nearest, lambda s: (s.rgb, s.seeds)),
    "raster_geodesic": (lambda p, s: raster_geodesic(p, s, colour_weight=0.5), lambda s: (s.rgb, s.sure)),
    "random_walk": (
        lambda p, s: random_walk(p, s, CLASSES),
        lambda s: (np.repeat(20 * s.ids[:640, :960, None], 3, axis=2), s.seeds[:640, :960]),
    ),
    "random_walk of two": (walk_of_two, lambda s: (20 * s.ids[:640, :960], s.two[:640, :960])),
    "random_walk of two on noise": (walk_of_two, lambda s: (s.rgb[:640, :960, 0].copy(), s.two[:640, :960])),
    "random_walk of two on coloured noise": (walk_of_two, lambda s: (s.rgb[:800, :1200], s.two[:800, :1200])),
    "random_walk of two on floats": (walk_of_two, lambda s: (s.ids[:640, :960] / np.float32(5), s.two[:640, :960])),
    "random_walk of two on uint16": (
        walk_of_two,
        lambda s: ((65535 * s.sure[:640, :960]).astype(np.uint16), s.two[:640, :960]),
    ),
    "random_walk of one of two": (walk_of_two, lambda s: (s.rgb[..., 0].copy(), np.minimum(s.seeds, 0))),
    "components": (components, lambda s: (s.ids,)),
    "areas": (areas, lambda s: (s.labels,)),
    "boxes": (boxes, lambda s: (s.labels,)),
    "outlines": (outlines, lambda s: (s.ids,)),
    "touching": (touching, lambda s: (s.labels,)),
    "fill_holes": (fill_holes, lambda s: (s.labels,)),
    "small_islands": (lambda ids: small_islands(ids, 50), lambda s: (s.labels,)),
    "remove_islands": (lambda ids: remove_islands(ids, 50), lambda s: (s.labels,)),
    "fill_holes of bytes": (fill_holes, lambda s: (s.ids,)),
    "small_islands of bytes": (lambda ids: small_islands(ids, 50), lambda s: (s.ids,)),
    "remove_islands of bytes": (lambda ids: remove_islands(ids, 50), lambda s: (s.ids,)),
    "squared_depths": (squared_depths, lambda s: (s.ids,)),
    "inner_points": (inner_points, lambda s: (s.labels,)),
    "outer_point": (outer_point, lambda s: (s.body,)),
    "confusion": (lambda a, b: counts.confusion(a, b, CLASSES), lambda s: (s.ids, s.moved)),
    "region_overlaps": (counts.region_overlaps, lambda s: (s.labels, components(s.moved).labels)),
    "boundary_hits": (lambda a, b: counts.boundary_hits(a, b, CLASSES, 3), lambda s: (s.ids, s.moved)),
    "boundary_bands": (lambda a, b: counts.boundary_bands(a, b, CLASSES, 20), lambda s: (s.ids, s.moved)),
    "encode": (encode.encode, lambda s: (s.noise,)),
    "encode column-major": (encode.encode, lambda s: (np.asfortranarray(s.noise),)),
    "encode smooth": (encode.encode, lambda s: (s.body,)),
    "decode": (lambda region: encode.decode(region, *SHAPE), lambda s: (encode.encode(s.ids == 1),)),
    "label_regions": (encode.label_regions, lambda s: (s.labels,)),
    "counts_text": (encode.counts_text, lambda s: (s.counts,)),
    "text_counts": (encode.text_counts, lambda s: (encode.counts_text(s.counts),)),
    "from_counts": (lambda c: encode.from_counts(c, 1, int(c.sum())), lambda s: (s.counts,)),
    "merge": (combine.merge, lambda s: (s.blobs[:40],)),
    "iou": (combine.iou, lambda s: (s.blobs[:40], s.blobs[40:])),
    "interpolate_linear": (lambda r, c, v: interpolate_linear(r, c, v, SHAPE), lambda s: s.places),
    "interpolate_inverse": (lambda r, c, v: interpolate_inverse_distance(r, c, v, SHAPE), lambda s: s.places),
    "interpolate_nearest": (lambda r, c, v: interpolate_nearest(r, c, v, SHAPE), lambda s: s.places),
    "interpolate_nearest of one": (
        lambda r, c, v: interpolate_nearest(r, c, v, SHAPE),
        lambda s: (s.places[0], s.places[1], s.places[2][:, 0]),
    ),
    "inside_hull": (lambda r, c: inside_hull(r, c, (3000, 4000)), lambda s: s.places[:2]),
    "slice_distances": (
        wasserstein.slice_distances,
        lambda s: (s.points[:150_000], s.points[150_000:300_000], np.eye(5)),
    ),
    "score_quantiles": (fuse.score_quantiles, lambda s: (s.soft,)),
    "quantile_stretch": (fuse.quantile_stretch, lambda s: (s.soft,)),
    "fuse_scores": (fuse.fuse_scores, lambda s: (s.soft,)),
    "fuse_scores of two": (fuse.fuse_scores, lambda s: (s.soft[:2],)),
    "legacy_argmax": (fuse.legacy_argmax, lambda s: (s.soft,)),
    "vote": (fuse.vote, lambda s: (np.stack([s.ids, s.moved, s.ids]),)),
    "vote weighted": (fuse.vote, lambda s: (np.stack([s.ids, s.moved, s.ids]), s.soft[:3])),
    "agreement": (fuse.agreement, lambda s: (np.stack([s.ids, s.moved, s.ids]),)),
    "average": (fuse.average, lambda s: (s.soft[None],)),
    "priority": (fuse.priority, lambda s: ([s.ids, s.moved, s.ids],)),
    "most_likely": (most_likely, lambda s: (s.soft, s.sure > 0)),
    # As many numbers are held as confidences differ, says its docstring: so they are rounded.
    "isotonic": (calibrate.isotonic, lambda s: (np.round(s.sure, 3), s.noise)),
    "isotonic of all different": (calibrate.isotonic, lambda s: (s.soft, s.soft > 0.5)),
    "Isotonic": (calibrate.Isotonic(np.array([0.0, 1]), np.array([0.2, 0.9])), lambda s: (s.sure,)),
    "temperature": (calibrate.temperature, lambda s: (s.points.astype(np.float32), s.truth)),
    "at_temperature": (lambda s: calibrate.at_temperature(s, 2.0), lambda s: (s.soft,)),
    "reliability": (calibrate.reliability, lambda s: (s.sure, s.noise)),
    "share": (estimate.share, lambda s: (s.counts, s.counts + 9)),
    "stratified_share": (estimate.stratified_share, lambda s: (s.points, s.points + 1, np.ones(5))),
    "assisted_share": (
        estimate.assisted_share,
        lambda s: (s.points[:, 0], s.counts[:400_000], s.counts[:400_000], np.array(100.0)),
    ),
    "cover": (lambda ids: estimate.cover(ids, CLASSES), lambda s: (s.ids,)),
    "resampled_weights": (lambda: estimate.resampled_weights(1000, 1000), lambda _: ()),
    "percentile_interval": (
        lambda draws: estimate.percentile_interval(draws, 50),
        lambda s: (random.random((1000, 900)),),
    ),
    "stretch": (colour.stretch, lambda s: (s.rgb.astype(np.uint16),)),
    "stretch of floats": (colour.stretch, lambda s: (s.rgb.astype(np.float32),)),
    "as_rgb": (colour.as_rgb, lambda s: (s.rgb.astype(np.uint16),)),
    "grey_world": (colour.grey_world, lambda s: (s.rgb,)),
    "underwater": (colour.underwater, lambda s: (s.rgb,)),
    "blend": (lambda a, b: colour.blend(a, b, 0.5), lambda s: (s.rgb, s.rgb)),
    "overlay": (
        lambda p, i, s: colour.overlay(p, i, colour.palette(CLASSES), confidence=s),
        lambda s: (s.rgb, s.ids, s.sure),
    ),
    "borders": (colour.borders, lambda s: (s.ids,)),
    "farthest_behind": (
        lambda r: skeletons.farthest_behind(r, ((1200, 900), (1200, 2790)), least=2),
        lambda s: (s.tailed,),
    ),
    "along_trunk": (
        lambda r: skeletons.along_trunk(r, ((1200, 900), (1200, 2600)), [(1900, 1700)], "upper", 0.5),
        lambda s: (s.body,),
    ),
    "weights": (lambda: weights(2000, 2000, 64), lambda _: ()),
    "cut": (lambda scores: cut(scores, cover(*SHAPE, 512, 64)), lambda s: (s.soft,)),
    "stitch": (lambda *parts: stitch(parts, Window(0, 0, *SHAPE), CLASSES, 64), lambda s: s.parts),
}


@pytest.mark.skipif(not HAS_NUMBA or not RESET.exists(), reason="needs numba and Linux, which tells what is resident")
@pytest.mark.parametrize("name", CASES)
def test_kernels_hold_three_times_what_goes_in_and_comes_out_at_most(name: str, scene: Scene) -> None:
    call, make = CASES[name]
    inputs = make(scene)
    call(*inputs)  # compiled, and imported, before it is measured
    inside, factor = bytes_of(inputs), math.inf
    for _ in range(3):  # what else the process does at the time only adds
        more, result = rise(call, inputs)
        factor = min(factor, (inside + more) / (inside + bytes_of(result)))
        if factor <= MOST:
            return
    pytest.fail(f"holds {factor:.2f} times its inputs and outputs of {(inside + bytes_of(result)) / 1e6:.1f} MB")
