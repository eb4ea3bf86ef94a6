# SPDX-License-Identifier: Apache-2.0
"""Training on rigs: sets, batches that count rigs, and a run from worlds to a network."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from smallest import ENCODER

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.labels.rigs.record import RigRecord
from shared_encoder_perception.labels.rigs.writer import RigWriter, encoded
from shared_encoder_perception.model.checkpoint import load_network
from shared_encoder_perception.model.network import promised
from shared_encoder_perception.rig.ground_map import NOT_KNOWN, YES
from shared_encoder_perception.training import export as export_module
from shared_encoder_perception.training.batches import collate
from shared_encoder_perception.training.config import ConfigError, load_config
from shared_encoder_perception.training.data_config import SetConfig
from shared_encoder_perception.training.record import METRICS, read_metrics
from shared_encoder_perception.training.rig_batches import RigValidationStream, flat, rig_stream
from shared_encoder_perception.training.rig_set import (
    RecordedRigs,
    RenderedRigs,
    training_rigs,
    validation_rigs,
)
from shared_encoder_perception.training.train import train

SIZE = (64, 160)
SMALL = [
    f"network.encoder={ENCODER}",
    "network.channels=16",
    "network.tasks=[drivable_surface, surround]",
    "network.grid={x_min_m: -8, y_min_m: -16, cells_x: 32, cells_y: 32, cell_m: 1}",
    "machine.precision=32-true",
    "machine.accelerator=cpu",
    "machine.workers=0",
    "validate_every=0",
    "rigs.cameras=[2]",
    "stages=[{size: [64, 160], steps: 3, learning_rate: 1.0e-3, batch_size: 2}]",
    "data.val=[{path: synthetic, count: 2}]",
]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Five moments of rendered rigs with one, two, ... cameras."""
    folder = tmp_path_factory.mktemp("rigs")
    rendered = RenderedRigs(SetConfig(count=5), 0, SIZE)
    with RigWriter(folder / "set") as writer:
        for index in range(5):
            frame = rendered.read(index, index + 1).frame
            names = {name: Path(f"{name}.jpg") for name in frame.images}
            label = frame.label
            record = RigRecord(
                f"moment {index}",
                frame.rig,
                names,
                objects=label.objects,
                drivable=lambda area=label.drivable: area,
                source="even" if index % 2 == 0 else "odd",
            )
            writer.write(record, {name: encoded(one) for name, one in frame.images.items()})
    return folder / "set"


def config(*overrides):
    return load_config(None, [*SMALL, *overrides])


def stream(one, first_step=0):
    sets = training_rigs(one.data, 0, SIZE, one.seed, one.rigs.cameras)
    return rig_stream(one, 0, sets, first_step)


# ---- sets ----------------------------------------------------------------------------------------


def test_a_world_is_decided_by_its_seed_and_the_number_of_its_cameras():
    one, other = (RenderedRigs(SetConfig(count=3), first, SIZE) for first in (0, 1))
    frame = one.read(1, 3).frame
    assert len(frame.images) == 3 and frame.label.objects
    for name, image in other.read(0, 3).frame.images.items():
        assert np.array_equal(image, frame.images[name])
    assert len(one.read(1, 2).frame.images) == 2


def test_of_a_recorded_set_those_are_read_that_have_enough_cameras(recorded):
    rigs = RecordedRigs(SetConfig(str(recorded)), [1, 4])
    assert len(rigs) == rigs.description["rigs"] == 5
    assert {len(rigs.read(index, 4).frame.images) for index in range(5)} == {4, 5}
    assert {len(rigs.read(index, 1).frame.images) for index in range(5)} == {1, 2, 3, 4, 5}


def test_sources_counts_and_folds_choose_of_a_recorded_set(recorded):
    assert len(RecordedRigs(SetConfig(str(recorded), sources=["odd"]), [2])) == 2
    assert len(RecordedRigs(SetConfig(str(recorded), count=3), [1])) == 3
    entry = RecordedRigs(SetConfig(str(recorded), sources=["odd"]), [2]).read(0, 2)
    assert entry.source == "odd" and entry.frame.label.drivable is not None


