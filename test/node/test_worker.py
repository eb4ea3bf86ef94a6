# SPDX-License-Identifier: Apache-2.0
"""The inference thread: every image is accounted for, the newest wins, nothing ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from time import sleep
from typing import Any

import pytest
from worker_bench import PATIENCE_S, bench, image_of, jpeg_of

from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.images.preprocess import (
    LETTERBOX,
    PADDING,
    Crop,
    ImageError,
    whole_crop,
)
from shared_encoder_perception.node.worker import NODE_STAGES
from shared_encoder_perception.predictor import STAGES
from shared_encoder_perception.tasks.lanes.answer import Lanes


def test_every_image_is_perceived_when_there_is_time() -> None:
    with bench() as b:
        for number in range(1, 6):
            message = image_of(number)
            counts = b.ask(message)
            assert b.published[-1].header is message.header
            assert b.published[-1].counts == counts
        assert counts == Counts(received=5, perceived=5)
        assert not b.reports


def test_stages_are_complete_and_add_up() -> None:
    def refine(_: Any, perception: Any) -> Any:
        sleep(0.02)
        return perception

    with bench(refine=refine) as b:
        b.ask(image_of())
        (stages,) = b.worker.stage_times()
        assert tuple(stages) == NODE_STAGES
        assert 20 <= stages["geometry"] < 1000
        assert sum(stages[stage] for stage in NODE_STAGES[:-1]) <= stages["total"]
        assert tuple(b.published[0].stage_ms) == (
            *("waiting", "conversion"),
            *STAGES,
            "geometry",
        )


def test_without_refinement_geometry_takes_no_time() -> None:
    with bench() as b:
        b.ask(image_of())
        assert b.worker.stage_times()[0]["geometry"] == 0.0


def test_refinement_sees_header_and_perception_and_its_answer_is_published() -> None:
    seen: list[Any] = []

    def refine(header: Any, perception: Any) -> Any:
        seen.append((header, perception))
        return replace(perception, answers={**perception.answers, "lanes": Lanes.nothing()})

    with bench(refine=refine) as b:
        message = image_of()
        b.ask(message)
        ((header, perception),) = seen
        assert header is message.header
        published = b.published[0].perception.answers
        assert published["lanes"] is not perception.answers["lanes"]
        assert published["drivable_surface"] is perception.answers["drivable_surface"]


def test_failing_refinement_costs_no_image() -> None:
    def refine(*_: Any) -> Any:
        raise RuntimeError("no transform")

    with bench(refine=refine) as b:
        counts = b.ask(image_of())
        assert counts == Counts(received=1, perceived=1, unrefined=1)
        assert set(b.published[0].perception.answers) == {"lanes", "drivable_surface"}
        assert b.reports == ["ground or tracks failed, RuntimeError: no transform"]


def test_newest_wins_and_the_others_are_counted() -> None:
    with bench() as b:
        b.backend.gate.clear()
        b.submit(image_of(1))
        assert b.backend.entered.wait(PATIENCE_S)
        for number in range(2, 11):
            b.submit(image_of(number))
        assert b.worker.counts == Counts(received=10, replaced=8, waiting=1, in_work=1)
        b.backend.gate.set()
        assert b.settle() == Counts(received=10, perceived=2, replaced=8)
        assert [image.header.stamp.sec for image in b.published] == [1, 10]


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda m: setattr(m, "encoding", "bayer_rggb8"), "'bayer_rggb8' is not supported"),
        (lambda m: setattr(m, "data", m.data[:-1]), "truncated"),
        (lambda m: setattr(m, "step", 10), "step is 10 bytes"),
        (lambda m: setattr(m, "height", 0), "0 pixels"),
    ],
)
def test_bad_image_is_rejected_with_the_reason_and_the_next_works(
    break_it: Callable[[Any], None], reason: str
) -> None:
    with bench() as b:
        bad = image_of(1)
        break_it(bad)
        assert b.ask(bad) == Counts(received=1, rejected=1)
        assert b.reports[0].startswith("image rejected: ") and reason in b.reports[0]
        assert b.ask(image_of(2)) == Counts(received=2, perceived=1, rejected=1)
        assert b.backend.calls == 1


@pytest.mark.parametrize("keep", [0, 1, 10, 300, -2])
def test_cut_jpeg_is_rejected_and_the_next_works(keep: int) -> None:
    with bench() as b:
        bad = jpeg_of(1)
        bad.data = bad.data[:keep]
        assert b.ask(bad).rejected == 1
        assert b.ask(jpeg_of(2)) == Counts(received=2, perceived=1, rejected=1)


def test_damaged_jpeg_never_ends_the_thread() -> None:
    """Flipped bytes may still decode to something; what matters is the next image."""
    random = Random(0)
    with bench() as b:
        for number in range(1, 40):
            bad = jpeg_of(number)
            for _ in range(1 + number // 2):
                bad.data[random.randrange(len(bad.data))] = random.randrange(256)
            b.ask(bad)
        before = b.worker.counts
        assert before.rejected + before.perceived == 39 and before.rejected > 0
        assert b.ask(jpeg_of(50)).perceived == before.perceived + 1


def test_size_may_change_from_image_to_image() -> None:
    with bench() as b:
        for number, size in enumerate([(64, 160), (720, 1280), (48, 64), (64, 160)], start=1):
            b.ask(image_of(number, size))
            assert b.published[-1].perception.image_size == size
        assert b.settle().perceived == 4


def test_crop_that_does_not_fit_a_new_size_rejects_it_only() -> None:
    with bench(crop=Crop(0, 0, 160, 64)) as b:
        b.ask(image_of(1))
        assert b.ask(image_of(2, (48, 64))).rejected == 1
        assert "does not fit an image of 64x48 pixels" in b.reports[0]
        assert b.ask(image_of(3)).perceived == 2


def test_crop_may_be_chosen_for_each_image() -> None:
    """And whoever chooses may refuse."""

    def top_half(size: tuple[int, int]) -> Crop:
        if size == (48, 64):
            raise ImageError("no CameraInfo yet")
        return Crop(0, 0, size[1], size[0] // 2)

    with bench(crop=top_half) as b:
        b.ask(image_of(1, (100, 200), green=255))
        mask = b.published[0].perception.answers["drivable_surface"].probability
        assert mask[:50].min() == 255 and mask[50:].max() == 0
        assert b.ask(image_of(2, (48, 64))).rejected == 1
        assert b.reports == ["image rejected: no CameraInfo yet"]


def test_letterbox_reaches_the_engine() -> None:
    with bench(crop=whole_crop, resize=LETTERBOX) as b:
        b.ask(image_of(1, (100, 100), green=255))
        assert b.backend.seen is not None
        columns = b.backend.seen[0, :, :, 1].max(axis=0)
        assert columns.tolist() == [PADDING] * 48 + [255] * 64 + [PADDING] * 48


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), ValueError("bad tensor")])
def test_failing_backend_loses_one_image(error: Exception) -> None:
    """A ValueError of the engine is not the camera's fault."""
    with bench() as b:
        b.backend.errors = [error]
        assert b.ask(image_of(1)) == Counts(received=1, lost=1)
        assert b.reports == [f"image lost, {type(error).__name__}: {error}"]
        assert b.ask(image_of(2)) == Counts(received=2, perceived=1, lost=1)


def test_failing_publisher_is_counted_and_told() -> None:
    with bench() as b:
        b.publish_error = RuntimeError("no middleware")
        assert b.ask(image_of(1)) == Counts(received=1, perceived=1, unpublished=1)
        assert b.reports == ["cannot publish, RuntimeError: no middleware"]
        assert b.worker.stage_times() == []
        b.publish_error = None
        assert b.ask(image_of(2)).unpublished == 1 and len(b.published) == 1


def test_failing_log_ends_nothing() -> None:
    def fail(_: str) -> None:
        raise RuntimeError("disk full")

    with bench() as b:
        b.worker._report = fail
        bad = image_of(1)
        bad.encoding = "?"
        assert b.ask(bad).rejected == 1
        assert b.ask(image_of(2)).perceived == 1
