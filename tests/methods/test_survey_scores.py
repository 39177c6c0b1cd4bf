"""Surveys to masks: the published numbers in the published way, better ones in ours, and all that can be amiss."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks.coarse import ZONES, measure_way, read_truth
from maskwright.arrays.footprints import footprints
from maskwright.arrays.frames import METRES_PER_DEGREE
from maskwright.contracts import check_labeler
from maskwright.errors import EmptyResultError, GridError, InputError, UnknownNameError
from maskwright.methods.survey_scores import SurveyScores
from maskwright.metrics.overlap import Overlap
from maskwright.score_maps import from_footprints, merged, with_frames
from maskwright.tiled import label_tiled
from maskwright.toys import reef as toy
from maskwright.types import UNKNOWN, Grid, Hint, Image, Mask, ScoreMap, Survey
from tests.scenes import CLASS_NAMES

pytest.importorskip("pyproj")
NAMES = ("", "branching", "massive", "sand")
GRID = Grid(20, 60, (0.1, 0.0, 322000.0, 0.0, -0.1, 7657800.0), "EPSG:32740")
IMAGE = Image(np.zeros((20, 60, 3), np.uint8), GRID)

# Pixel accuracy and mean IoU as published for the two drawn maps: stretched, not stretched; mean IoU of binary scores.
PUBLISHED = {
    (0.25, "Saint-Leu"): (0.968, 0.896, 0.968, 0.896, 0.871),
    (0.25, "Trou d'Eau"): (0.977, 0.803, 0.977, 0.799, 0.761),
    (0.5, "Saint-Leu"): (0.935, 0.811, 0.935, 0.810, 0.773),
    (0.5, "Trou d'Eau"): (0.955, 0.656, 0.958, 0.650, 0.636),
    (1.0, "Saint-Leu"): (0.887, 0.705, 0.887, 0.705, 0.665),
    (1.0, "Trou d'Eau"): (0.909, 0.491, 0.921, 0.399, 0.476),
    (1.5, "Saint-Leu"): (0.832, 0.599, 0.834, 0.563, 0.563),
    (1.5, "Trou d'Eau"): (0.897, 0.444, 0.912, 0.401, 0.437),
}
POOLED = {0.25: (0.972, 0.875), 0.5: (0.944, 0.771), 1.0: (0.902, 0.645), 1.5: (0.864, 0.543), 2.0: (0.823, 0.479)}


@pytest.mark.parametrize(("step_m", "zone"), list(PUBLISHED))
def test_weak_labels_of_one_real_map_reach_the_published_scores(shared_data: Path, step_m: float, zone: str) -> None:
    truths = [read_truth(shared_data, zone)]
    stretched, plain, binary = (
        measure_way(truths, step_m, way) for way in ("published", "published, no stretch", "published, binary")
    )
    assert (*stretched, *plain, binary[1]) == pytest.approx(PUBLISHED[step_m, zone], abs=0.02)


@pytest.mark.parametrize("step_m", list(POOLED))
def test_weak_labels_of_both_maps_together_and_better_ones_from_the_frames(shared_data: Path, step_m: float) -> None:
    truths = [read_truth(shared_data, zone) for zone in ZONES]
    published = measure_way(truths, step_m, "published")
    assert published == pytest.approx(POOLED[step_m], abs=0.02)
    ours = measure_way(truths, step_m, "ours")  # of every pixel, not only of those that are covered
    assert ours[0] > published[0] + 0.005 and ours[1] > published[1] + 0.02


def scores_of(*bands: object, names: tuple[str, ...] = NAMES[1:], cells: int = 6) -> ScoreMap:
    """A map of 2 x 6 cells of one metre over the picture."""
    scores = np.array(bands, np.float32).reshape(len(names), 2, cells)
    return ScoreMap(scores, names, Grid(2, cells, (1.0, 0.0, 322000.0, 0.0, -1.0, 7657800.0), "EPSG:32740"))


def cells_of(mask: Mask) -> list[list[int]]:
    """The ids in the middle of each cell of one metre."""
    return mask.class_ids[5::10, 5::10].tolist()  # type: ignore[no-any-return]


def test_ties_and_no_evidence_are_unknown_and_nan_is_passed_over() -> None:
    nan = np.nan
    scores = scores_of(
        [[0.0, 0.5, 0.9, nan, nan, 0.2]] * 2, [[0.0, 0.5, 0.1, 0.3, nan, nan]] * 2, [[0.0, 0.0, 0.0, 0.1, nan, nan]] * 2
    )
    safe = SurveyScores(stretch=False)(IMAGE, [scores], NAMES)
    assert cells_of(safe) == [[UNKNOWN, UNKNOWN, 1, 2, UNKNOWN, 1]] * 2
    legacy = SurveyScores(stretch=False, legacy=True)(IMAGE, [scores], NAMES)
    assert cells_of(legacy) == [[1, 1, 1, 1, UNKNOWN, 2]] * 2, "argmax takes nan, and the first class where all are 0"
    assert safe.confidence is not None and safe.confidence[5, 25] == pytest.approx((0.9 - 0.1) / 0.9)
    assert legacy.confidence is None and not safe.confidence[safe.class_ids == UNKNOWN].any()


def test_the_stretch_is_pooled_over_surveys_and_a_trace_is_no_certainty() -> None:
    common, rare = np.linspace(0, 1, 12), np.where(np.arange(12) == 11, 0.02, 0.0)
    scores = scores_of(common, rare, names=("sand", "coral"))
    far = replace(scores, grid=Grid(2, 6, (1.0, 0.0, 322060.0, 0.0, -1.0, 7657800.0), "EPSG:32740"))
    names = ("", "sand", "coral")
    alone = SurveyScores(low_quantile=0, high_quantile=0.9, floor=0)(IMAGE, [scores], names)
    assert cells_of(alone)[1][5] in (2, UNKNOWN), "without a floor a trace counts as full evidence"
    assert cells_of(SurveyScores(low_quantile=0, high_quantile=0.9)(IMAGE, [scores], names))[1][5] == 1
    loud = replace(far, scores=np.concatenate([scores.scores[:1] * 0, scores.scores[:1]]))
    shy = SurveyScores(stretch=True, floor=0)(IMAGE, [replace(scores, scores=scores.scores / 4)], names)
    with_loud = SurveyScores(stretch=True, floor=0)(IMAGE, [replace(scores, scores=scores.scores / 4), loud], names)
    assert cells_of(shy) != cells_of(with_loud), "quantiles come from all surveys, also from those beside the picture"


def test_a_class_without_scores_is_an_error_or_nowhere_and_ids_never_shift(caplog: pytest.LogCaptureFixture) -> None:
    scores = scores_of([[0.9] * 6] * 2, [[0.1] * 6] * 2, names=("sand", "extra"))
    with pytest.raises(InputError, match="no scores for the class 'branching', only for sand, extra"):
        SurveyScores()(IMAGE, [scores], NAMES)
    with caplog.at_level(logging.WARNING):
        mask = SurveyScores(missing_classes="ignore", stretch=False)(IMAGE, [scores], NAMES)
    assert (mask.class_ids == 3).all() and "no scores for the class 'massive'" in caplog.text
    with pytest.raises(InputError, match="the scores are of sand, extra; expected some of kelp"):
        SurveyScores(missing_classes="ignore")(IMAGE, [scores], ("kelp",))


@cache
def survey_of(scene_count: int = 1) -> tuple[Image, Mask, Survey]:
    """The toy reef with the boat that goes over it."""
    scene = toy.make(scene_count, size=(384, 512))[-1]
    made = toy.survey(scene)
    assert isinstance(scene.truth, Mask)
    return scene.image, scene.truth, Survey(made.latitude, made.longitude, made.scores, made.class_names)


def test_the_toy_survey_says_most_of_the_toy_reef() -> None:
    image, truth, survey = survey_of()
    mask = SurveyScores()(image, [survey], truth.class_names)
    assert mask.grid == image.grid and mask.history[-1].name == "survey_scores"
    metric = Overlap(truth.class_names)
    assert metric.scores(metric.tally(mask, truth))["pixel_accuracy"] > 0.6
    known = mask.class_ids != UNKNOWN
    right = mask.class_ids == truth.class_ids
    assert mask.confidence is not None and 0.85 < known.mean() < 1
    sure = known & (mask.confidence > np.median(mask.confidence[known]))
    assert right[sure].mean() > right[known & ~sure].mean() + 0.1, "confidence says where it is right"
    banded = SurveyScores(gps_error_m=0.1)(image, [survey], truth.class_names)
    still = banded.class_ids != UNKNOWN
    assert right[still].mean() > right[known].mean() + 0.02 and still.mean() > 0.4


def test_pieces_equal_the_whole() -> None:
    image, truth, survey = survey_of()
    method = SurveyScores(gps_error_m=0.1)
    whole = method(image, [survey], truth.class_names)
    tiled = label_tiled(method, image, [survey], truth.class_names, piece=97)
    np.testing.assert_array_equal(tiled.class_ids, whole.class_ids)
    np.testing.assert_array_equal(tiled.confidence, whole.confidence)


def test_reach_and_edges() -> None:
    image, truth, survey = survey_of()
    known = [
        (SurveyScores(**settings)(image, [survey], truth.class_names).class_ids != UNKNOWN).mean()  # type: ignore[arg-type]
        for settings in ({"reach_m": 0.1}, {"edge_steps": 0.0}, {}, {"edge_steps": 3.0})
    ]
    assert known == sorted(known) and known[0] < 0.4 and known[3] > 0.99
    finer = SurveyScores(spacing_m=2.0, cells_per_step=1)(image, [survey], truth.class_names)
    assert len(np.unique(np.diff(np.flatnonzero(np.diff(finer.class_ids[120].astype(int)))))) < 5


def flying(altitude_m: float, scores: Sequence[float] = (0.8, 0.4)) -> Survey:
    """Two frames straight down over the middle of one tile, 2 x 2 m of ground each at one metre."""
    latitude, longitude = np.array([-21.17255, -21.17255]), np.array([55.28555, 55.28555])
    attitudes = np.tile([0.0, 0.0, 0.0, altitude_m], (2, 1))
    return Survey(latitude, longitude, np.array(scores, np.float32)[:, None], ("coral",), attitudes)


def test_footprints_say_how_likely_a_class_is_in_a_tile() -> None:
    method = SurveyScores(
        transfer="footprints", tile_m=np.sqrt(2.0), fov_across_deg=90, fov_along_deg=90, stretch=False
    )
    picture = Image(np.zeros((60, 90, 1), np.uint8), Grid(60, 90, (0.1, 0, 322000, 0, -0.1, 7657798.0), "EPSG:32740"))
    mask = method(picture, [flying(1.0)], ("", "coral"))
    known = mask.class_ids == 1
    assert known.sum() * 0.01 == pytest.approx(2.0, rel=0.15), "one tile of two square metres"
    assert not (method(picture, [flying(0.6)], ("", "coral")).class_ids == 1).any(), "the tile is not covered"
    half = replace(method, least_cover=0.5)
    assert (half(picture, [flying(0.6)], ("", "coral")).class_ids == 1).any()
    with pytest.raises(InputError, match="nothing of where its camera looked; expected GPSTrack"):
        method(picture, [replace(flying(1.0), attitudes=None)], ("", "coral"))


def test_the_probability_of_a_tile_is_the_published_one() -> None:
    view = {"least_cover": 1.0, "fov_across_deg": 90.0, "fov_along_deg": 90.0}
    tile = from_footprints(flying(1.0), np.sqrt(2.0), **view)  # half of each footprint lies in it
    assert tile.scores.shape == (1, 1, 1) and tile.scores[0, 0, 0] == pytest.approx(0.52, abs=2e-3)
    assert from_footprints(flying(1.0, (1, 1)), np.sqrt(2.0), **view).scores[0, 0, 0] == pytest.approx(0.75, abs=2e-3)


def test_a_frame_beside_the_middle_of_its_tile_shows_less_of_it_on_one_side() -> None:
    shapely = pytest.importorskip("shapely")
    tile_m, north, east = 1.5, 0.45, -0.3  # where the second frame is, from the middle of its tile
    latitude, longitude = np.full(2, 0.0), np.full(2, 10.0)
    latitude[1] += (tile_m + north) / METRES_PER_DEGREE
    longitude[1] += (2 * tile_m + east) / METRES_PER_DEGREE
    attitudes = np.array([[0.0, 0, 0, 1], [30, 15, -10, 1]])
    survey = Survey(latitude, longitude, np.ones((2, 1), np.float32), ("coral",), attitudes)
    tiles = from_footprints(survey, tile_m, least_cover=0.0, fov_across_deg=50, fov_along_deg=70)
    assert tiles.scores.shape == (1, 3, 3), "north up: the first frame in the bottom left tile"
    offsets = np.array([[[0.0, 0.0]], [[north, east]]])
    corners = footprints(attitudes, fov_across_deg=50, fov_along_deg=70) + offsets
    box = shapely.box(-tile_m / 2, -tile_m / 2, tile_m / 2, tile_m / 2)
    shares = [shapely.Polygon(each).intersection(box).area / shapely.Polygon(each).area for each in corners]
    assert 0.3 < shares[1] < 0.9
    np.testing.assert_allclose([tiles.scores[0, 2, 0], tiles.scores[0, 1, 2]], shares, rtol=1e-4)
    assert np.isnan(tiles.scores).sum() == 7


def nine_frames() -> Survey:
    """Nine frames on the equator, sand in the west and coral in the east."""
    ticks = np.linspace(0, 1e-4, 3)
    latitude, longitude = (each.ravel() for each in np.meshgrid(ticks, ticks, indexing="ij"))
    east = np.tile([0.1, 0.4, 0.9], 3)
    return Survey(latitude, longitude, np.stack([1 - east, east], 1).astype(np.float32), CLASS_NAMES)


ALGAE = ("Algae_assembly", "Algae_drawn_up", "Algae_limestone", "Algae_sodding")
EQUATOR = Image(np.zeros((20, 60, 1), np.uint8), Grid(20, 60, (2e-6, 0.0, -1e-6, 0.0, -6e-6, 1.05e-4), "EPSG:4326"))


def algae_survey(names: tuple[str, ...] = (*ALGAE, "Sand", "Useless")) -> Survey:
    """Nine frames: two columns of algae of two kinds, one of sand; the one in the middle is useless, and wrong."""
    frames = nine_frames()
    scores = np.zeros((9, len(names)), np.float32)
    for col, name in enumerate((names[0], names[3], "Sand")):
        scores[col::3, names.index(name)] = 0.9
    scores[4] = np.eye(len(names))[names.index("Sand")]
    scores[:, names.index("Useless")] = [0.1, 0.2, np.nan, 0.315, 0.9, 0.1, 0.0, 0.0, 0.2]
    return replace(frames, scores=scores, class_names=names)


@pytest.mark.parametrize("rule", ["Algae=" + "+".join(ALGAE), "Algae = Algae_*"])
def test_classes_are_merged_by_their_highest_score(rule: str) -> None:
    method = SurveyScores(merge=(rule,), stretch=False, cells_per_step=1)
    survey = algae_survey()
    mask = method(EQUATOR, [survey], ("", "Algae", "Sand"))
    by_hand = replace(
        survey,
        scores=np.stack([survey.scores[:, :4].max(axis=1), survey.scores[:, 4]], 1),
        class_names=("Algae", "Sand"),
    )
    alone = replace(method, merge=())(EQUATOR, [by_hand], ("", "Algae", "Sand"))
    np.testing.assert_array_equal(mask.class_ids, alone.class_ids)
    np.testing.assert_array_equal(mask.confidence, alone.confidence)
    assert set(np.unique(mask.class_ids)) >= {1, 2}


def test_merging_of_0_and_1_is_any_nan_is_passed_over_and_rasters_merge_too() -> None:
    nan = np.nan
    bands = [[0, 0, 1, nan, nan, 0]] * 2, [[0, 1, 1, 0, nan, nan]] * 2, [[0.5] * 6] * 2
    scores = scores_of(*bands, names=("kelp", "grass", "sand"))
    made = merged(scores, {"plants": ("kelp", "grass")})
    assert isinstance(made, ScoreMap) and made.class_names == ("sand", "plants")
    np.testing.assert_array_equal(made.scores[1, 0], [0, 1, 1, 0, nan, 0])
    mask = SurveyScores(merge=("plants=kelp+grass",), stretch=False)(IMAGE, [scores], ("", "plants", "sand"))
    assert cells_of(mask)[0] == [2, 1, 1, 2, 2, 2]
    beside = Grid(2, 6, (1.0, 0.0, 322060.0, 0.0, -1.0, 7657800.0), "EPSG:32740")
    other = replace(scores_of(bands[2], names=("sand",)), grid=beside)
    lenient = SurveyScores(merge=("plants=kelp+grass",), stretch=False, missing_classes="ignore")
    assert cells_of(lenient(IMAGE, [scores, other], ("", "plants", "sand")))[0][1:3] == [1, 1]
    with pytest.raises(UnknownNameError, match="no class of a survey is called 'kelp'"):
        replace(lenient, missing_classes="error")(IMAGE, [scores, other], ("", "plants", "sand"))


@pytest.mark.parametrize(
    ("rules", "error", "message"),
    [
        (("Algae=Algae_asembly+Sand",), UnknownNameError, "'Algae_asembly'; did you mean 'Algae_assembly'"),
        (("Algae=Fucus_*",), UnknownNameError, r"called 'Fucus_\*'"),
        (("Algae=Algae_*", "Sand=Sand+Algae_sodding"), InputError, "'Algae_sodding' twice, into 'Algae' and 'Sand'"),
        (("Algae=Algae_*+Algae_sodding",), InputError, "takes 'Algae_sodding' twice"),
        (("Sand=Algae_*",), InputError, "merge makes 'Sand', and the survey has scores of that name"),
        (("Kelp=Algae_*",), InputError, r"merge makes 'Kelp', which is no class here \(Algae, Sand\)"),
        (("Algae=Algae_*+Sand",), InputError, "'Sand' becomes 'Algae' by merge and is a class of its own too"),
    ],
)
def test_what_cannot_be_merged_is_told(rules: tuple[str, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SurveyScores(merge=rules)(EQUATOR, [algae_survey()], ("", "Algae", "Sand"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"merge": ("Algae",)}, "merge has 'Algae'; expected NAME=SOURCE"),
        ({"merge": ("Algae=a++b",)}, "merge has"),
        ({"merge": ("Algae=a", "Algae=b")}, "merge makes 'Algae' twice"),
        ({"leave_out": ("Useless",)}, "leave_out has 'Useless'; expected NAME>SCORE"),
        ({"leave_out": ("Useless>1",)}, "leave_out has"),
        ({"leave_out": (">0.5",)}, "leave_out has"),
    ],
)
def test_rules_that_say_nothing_are_refused_at_the_door(settings: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SurveyScores(**settings)  # type: ignore[arg-type]


def test_useless_frames_are_left_out_before_anything_else_and_counted() -> None:
    survey, names = algae_survey(), ("", "Algae", "Sand")
    method = SurveyScores(merge=("Algae=Algae_*",), leave_out=("Useless>0.315",), stretch=False, cells_per_step=1)
    mask = method(EQUATOR, [survey], names)
    kept = np.arange(9) != 4  # the one above 0.315, not the one on it, and not the one nobody looked at
    fewer = with_frames(survey, kept)
    by_hand = replace(method, leave_out=())(EQUATOR, [fewer], names)
    np.testing.assert_array_equal(mask.class_ids, by_hand.class_ids)
    np.testing.assert_array_equal(mask.confidence, by_hand.confidence)
    assert (mask.class_ids != replace(method, leave_out=())(EQUATOR, [survey], names).class_ids).any()
    assert mask.history[-1].inputs == {"frames": {"count": 9, "left_out": 1}}
    assert by_hand.history[-1].inputs == {}
    more = replace(method, leave_out=("Useless>0.315", "Sand > 0.5"))(EQUATOR, [survey, survey], names)
    assert more.history[-1].inputs == {"frames": {"count": 18, "left_out": 8}}
    pieces = label_tiled(method, EQUATOR, [survey], names, piece=17)
    np.testing.assert_array_equal(pieces.class_ids, mask.class_ids)
    assert pieces.history[-1].inputs == mask.history[-1].inputs


def test_no_frame_left_is_an_empty_result() -> None:
    survey, names = algae_survey(), ("", "Sand")
    everything = SurveyScores(leave_out=("Useless>0.5", "Sand>0", "Algae_assembly>0.1", "Algae_sodding>0.1"))
    with pytest.raises(EmptyResultError, match="leaves out all 9 frames of the survey; expected some to be left; set"):
        everything(EQUATOR, [survey], names)
    with pytest.raises(UnknownNameError, match="'Usless'; did you mean 'Useless'"):
        SurveyScores(leave_out=("Usless>0.5",))(EQUATOR, [survey], names)
    with pytest.raises(InputError, match="a class raster has none"):
        SurveyScores(leave_out=("sand>0.5",))(IMAGE, [scores_of([[1.0] * 6] * 2, names=("sand",))], ("", "sand"))


def map_for(image: Image) -> Sequence[Hint]:
    """Cells of ten metres over the small pictures of the contract, sand and coral by turns."""
    coral = np.indices((10, 10)).sum(axis=0) % 2 * np.float32(0.8)
    scores = np.stack([np.float32(0.9) - coral, coral])
    scores.flags.writeable = False
    return (ScoreMap(scores, CLASS_NAMES, Grid(10, 10, (10.0, 0.0, 290.0, 0.0, -10.0, 910.0), "EPSG:32740")),)


def test_contract() -> None:
    check_labeler(SurveyScores(), hints=map_for)


def test_what_cannot_be_labelled_says_why() -> None:
    survey = nine_frames()
    with pytest.raises(GridError, match="no survey reaches this picture"):
        SurveyScores()(IMAGE, [survey], CLASS_NAMES)
    with pytest.raises(GridError, match="the picture does not"):
        SurveyScores()(Image(np.zeros((20, 60, 3), np.uint8)), [survey], CLASS_NAMES)
    with pytest.raises(InputError, match="no survey among the hints"):
        SurveyScores()(IMAGE, [], CLASS_NAMES)
    first = [np.array(each[:1]) for each in (survey.latitude, survey.longitude, survey.scores)]
    with pytest.raises(InputError, match="has only one frame"):
        SurveyScores()(IMAGE, [Survey(*first, CLASS_NAMES)], CLASS_NAMES)
    still = [np.repeat(each, 5, axis=0) for each in first]
    with pytest.raises(InputError, match="stands still"):
        SurveyScores()(IMAGE, [Survey(*still, CLASS_NAMES)], CLASS_NAMES)
    stray = np.append(survey.latitude, 40.0), np.append(survey.longitude, 3.0)
    with pytest.raises(InputError, match="is a frame in the wrong place"):
        SurveyScores()(IMAGE, [Survey(*stray, np.concatenate([survey.scores, first[2]]), CLASS_NAMES)], CLASS_NAMES)
    with pytest.raises(InputError, match="floor is 2; expected"):
        SurveyScores(floor=2)
