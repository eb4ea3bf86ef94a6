# SPDX-License-Identifier: Apache-2.0
"""Sets and batches: which samples are seen when, by whom, and at what cost of memory."""

import json
import os
import pickle
import subprocess
import sys
import tracemalloc
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from labelled_set import HEIGHT, WIDTH, lanes_of, record, write_records, write_set
from patience import PATIENCE_S

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.statistics import count
from shared_encoder_perception.labels.validate import find_faults
from shared_encoder_perception.labels.view import view_sample
from shared_encoder_perception.spec import blocks
from shared_encoder_perception.tasks import DEFAULT
from shared_encoder_perception.tasks.label_files import LabelError
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.training.batches import to_item
from shared_encoder_perception.training.config import load_config
from shared_encoder_perception.training.data import (
    Mixture,
    ValidationStream,
    fit,
    loader,
    training_stream,
)
from shared_encoder_perception.training.data_config import DataConfig, SetConfig
from shared_encoder_perception.training.sets import NativeSet, WorldSet, training_sets

SIZE = (64, 160)
SPLITS = (LaneId.LEFT_SPLIT_EGO, LaneId.RIGHT_SPLIT_EGO)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("data") / "set", 10)


def stream(folder, *overrides, first=0, rank=0, processes=1):
    stages = "stages=[{size: [64, 160], steps: 6, batch_size: 4}]"
    config = load_config(None, [f"data.train=[{{path: {folder}}}]", stages, *overrides])
    sets = training_sets(config.data, 0, SIZE, config.seed)
    return training_stream(config, 0, sets, first, rank, processes)


def test_every_sample_is_seen_once_before_any_is_seen_twice(folder):
    mixture = Mixture((NativeSet(SetConfig(str(folder))),), (1.0,), 0.0, (0, 0))
    for turn in range(3):
        seen = [mixture.draw(turn * 10 + place)[1] for place in range(10)]
        assert sorted(seen) == list(range(10))
    orders = {tuple(mixture.draw(t * 10 + p)[1] for p in range(10)) for t in range(5)}
    assert len(orders) == 5


def test_sets_are_mixed_by_weight(folder):
    sets = (NativeSet(SetConfig(str(folder))), WorldSet(SetConfig(), 0, SIZE))
    mixture = Mixture(sets, (1.0, 3.0), 0.0, (0, 0))
    chosen = Counter(mixture.draw(position)[0] for position in range(2000))
    assert chosen[0] / 2000 == pytest.approx(0.25, abs=0.03)
    worlds = [mixture.draw(p)[1] for p in range(2000) if mixture.draw(p)[0] == 1]
    assert len(set(worlds)) == len(worlds)


def test_rare_frames_are_drawn_as_often_as_asked(tmp_path):
    records = [record(index) for index in range(50)]
    records[7]["lanes"]["left_split_ego"] = [[10, 100], [20, 80]]
    write_records(tmp_path, records)
    samples = NativeSet(SetConfig(str(tmp_path)))
    assert list(samples.rare) == [7]
    mixture = Mixture((samples,), (1.0,), 0.3, (0, 0))
    share = np.mean([mixture.draw(position)[1] == 7 for position in range(2000)])
    assert share == pytest.approx(0.3 + 0.7 / 50, abs=0.04)