@pytest.mark.parametrize(
    ("keys", "cameras", "message"),
    [
        ({"sources": ["none"]}, [1], "has no rig of the sources .*none.* and the fold any"),
        ({}, [4, 6], "has no rig of 6 cameras, the most that gave a picture are 5: set rigs.cam"),
        ({"fold": "held_out_background"}, [1], "that is for composites; of a set of rigs"),
    ],
)
def test_a_set_that_has_nothing_of_what_is_asked_for_says_so(recorded, keys, cameras, message):
    with pytest.raises(ValueError, match=message):
        RecordedRigs(SetConfig(str(recorded), **keys), cameras)


# ---- batches -------------------------------------------------------------------------------------


def test_all_tensors_of_a_batch_count_rigs_until_the_network_takes_them():
    batch = next(iter(stream(config())))
    assert {len(tensor) for tensor in batch.tensors()} == {2}
    assert batch.images.shape == (2, 2, *SIZE, 3)
    assert batch.companions["view_place"].shape == (2, 2, 4 * 32 * 32, 2)
    taken = flat(batch)
    assert taken.images.shape == (4, *SIZE, 3)
    assert torch.equal(taken.images[2], batch.images[1, 0]), "cameras of a rig lie together"
    assert len(taken.targets["surround"]["surround_vehicle"]) == 2


def test_single_pictures_are_not_asked_about_and_much_is_known_of_the_ground():
    targets = next(iter(stream(config()))).targets
    assert set(targets) == {"surround"}
    drivable = targets["surround"]["surround_drivable"]
    assert (drivable != NOT_KNOWN).any() and (drivable == YES).any()


def test_batches_follow_from_their_step_alone():
    one = config("rigs.cameras=[1, 2, 3]")
    batches = list(stream(one))
    (again,) = list(stream(one, 2))
    for first, second in zip(batches[2].tensors(), again.tensors(), strict=True):
        assert torch.equal(first, second)
    assert len(batches) == 3
    many = {batch.images.shape[1] for batch in batches}
    assert many <= {1, 2, 3} and len(many) > 1


def test_a_lost_camera_is_black_and_has_no_weight():
    one = config("rigs.dropout=1", "rigs.noise=0", "augment.geometry=0")
    batch = next(iter(stream(one)))
    dark = (batch.images == 0).flatten(2).all(dim=2)
    assert dark.sum(dim=1).tolist() == [1, 1]
    columns = 2 * batch.size[1] / 8
    place, weight = (batch.companions[name] for name in ("view_place", "view_weight"))
    camera = ((place[..., 0] + 1) * columns / 2 // (columns / 2)).long()
    for rig in range(2):
        lost = int(dark[rig].long().argmax())
        assert weight[rig][camera[rig] == lost].sum() == 0
        assert weight[rig].sum() > 0


def test_a_rig_is_scored_as_it_is_whatever_training_changes():
    one = config("rigs.dropout=1", "rigs.yaw=1")
    sets = validation_rigs(one.data, [], SIZE, one.rigs.cameras)
    blocks = promised(one.network, SIZE)
    items, again = (list(RigValidationStream(sets, blocks, SIZE, [2])) for _ in range(2))
    assert len(items) == 2
    for item, other in zip(items, again, strict=True):
        assert item.rig.images.any(axis=(1, 2, 3)).all()
        assert np.array_equal(item.rig.images, other.rig.images)
        known = item.rig.truth.vehicle != NOT_KNOWN
        assert known.any() and not known[~item.rig.seen].any()


# ---- runs ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the folder of a run, and its checkpoint."""
    out = tmp_path_factory.mktemp("first") / "run"
    return out, train(config(f"out={out}", "loss.weighting=fixed"))


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty"])
def test_a_run_goes_from_worlds_to_a_network_with_scores_and_pictures(weighting, tmp_path, request):
    if weighting == "fixed":
        out, path = request.getfixturevalue("trained")
    else:
        out = tmp_path / "run"
        path = train(config(f"out={out}", f"loss.weighting={weighting}"))
    network = load_network(path)
    assert network.config.tasks == ["drivable_surface", "surround"]
    (row,) = read_metrics(out, "val")
    assert {"score", "surround_vehicle_iou", "surround_drivable_iou"} <= set(row)
    assert row["sources"]["synthetic"]["surround"]["moments"] == 2
    assert len(list((out / "panels").glob("*.jpg"))) == 1
    losses = [json.loads(line) for line in (out / METRICS).read_text().splitlines()]
    (last,) = [one for one in losses if one["kind"] == "train"]
    assert {"train/vehicle", "train/drivable_bev", "train/centre", "train/offset"} <= set(last)
    assert "train/mask_bce" not in last, "nothing is known of single pictures, none is asked about"


def test_only_the_ground_is_trained_where_the_rest_is_to_stay(trained, tmp_path):
    (_, start), out = trained, tmp_path / "second"
    overrides = (f"init={start}", f"out={out}", "train_only=[surround]", "freeze_encoder=32")
    before, after = (load_network(one).state_dict() for one in (start, train(config(*overrides))))
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("decoder.heads.surround") for name in changed)


