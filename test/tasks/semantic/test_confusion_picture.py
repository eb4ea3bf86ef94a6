# SPDX-License-Identifier: Apache-2.0
"""What the report shows of classes: the matrix as a picture, iIoU where there are objects."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from report_page import Page

from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.tasks.contract.reports import MODEL
from shared_encoder_perception.tasks.semantic.answer import SemanticMask
from shared_encoder_perception.tasks.semantic.confusion_picture import draw, inches, shares, shown
from shared_encoder_perception.tasks.semantic.label import Label
from shared_encoder_perception.tasks.semantic.metric import FullMetric, Metric
from shared_encoder_perception.tasks.semantic.report import (
    class_header,
    class_rows,
    terminal,
    write,
)
from shared_encoder_perception.tasks.semantic.tables import CITYSCAPES_19

SIZE = (8, 12)
WHOLE = Crop(0, 0, SIZE[1], SIZE[0])


def matrix(classes=5, seed=0):
    return np.random.default_rng(seed).integers(1, 100, (classes, classes + 1))


def test_only_classes_that_are_labelled_or_said_are_shown():
    counts = matrix()
    counts[2], counts[:, 2] = 0, 0
    assert shown(counts) == [0, 1, 3, 4]
    counts[0, 2] = 1  # said, and never labelled
    assert shown(counts) == [0, 1, 2, 3, 4]
    counts[4] *= 1000
    assert shown(counts, 2)[-1] == 4 and len(shown(counts, 2)) == 2
    assert shown(np.zeros((3, 4), np.int64)) == []


def test_rows_are_shares_of_the_label():
    counts = matrix()
    counts[3] = 0
    part = shares(counts, shown(counts))
    np.testing.assert_allclose(np.delete(part.sum(axis=1), 3), 1.0)
    assert np.isnan(part[3]).all()
    np.testing.assert_allclose(part[0], counts[0] / counts[0].sum())


def scores(*, instances):
    truth = np.full(SIZE, 13, np.uint8)  # a car
    truth[:, 6:] = 0
    said = truth.copy()
    said[:4] = 0
    objects = np.where(truth == 13, 1, 0).astype(np.uint16) if instances else None
    answer = SemanticMask(said, np.full(SIZE, 200, np.uint8), CITYSCAPES_19)
    basic, full = Metric(), FullMetric()
    for metric in (basic, full):
        metric.update(answer, Label(truth, CITYSCAPES_19, instances=objects), SIZE, WHOLE)
    return {**basic.compute(), **full.compute()}


@pytest.mark.parametrize("instances", [True, False])
def test_iiou_has_a_column_where_labels_tell_objects_apart(instances):
    sections = scores(instances=instances)
    header, rows = class_header(sections), class_rows(sections)
    assert ("iIoU" in header) == instances
    assert all(len(row) == len(header) for row in rows)
    text = "\n".join(terminal({"town": sections}, {}))
    objects = "iIoU 0.500, of categories: all 0.500, human -, vehicle 0.500; from the 1 images"
    assert (objects in text) == instances


def test_the_page_has_the_picture_and_takes_any_name(tmp_path):
    pytest.importorskip("jinja2", reason="the report's page needs jinja2")
    pytest.importorskip("matplotlib", reason="the report's charts need matplotlib")
    from shared_encoder_perception.evaluation.report.document import Report

    report = Report("Classes", {})
    sections = scores(instances=True)
    baselines = {"constant": {"town": sections}, "empty": {"town": sections}}
    write(report, {"sources": {"town": sections}, "baselines": baselines, MODEL: {}})
    counts, names = matrix(3), ["$x_", "a & b", "<i>"]
    kept = shown(counts)
    report.chart(partial(draw, names=names, counts=counts, kept=kept), inches(kept), "mine")
    report.write(tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    assert page.captions[0].startswith("What each class is said to be, in percent")
    assert page.captions[-1] == "mine" and "iIoU" in page.text and page.external() == []
    assert page.source.count("data:image/png;base64,") == 2
