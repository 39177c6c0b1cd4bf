"""Objects of bands are those of the whole, wherever the bands are cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.arrays.connected import components
from maskwright.arrays.regions import areas
from maskwright.arrays.strip_objects import StripObjects


@given(height=st.integers(1, 20), width=st.integers(1, 30), random_state=st.integers(0, 10_000), data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_bands_give_the_objects_of_the_whole(
    height: int, width: int, random_state: int, data: st.DataObject
) -> None:
    random = np.random.default_rng(random_state)
    ids = random.choice(np.uint8([0, 1, 2, 255]), (height, width), p=[0.45, 0.2, 0.15, 0.2])
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, height - 1)), max_size=6)))
    objects = StripObjects()
    for band in np.split(ids, [cut for cut in cuts if cut < height]):
        objects.add(band)
    objects.finish()
    labels, count, class_of = components(ids)
    sizes = areas(labels, count)
    assert objects.counts == {int(each): int((class_of == each).sum()) for each in np.unique(class_of)}
    assert set(objects.largest) == set(objects.counts)
    for class_id, found in objects.largest.items():
        own = np.flatnonzero(class_of == class_id)
        label = own[sizes[own].argmax()]
        region = labels == label
        rows, first, last = found.extent()
        assert (found.area, found.class_id) == (sizes[label], class_id)
        assert found.first == tuple(np.argwhere(region)[0])
        assert rows.tolist() == np.flatnonzero(region.any(axis=1)).tolist()
        assert first.tolist() == region[rows].argmax(axis=1).tolist()
        assert last.tolist() == (width - region[rows][:, ::-1].argmax(axis=1)).tolist()


def test_a_spiral_is_one_object_whatever_its_arms_looked_like() -> None:
    ids = np.full((7, 9), 255, np.uint8)
    ids[0, :] = ids[:, 8] = ids[6, :] = ids[2:, 0] = ids[2, :7] = 4
    objects = StripObjects()
    for row in ids:
        objects.add(row[None])
    objects.finish()
    assert objects.counts == {4: 1}
    assert objects.largest[4].area == (ids == 4).sum()


def test_nobody_and_nothing() -> None:
    objects = StripObjects()
    objects.add(np.full((2, 3), 255, np.uint8))
    objects.finish()
    assert (objects.counts, objects.largest) == ({}, {})