def test_a_ring_of_rigs_needs_rigs_of_one_size():
    replay = "stages=[{size: [64, 160], steps: 2, batch_size: 2, replay: 2, replay_samples: 8}]"
    assert config(replay).stages[0].replay == 2
    with pytest.raises(ConfigError, match=r"rigs of \[2, 3\] cameras do not go into one ring"):
        config(replay, "rigs.cameras=[2, 3]")


def test_a_run_is_exported_compared_on_rigs_and_scored(trained, tmp_path, monkeypatch, capsys):
    _, checkpoint = trained
    monkeypatch.setattr(export_module, "WORLDS_FOR_PRIORS", 60)
    path = tmp_path / "rig.onnx"
    size = ["--size", "64", "160"]
    assert main(["export", str(checkpoint), "--out", str(path), *size, "--worlds", "2"]) == 0
    spec = read_artifact(path).spec
    assert spec.of_rigs() == {"view_place", "view_weight", "surround"}
    assert "synthetic/surround_drivable_iou" in spec.scores
    assert re.search(r"compared with torch on rigs: \d\.\de-0[5-9]", capsys.readouterr().out)


def test_throughput_measures_rigs_as_they_are_trained(capsys):
    path = Path(__file__).resolve().parents[2] / "config/training/surround.yaml"
    options = [*SMALL, "train_only=[surround]", "stages.0.replay=2", "--steps", "4"]
    assert main(["throughput", str(path), *options]) == 0
    out = capsys.readouterr().out
    assert "64x160, batch 2 rigs of 2 cameras:" in out
    for part in ("reading, rendering", "augmentation", "targets", "forward", "loss", "backward"):
        (line,) = [one for one in out.splitlines() if one.strip().startswith(part)]
        assert re.search(r" \d+\.\d{3} +\d+% of ", line), line


def test_what_is_timed_is_what_is_trained_on():
    one = config("augment.geometry=1", "data.train=[{path: synthetic}]")
    timed = stream(one)
    items = [timed._timed(at, timed._cameras(0))[0] for at in range(2)]
    (batch,) = itertools.islice(stream(one), 1)
    for found, expected in zip(collate(items, SIZE).tensors(), batch.tensors(), strict=True):
        assert torch.equal(found, expected)


def test_what_works_on_single_pictures_alone_says_so(tmp_path, capsys):
    out = tmp_path / "sheet.png"
    path = Path(__file__).resolve().parents[2] / "config/training/surround.yaml"
    assert main(["sheet", "--out", str(out), "--config", str(path)]) == 2
    assert "surround is asked of rigs, and this works on single pictures" in capsys.readouterr().err
