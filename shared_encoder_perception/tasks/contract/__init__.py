# SPDX-License-Identifier: Apache-2.0
"""What the files of a task's room hold: the questions that the rest of the house asks it.

Each class in here describes one file, as a Protocol for a module: ``spec.py`` of a room has what
``Spec`` says, and so on. Files marked *optional* are absent where a task does without.

    runtime       spec, decode, draw, content: from outputs to messages and pictures
    refining      refine: what calibration and time add to answers
    ensembles     ensemble: several answers to one image, made one
    labels        labels, teacher, statistics: what is known about pictures
    training      target, head, loss, distill, calibrate: how a network learns it
    records       record and what a replayed drive shows: lines of JSON
    scores        metric, baseline, slices: how right answers are
    comparisons   differences, drift, recorded, reasons: two engines, two models, what to label
    reports       report: what people get to see of scores

A toy room that has them all in one file is ``test/tasks/toy_task.py``;
``test/tasks/test_conformance.py`` asks every room of the table for all of this.

Libraries: ``spec`` the standard library; ``answer``, ``metric`` numpy; ``decode``, ``draw``,
``content``, ``ensemble``, ``labels`` and what is offline numpy and cv2; ``head``, ``loss``,
``distill`` torch. Nothing in a room imports rclpy.
"""
