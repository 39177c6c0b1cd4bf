"""A cache that gives features back only to what they were made of."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("safetensors")

from maskwright.models.feature_cache import FeatureCache, array_hash

ONE = {"picture": "a", "weights": "w", "preparation": [1, 2]}
FEATURES = {"0": np.arange(6, dtype=np.float32).reshape(2, 3)}


def test_only_the_same_record_gets_them_back() -> None:
    cache = FeatureCache()
    cache.put(ONE, FEATURES)
    found = cache.get(dict(reversed(ONE.items())))
    assert found is not None
    np.testing.assert_array_equal(found["0"], FEATURES["0"])
    for other in ({**ONE, "picture": "b"}, {**ONE, "weights": "v"}, {**ONE, "preparation": [1, 3]}, {}):
        assert cache.get(other) is None


def test_the_least_recently_used_go_first() -> None:
    cache = FeatureCache(most_bytes=2 * FEATURES["0"].nbytes)
    for name in "ab":
        cache.put({"picture": name}, FEATURES)
    assert cache.get({"picture": "a"}) is not None
    cache.put({"picture": "c"}, FEATURES)
    assert [cache.get({"picture": name}) is not None for name in "abc"] == [True, False, True]
    assert cache.nbytes <= cache.most_bytes
    cache.put({"picture": "big"}, {"0": np.zeros(1000)})
    assert cache.get({"picture": "big"}) is None
    assert cache.get({"picture": "c"}) is not None


def test_a_folder_outlives_the_process_and_refuses_strangers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    FeatureCache(folder=tmp_path).put(ONE, FEATURES)
    (path,) = tmp_path.iterdir()
    found = FeatureCache(folder=tmp_path).get(ONE)
    assert found is not None
    np.testing.assert_array_equal(found["0"], FEATURES["0"])
    whole = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        path.write_bytes(whole[:-1] + b"\x07")
        assert FeatureCache(folder=tmp_path).get(ONE) is None
        path.write_bytes(whole[:40])
        assert FeatureCache(folder=tmp_path).get(ONE) is None
        FeatureCache(folder=tmp_path).put({"picture": "other"}, FEATURES)
        (other,) = set(tmp_path.iterdir()) - {path}
        other.replace(path)
        assert FeatureCache(folder=tmp_path).get(ONE) is None
    assert [each.message.split(": ")[1].split(" ")[0] for each in caplog.records] == ["not", "broken", "not"]


def test_the_folder_is_bounded(tmp_path: Path) -> None:
    size = 4000
    cache = FeatureCache(most_bytes=3 * size, folder=tmp_path)
    for index in range(5):
        cache.put({"picture": index}, {"0": np.full(size // 8, index, np.float64)})
        for path in tmp_path.iterdir():
            os.utime(path, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns - 10**9))
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= 3 * size
    assert FeatureCache(folder=tmp_path).get({"picture": 4}) is not None


def test_hashes_tell_shapes_and_dtypes_apart() -> None:
    zeros = np.zeros((2, 3), np.uint8)
    assert len({array_hash(zeros), array_hash(zeros.T), array_hash(zeros.view(np.int8)), array_hash(zeros + 1)}) == 4
    assert array_hash(zeros.T) == array_hash(np.zeros((3, 2), np.uint8))


def test_a_bound_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        FeatureCache(-1)
