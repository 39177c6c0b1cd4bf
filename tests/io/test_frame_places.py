"""Places of frames, from tables and from pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from maskwright.io.frame_places import frame_places


def save(path: Path, place: tuple[tuple[float, ...], str, tuple[float, ...], str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.zeros((4, 6, 3), np.uint8))
    exif = Image.Exif()
    if place is not None:
        latitude, south, longitude, west = place
        exif[0x8825] = {1: south, 2: latitude, 3: west, 4: longitude}
    picture.save(path, exif=exif)
    return path


def test_the_table_of_a_session_speaks_first_and_pictures_for_themselves(tmp_path: Path) -> None:
    frames = tmp_path / "20231202_REU-TROU-DEAU_ASV-01_01" / "DCIM"
    one = save(frames / "one.jpg", ((1.0, 0.0, 0.0), "N", (2.0, 0.0, 0.0), "E"))
    two = save(frames / "two.jpg", ((21.0, 6.0, 36.0), "S", (55.0, 15.0, 0.0), "W"))
    three = save(frames / "three.jpg")
    (frames.parent / "METADATA").mkdir()
    (frames.parent / "METADATA" / "metadata.csv").write_text(
        "FileName,Make,GPSLongitude,GPSLatitude,GPSTrack\none.jpg,GoPro,55.5,-21.5,\n"
    )
    said = frame_places({"one": one, "two": two, "three": three})
    assert said["one"] == {"GPSLatitude": "-21.5", "GPSLongitude": "55.5"}
    assert said["two"] == {"GPSLatitude": "-21.110000000", "GPSLongitude": "-55.250000000"}
    assert said["three"] == {}


def test_a_table_beside_the_pictures(tmp_path: Path) -> None:
    path = save(tmp_path / "one.jpg")
    (tmp_path / "metadata.csv").write_text("FileName;GPSLatitude;GPSLongitude;GPSAltitude\none.jpg;1.5;2.5;0.8\n")
    assert frame_places({"one": path})["one"] == {"GPSLatitude": "1.5", "GPSLongitude": "2.5", "GPSAltitude": "0.8"}