def test_a_later_start_sees_the_same_steps(folder):
    whole, late = list(stream(folder)), list(stream(folder, first=4))
    assert len(late) == 2
    for expected, found in zip(whole[4:], late, strict=True):
        pairs = zip(expected.tensors(), found.tensors(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_processes_share_each_batch(folder):
    whole = next(iter(stream(folder)))
    parts = [next(iter(stream(folder, rank=rank, processes=2))) for rank in range(2)]
    assert torch.equal(whole.images[0::2], parts[0].images)
    assert torch.equal(whole.images[1::2], parts[1].images)
    with pytest.raises(ValueError, match="batch_size is 4, which 3 processes cannot share"):
        stream(folder, processes=3)


def test_loading_processes_change_nothing(folder):
    """In a process of its own, as training is: after a fork, threads of other libraries are gone.

    A test process that has run OpenVINO, Ray and ROS has many of them, and may wait for one.
    """
    words = [sys.executable, __file__, str(folder)]
    search = os.pathsep.join([str(Path(__file__).parents[1]), os.getcwd()])
    environment = {**os.environ, "PYTHONPATH": search}
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=PATIENCE_S, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "6 batches are the same" in done.stdout


def compare_loaders(folder):
    """Load the batches in this process, and by two others."""
    alone, together = (loader(stream(folder), workers) for workers in (0, 2))
    count = 0
    for expected, found in zip(alone, together, strict=True):
        assert torch.equal(expected.images, found.images)
        pairs = zip(expected.tensors(), found.tensors(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
        count += 1
    print(f"{count} batches are the same")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_faulty_label_is_told_as_it_is_by_a_loading_process_too(workers, tmp_path):
    write_set(tmp_path, 4)
    for mask in tmp_path.glob("masks/road/*.png"):
        mask.write_text("damaged")
    with pytest.raises(ValueError) as caught:
        list(loader(stream(tmp_path), workers))
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}/") and "Traceback" not in said and "\n" not in said


def test_validation_sees_every_sample_once(folder):
    samples = NativeSet(SetConfig(str(folder)))
    parts = [ValidationStream([samples], SIZE, 3, rank, 3) for rank in range(3)]
    names = [item.sample.name for part in parts for batch in part for item in batch]
    assert len(names) == len(set(names)) == 10


def test_sources_counts_and_teachers(tmp_path):
    records = [record(0), record(1, source="other"), record(2, pseudo=["mask", "lanes"])]
    write_set(tmp_path, 3)
    write_records(tmp_path, records)
    path = str(tmp_path)
    assert len(NativeSet(SetConfig(path, sources=["other"]))) == 1
    assert len(NativeSet(SetConfig(path, count=2))) == 2
    truth = NativeSet(SetConfig(path), to_score=True)[2].sample
    assert set(truth.labels) == {"lanes"}
    doubtful = NativeSet(SetConfig(path, pseudo=False))[2].sample
    assert not doubtful.labels
    with pytest.raises(ValueError, match="no frame of the sources"):
        NativeSet(SetConfig(path, sources=["none"]))


def test_folds_part_a_set_by_the_names_alone(tmp_path):
    records = [record(index) for index in range(60)]
    write_records(tmp_path, records)

    def names(fold):
        samples = NativeSet(SetConfig(str(tmp_path), fold=fold))
        lines = (tmp_path / "frames.jsonl").read_bytes()
        return {json.loads(lines[start:].splitlines()[0])["image"] for start in samples._starts}

    held_out, train = names("held_out"), names("train")
    assert 1 <= len(held_out) <= 15
    assert not held_out & train
    assert held_out | train == names("")
    write_records(tmp_path, records[::-1] + [record(100)])
    assert held_out <= names("held_out")


def test_worlds_show_splits_as_often_as_asked():
    shares = []
    for probability in (0.0, 1.0):
        worlds = WorldSet(SetConfig(count=12, split_probability=probability), 0, SIZE)
        lanes = [lanes_of(worlds[index].sample) for index in range(12)]
        shares.append(
            np.mean([any(found.get(lane) is not None for lane in SPLITS) for found in lanes])
        )
    assert shares[0] == 0
    assert shares[1] > 0.5


def test_confidence_becomes_weight(tmp_path):
    write_set(tmp_path, 2)
    records = [record(0, lane_confidence={"ego": 0.25}, mask_confidence="c.png"), record(1)]
    write_records(tmp_path, records)
    cv2.imwrite(str(tmp_path / "c.png"), np.full((HEIGHT, WIDTH), 51, np.uint8))
    sure, (doubtful, crop, _) = (
        NativeSet(SetConfig(str(tmp_path)))[1],
        NativeSet(SetConfig(str(tmp_path)))[0],
    )
    weights = []
    for sample in (sure.sample, doubtful):
        view = view_sample(sample, fit(sample, SIZE, crop))
        targets = to_item(view, SIZE, blocks(*DEFAULT)).targets
        known = targets["lanes"]["known"]
        mask, weight = (targets["drivable_surface"][name] for name in ("mask", "weight"))
        weights.append((known.tolist(), set(np.unique(weight[mask != 127]))))
        assert set(np.unique(weight[mask == 127])) <= {0}
    assert weights == [([1, 1, 1, 1, 1], {255}), ([0.25, 1, 1, 1, 1], {51})]


def test_faults_keep_their_line(tmp_path):
    write_set(tmp_path, 2)
    write_records(tmp_path, [record(0), record(1, crop=[0, 0, 9999, 5])])
    with pytest.raises(LabelError, match=r"frames\.jsonl, line 2: crop"):
        NativeSet(SetConfig(str(tmp_path)))[1]
    write_records(tmp_path, [record(0), "{"])
    with pytest.raises(LabelError, match=r"frames\.jsonl, line 2: not JSON"):
        NativeSet(SetConfig(str(tmp_path)))


def test_overfit_takes_complete_frames_only(tmp_path):
    records = [record(index) for index in range(6)]
    del records[0]["lanes"]["ego"], records[3]["mask"]
    write_records(tmp_path, records)
    config = DataConfig(train=[SetConfig(str(tmp_path))], overfit=4)
    (samples,) = training_sets(config, 0, SIZE, 0)
    assert len(samples) == 4
    whole = NativeSet(SetConfig(str(tmp_path)))
    assert list(whole.complete) == [1, 2, 4, 5]


def peak_memory(work):
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("what", ["read", "validate"])
def test_memory_does_not_grow_with_the_set(tmp_path, what):
    work = {
        "read": lambda path: sum(1 for _ in native.read(path)),
        "validate": lambda path: sum(1 for _ in find_faults(path, pictures=False)),
    }[what]
    peaks = []
    for frames in (200, 1500):
        path = tmp_path / str(frames)
        lines = [json.dumps({**record(0), "image": f"images/{i}.png"}) for i in range(frames)]
        write_records(path, lines)
        work(path)
        # Twice: once Python's own table of interned strings may grow just then.
        peaks.append(min(peak_memory(lambda path=path: work(path)) for _ in range(2)))
    assert peaks[1] < 1.5 * peaks[0] + 50_000


def test_statistics_do_not_grow_with_the_set(tmp_path):
    sizes = []
    for frames in (20, 200):
        write_records(tmp_path / str(frames), [record(0)] * frames)
        statistics = count(native.read(tmp_path / str(frames)), pictures=False)
        assert statistics.sources["road"].frames == frames
        sizes.append(len(pickle.dumps(statistics)))
    assert sizes[1] < sizes[0] + 100


def test_lanes_of_a_world_are_all_known():
    entry = WorldSet(SetConfig(count=1), 0, SIZE)[0]
    assert set(lanes_of(entry.sample)) == set(LaneId)


if __name__ == "__main__":
    compare_loaders(sys.argv[1])
