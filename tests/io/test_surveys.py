"""Tables of frames, session folders and lists: what is read, and what is said of what is wrong."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from maskwright.errors import EmptyResultError, FormatError, GridError, InputError
from maskwright.io.classes import Classes
from maskwright.io.hints import hint_kind, read_hints
from maskwright.io.rasters import write_raster
from maskwright.io.samples import find_pictures
from maskwright.io.surveys import ORTHOPHOTO, find_sessions, read_class_rasters, read_survey, read_surveys
from maskwright.types import Grid, ScoreMap, Survey

HEADER = "FileName,Sand,Acropore_branched,GPSDateTime,GPSLatitude,GPSLongitude"
ROWS = ["a.jpg,0.9,0.1,2023:12:02 06:00:01,-21.1,55.2", "b.jpg,,0.7,2023:12:02 06:00:02,-21.1001,55.2002"]
GRID = Grid(3, 8, (1e-5, 0.0, 55.2, 0.0, -1e-5, -21.1), "EPSG:4326")
SESSION = "20231202_REU-TROU-DEAU_ASV-01_01"


def table(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def raster(folder: Path, name: str, value: float, grid: Grid = GRID) -> None:
    values = np.full(grid.shape, value, np.float32)
    values[0, 0] = np.nan
    path = folder / "PROCESSED_DATA" / "IA" / f"{folder.name}_{name}_raster.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_raster(path, values, grid, nodata=float("nan"), cog=False)


def test_a_table_of_frames(tmp_path: Path) -> None:
    survey = read_survey(table(tmp_path / "frames.csv", *ROWS))
    assert survey.class_names == ("Sand", "Acropore_branched") and survey.attitudes is None
    np.testing.assert_allclose(survey.latitude, [-21.1, -21.1001])
    np.testing.assert_allclose(survey.longitude, [55.2, 55.2002])
    np.testing.assert_allclose(survey.scores, [[0.9, 0.1], [np.nan, 0.7]])


def test_columns_of_no_class_come_along_where_they_are_scores(tmp_path: Path) -> None:
    header = "FileName,Sand,depth,note,some,none,bad,GPSLatitude,GPSLongitude"
    rows = ["a,0.5,7,x,1,,0.5,-21,55", 'b,0.6,8,y,"0,5",nan,x,-21,55.1']
    survey = read_survey(table(tmp_path / "frames.csv", *rows, header=header), Classes(("", "Sand", "Fish")))
    assert survey.class_names == ("Sand", "some") and survey.scores[:, 1].tolist() == [1.0, 0.5]
    path = table(tmp_path / "wrong.csv", "a,7,1,-21,55", header="FileName,Sand,some,GPSLatitude,GPSLongitude")
    with pytest.raises(InputError, match="the score of 'Sand' is 7; expected 0 to 1"):
        read_survey(path, Classes(("", "Sand")))


def test_where_the_camera_looked_from(tmp_path: Path) -> None:
    header = "FileName,Sand,GPSLatitude,GPSLongitude,GPSTrack,GPSRoll,GPSPitch,GPSAltitude"
    survey = read_survey(
        table(tmp_path / "frames.csv", "a,1,-21,55,90,2,3,1.5", "b,1,-21,55.1,91,,3,1.5", header=header)
    )
    assert survey.attitudes is not None
    np.testing.assert_array_equal(survey.attitudes, [[90, 3, 2, 1.5], [91, 3, np.nan, 1.5]])


def test_frames_without_a_place_are_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        survey = read_survey(table(tmp_path / "frames.csv", *ROWS, "c.jpg,0.1,0.1,,,"))
    assert len(survey) == 2 and "1 of 3 frames have no place" in caplog.text
    with pytest.raises(EmptyResultError, match="no frame has a place"):
        read_survey(table(tmp_path / "none.csv", "c.jpg,0.1,0.1,,,"))


def test_all_problems_at_once_with_their_lines(tmp_path: Path) -> None:
    path = table(tmp_path / "frames.csv", "a,1.2,0,,-21,55", "b,x,0,,-21,55", "c,1,0,,155.2,-21.1")
    with pytest.raises(InputError) as caught:
        read_survey(path)
    told = str(caught.value)
    assert "frames.csv:2: the score of 'Sand' is 1.2; expected 0 to 1" in told
    assert "frames.csv:3: Sand is 'x'; expected a number" in told
    assert "frames.csv:4: GPSLatitude is 155.2 and GPSLongitude -21.1" in told and "are they swapped?" in told


def test_columns_that_are_no_scores(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = table(tmp_path / "a.csv", "a,reef,0.5,-21,55", header="FileName,place,Sand,GPSLatitude,GPSLongitude")
    with caplog.at_level(logging.WARNING):
        assert read_survey(path).class_names == ("Sand",)
    assert "'place' holds no numbers" in caplog.text
    only_words = table(tmp_path / "c.csv", "a,reef,-21,55", header="FileName,place,GPSLatitude,GPSLongitude")
    with pytest.raises(FormatError, match="expected Coral"):
        read_survey(only_words, Classes(("", "Coral")))
    with pytest.raises(FormatError, match="no 'gpslongitude'"):
        read_survey(table(tmp_path / "b.csv", "a,0.5,-21", header="FileName,Sand,GPSLatitude"))


def test_rasters_of_classes_are_one_map_and_a_missing_one_shifts_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = tmp_path / SESSION
    for value, name in enumerate(("Acropore_branched", "Sand", "Atra_Leucospilota")):
        raster(session, name, value / 4)
    scores = read_class_rasters(session / "PROCESSED_DATA" / "IA", SESSION)
    assert scores is not None and scores.class_names == ("Acropore_branched", "Atra_Leucospilota", "Sand")
    assert (
        scores.grid == GRID
        and scores.scores[:, 1, 1].tolist() == [0, 0.5, 0.25]
        and np.isnan(scores.scores[:, 0, 0]).all()
    )
    wanted = Classes(("", "Sand", "Fish", "Atra/Leucospilota"))
    few = read_class_rasters(session / "PROCESSED_DATA" / "IA", SESSION, wanted)
    assert few is not None and few.class_names == ("Acropore_branched", "Atra/Leucospilota", "Sand")
    raster(session, "Fish", 0.5, Grid(3, 9, GRID.transform, GRID.crs))
    with pytest.raises(GridError, match=r"lies on another grid than .*Acropore_branched_raster"):
        read_class_rasters(session / "PROCESSED_DATA" / "IA", SESSION)
    with pytest.raises(GridError, match=r"Fish_raster\.tif: lies on another grid"):
        read_class_rasters(session / "PROCESSED_DATA" / "IA", SESSION, wanted)
    others = Classes(("", "Sand"))
    with caplog.at_level(logging.WARNING):
        few = read_class_rasters(session / "PROCESSED_DATA" / "IA", SESSION, others)
    assert few is not None and "Fish" not in few.class_names and "no class of yours" in caplog.text
    raster(session, "Fish", 7.0)
    with pytest.raises(InputError, match="has values outside 0 to 1"):
        read_class_rasters(session / "PROCESSED_DATA" / "IA", SESSION)


def test_sessions_as_a_folder_themselves_and_a_list(tmp_path: Path) -> None:
    first, second = tmp_path / "s" / f"{SESSION[:-1]}2", tmp_path / "s" / f"{SESSION[:-2]}10"
    table(first / "METADATA" / "predictions_scores_gps.csv", *ROWS)
    raster(second, "Sand", 0.5)
    (tmp_path / "s" / "notes").mkdir()
    assert [type(each) for each in read_surveys(tmp_path / "s")] == [Survey, ScoreMap]
    assert len(read_surveys(second)) == 1 and find_sessions(tmp_path / "s") == (first, second)
    listed = table(tmp_path / "list.csv", f"s,{second.name}", header="root_folder,session_name")
    assert [hint_kind(each) for each in (listed, first, tmp_path / "s")] == ["survey"] * 3
    assert isinstance(read_surveys(listed)[0], ScoreMap)
    lost = table(tmp_path / "lost.csv", f"s,{second.name}", "s,gone", header="root_folder,session_name")
    with pytest.raises(InputError, match=r"lost\.csv:3: there is no folder .*gone"):
        read_surveys(lost)
    (tmp_path / "empty" / "METADATA").mkdir(parents=True)
    with pytest.raises(EmptyResultError, match="none of its 1 sessions has scores"):
        read_surveys(tmp_path / "empty")


def test_binary_predictions_are_taken_last_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    session = tmp_path / SESSION
    table(session / "METADATA" / "predictions_gps.csv", "a,1,0,,-21,55", "b,0,1,,-21,55.1")
    with caplog.at_level(logging.WARNING):
        (survey,) = read_surveys(session)
    assert isinstance(survey, Survey) and "present and absent only" in caplog.text
    raster(session, "Sand", 0.5)
    assert isinstance(read_surveys(session)[0], ScoreMap)


def test_orthophotos_of_sessions_are_the_pictures(tmp_path: Path) -> None:
    for name in ("20231202_REU_UAV-01_10", "20231202_REU_UAV-01_2"):
        path = tmp_path / "s" / name / ORTHOPHOTO
        path.parent.mkdir(parents=True)
        write_raster(path, np.zeros((4, 9, 3), np.uint8), Grid(4, 9))
        (tmp_path / "s" / name / "DCIM").mkdir()
        (tmp_path / "s" / name / "DCIM" / "raw.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "s" / SESSION / "METADATA").mkdir(parents=True)
    found = find_pictures(tmp_path / "s")
    assert list(found) == ["20231202_REU_UAV-01_2_ortho", "20231202_REU_UAV-01_10_ortho"]
    assert list(find_pictures(tmp_path / "s" / "20231202_REU_UAV-01_2")) == ["20231202_REU_UAV-01_2_ortho"]
    with pytest.raises(EmptyResultError, match="no session has PROCESSED_DATA/PHOTOGRAMMETRY"):
        find_pictures(tmp_path / "s" / SESSION)
    root = f"s/20231202_REU_UAV-01_2/{ORTHOPHOTO.parent.as_posix()}"
    listed = table(tmp_path / "orthos.csv", f"{root},odm_orthophoto", header="root_folder,ortho_name")
    assert list(find_pictures(listed)) == ["odm_orthophoto"]
    with pytest.raises(InputError, match=r"orthos\.csv:2: there is no file"):
        find_pictures(table(tmp_path / "orthos.csv", "s,gone.tif", header="root_folder,ortho_name"))
    with pytest.raises(FormatError, match="expected root_folder,ortho_name"):
        find_pictures(table(tmp_path / "other.csv", "1,2", header="x,y"))


def test_a_survey_goes_whole_to_each_picture_it_reaches(tmp_path: Path) -> None:
    here = Grid(40, 300, (1e-6, 0.0, 55.1999, 0.0, -1e-6, -21.09999), "EPSG:4326")
    far = Grid(40, 300, (1e-6, 0.0, 55.3, 0.0, -1e-6, -21.0999), "EPSG:4326")
    for name, grid in (("here", here), ("far", far), ("nowhere", Grid(40, 300))):
        write_raster(tmp_path / f"{name}.tif", np.zeros((40, 300, 3), np.uint8), grid)
    pictures = find_pictures(str(tmp_path / "*.tif"))
    hints = read_hints(table(tmp_path / "frames.csv", *ROWS), pictures=pictures)
    assert list(hints.by_picture) == ["here"] and hints.class_names == ("Acropore_branched", "Sand")
    with pytest.raises(GridError, match="lies on Earth, but nowhere has no place"):
        read_hints(tmp_path / "frames.csv", pictures={"nowhere": tmp_path / "nowhere.tif"})
