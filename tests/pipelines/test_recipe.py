"""Recipes: read, overridden, refused with all problems at once, and a schema that is true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from maskwright.errors import FormatError, InputError, RecipeError, UnknownNameError
from maskwright.pipelines.overrides import parse_setting
from maskwright.pipelines.recipe import (
    EXAMPLES,
    Fuse,
    HintSource,
    MethodCall,
    Predict,
    list_recipes,
    make_recipe,
    missing_files,
    plain_recipe,
    read_recipe,
    recipe_schema,
    shipped_recipe,
)

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "recipe.schema.json"
GOOD = """
name: reef
images: pics
hints: [{kind: points, path: points.csv}]
classes: classes.yaml
label: [{method: bright_is_first, settings: {threshold: 90}}]
refine: [{method: forget_top}]
"""


def write(folder: Path, text: str) -> Path:
    (folder / "recipe.yaml").write_text(text)
    return folder / "recipe.yaml"


def problems_of(folder: Path, text: str, overrides: tuple[str, ...] = ()) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        read_recipe(write(folder, text), overrides)
    return caught.value.problems


def test_a_recipe_is_read_with_defaults_and_paths_beside_it(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, GOOD))
    assert recipe.images == str(tmp_path / "pics")
    assert recipe.hints == (HintSource(tmp_path / "points.csv", "points"),)
    assert recipe.label == (MethodCall("bright_is_first", {"threshold": 90}),)
    assert (recipe.predict, recipe.rounds, recipe.report) == (Predict(None, 64, 1), 1, True)


def test_what_is_resolved_is_the_same_recipe_again(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, GOOD))
    text = yaml.safe_dump(plain_recipe(recipe), sort_keys=False)
    (tmp_path / "elsewhere").mkdir()
    assert read_recipe(write(tmp_path / "elsewhere", text)) == recipe


def test_settings_reach_inside_by_number_and_by_method(tmp_path: Path) -> None:
    words = ("label.0.settings.threshold=5", "refine.forget_top.settings.rows=3", "predict.window=128", "report=false")
    recipe = read_recipe(write(tmp_path, GOOD), words)
    assert recipe.label[0].settings == {"threshold": 5}
    assert recipe.refine[0].settings == {"rows": 3}
    assert (recipe.predict.window, recipe.report) == (128, False)


def test_values_of_settings_are_yaml() -> None:
    assert parse_setting("fuse={how: vote}") == (("fuse",), {"how": "vote"})
    assert parse_setting("name=a=b") == (("name",), "a=b")
    with pytest.raises(InputError, match="no '='"):
        parse_setting("rounds")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("rounds", "no '='"),
        ("label.7.settings.threshold=1", "there is no '7' in this list; name one of 0, bright_is_first"),
        ("name.first=1", "name is 'reef', which has nothing inside it"),
        ("predikt.window=3", "did you mean 'predict'?"),
    ],
)
def test_settings_that_fit_nowhere_are_told(tmp_path: Path, word: str, said: str) -> None:
    assert said in " ".join(problems_of(tmp_path, GOOD, (word,)))


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    text = """
    imags: pics
    hints: [{kind: point, path: points.csv}]
    label: [{method: bright_is_fist}, {method: bright_is_first, settings: {treshold: 3}}]
    refine: [{methd: forget_top}]
    train: {method: forget_top}
    rounds: many
    """
    problems = problems_of(tmp_path, text)
    told = "\n".join(problems)
    for each in (
        "images: this key is missing",
        "imags: there is no such key; did you mean 'images'?",
        "hints.0.kind: found 'point'",
        "label.0: no method is called 'bright_is_fist'; did you mean 'bright_is_first'?",
        "label.1: bright_is_first has no setting 'treshold'; did you mean 'threshold'?",
        "refine.0.methd: there is no such key; did you mean 'method'?",
        "train: forget_top is a refiner; a learner belongs here",
        "rounds: found 'many'",
    ):
        assert each in told
    assert len(problems) == 9  # and refine.0.method is missing


def test_a_value_of_the_wrong_shape_is_told_with_an_example(tmp_path: Path) -> None:
    told = problems_of(tmp_path, "images: p\nlabel: nearest_point\nhints: points.csv\nrefine: [smooth]\n")
    assert told[0] == "hints: found 'points.csv'; expected a list; write for example `hints: [{path: points.csv}]`"
    assert told[1].startswith("label: found 'nearest_point'; expected a list; write for example `label: [{method:")
    assert told[2].startswith("refine.0: found 'smooth'; expected keys and values; write for example `refine: [{")


def test_files_that_are_missing_are_told_with_all_other_problems(tmp_path: Path) -> None:
    told = "\n".join(problems_of(tmp_path, GOOD + "rounds: 0\nevaluate: {truth: truth}\n"))
    for each in ("rounds: found 0", "images: ", "hints.0.path: ", "classes: ", "evaluate.truth: "):
        assert each in told


@pytest.mark.parametrize("key", sorted(EXAMPLES))
def test_the_examples_in_errors_are_right(key: str) -> None:
    whole = {"images": "p", "label": [{"method": "nearest_point"}], "train": {"method": "train_semantic"},
             "rounds": 2, "evaluate": {"truth": "truth"}}  # fmt: skip
    make_recipe({**whole, key: yaml.safe_load(EXAMPLES[key])})


def test_shapes_that_make_no_sense_are_told(tmp_path: Path) -> None:
    two = "images: p\nlabel: [{method: bright_is_first}, {method: bright_is_first}]\n"
    assert "fuse: several labelers speak" in problems_of(tmp_path, two)[0]
    assert "2 labelers" in problems_of(tmp_path, two + "fuse: {weights: [1]}")[0]
    for wrong in ("[1, -1]", "[0, 0]", "[1, .nan]"):
        assert "each is 0 or more" in problems_of(tmp_path, two + f"fuse: {{weights: {wrong}}}")[0]
    assert "nothing labels and no masks" in problems_of(tmp_path, "images: p")[0]
    assert "something to train" in problems_of(tmp_path, GOOD + "rounds: 3")[0]
    assert "add 'evaluate" in problems_of(tmp_path, GOOD + "stop: {least_gain: 0.1}")[0]
    assert "less than the window" in problems_of(tmp_path, GOOD + "predict: {window: 64, overlap: 64}")[0]
    assert make_recipe({**yaml.safe_load(two), "fuse": {"how": "priority"}}).fuse == Fuse("priority")


def test_a_recipe_that_is_no_mapping_or_no_yaml(tmp_path: Path) -> None:
    assert "a recipe is keys and values" in problems_of(tmp_path, "- one\n- two\n")[0]
    assert "it holds nothing" in problems_of(tmp_path, "")[0]
    with pytest.raises(FormatError, match=r"recipe.yaml:3: not YAML"):
        read_recipe(write(tmp_path, "images: pics\nlabel: [\n"))


def test_files_that_are_not_there_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "point.csv").write_text("")
    recipe = read_recipe(write(tmp_path, GOOD + "evaluate: {truth: truth}\n"))
    told = missing_files(recipe)
    assert [each.split(":")[0] for each in told] == ["hints.0.path", "classes", "evaluate.truth"]
    assert "did you mean 'point.csv'?" in told[0]


def test_the_published_schema_is_the_one_the_code_has() -> None:
    assert json.loads(SCHEMA.read_text()) == recipe_schema(), "write docs/recipe.schema.json again from recipe_schema()"


def test_the_schema_knows_every_key() -> None:
    schema = recipe_schema()
    assert set(schema["required"]) == {"images"}
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(plain_recipe(make_recipe({"images": "p", "masks": "m"})))


def test_recipes_are_shipped_by_name() -> None:
    assert "points" in list_recipes()
    assert "images:" in shipped_recipe("points")
    with pytest.raises(UnknownNameError, match="did you mean 'points'"):
        shipped_recipe("point")


def test_what_training_costs_follows_from_its_steps_and_not_from_the_pictures() -> None:
    from maskwright.pipelines.check import _cost

    usual, few = (_cost("train", MethodCall("train_parts", each), [10**6]) for each in ({}, {"steps": 200}))
    assert usual["seconds"] == 4 * few["seconds"] > 60
    assert usual == _cost("train", MethodCall("train_parts", {}), [10**6] * 5)
    tags = _cost("train", MethodCall("train_tags", {}), [10**6] * 5)
    assert tags["seconds"] == 5 * _cost("train", MethodCall("train_tags", {}), [10**5])["seconds"]
