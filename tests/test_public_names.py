"""The names users import are frozen: one may be added here on purpose, none may go or move by accident."""

from __future__ import annotations

import maskwright as mw

PUBLIC = {
    "__version__", "UNKNOWN", "Grid", "Image", "Mask", "Instances", "Points", "Keypoints", "Tags", "Survey", "ScoreMap",
    "Sample", "Step",
    "MaskwrightError", "read_classes", "read_image", "read_points", "read_keypoints", "read_mask", "write_mask",
    "NearestPoint", "GeodesicPoint", "RandomWalk", "CoarseMask", "SurveyScores",
    "joints", "draw", "label", "refine", "train", "predict", "run", "evaluate", "measure", "convert", "explain",
    "replay",
}  # fmt: skip


def test_the_names_are_these_and_each_is_there() -> None:
    assert set(mw.__all__) == PUBLIC
    assert len(mw.__all__) == len(PUBLIC)
    for name in PUBLIC:
        assert getattr(mw, name) is not None
        assert name in dir(mw)


def test_a_function_is_called_like_its_command_and_documented() -> None:
    commands = (
        "joints",
        "draw",
        "label",
        "refine",
        "train",
        "predict",
        "run",
        "evaluate",
        "measure",
        "convert",
        "explain",
        "replay",
    )
    for name in commands:
        function = getattr(mw, name)
        assert callable(function)
        assert function.__name__ == name
        assert function.__doc__


def test_another_name_is_an_attribute_error() -> None:
    try:
        mw.nearest_point  # noqa: B018
    except AttributeError as error:
        assert "nearest_point" in str(error)
    else:
        raise AssertionError("a name that nobody promised was there")
