# SPDX-License-Identifier: Apache-2.0
"""replay of several bags: one summary with pooled counts, and how a cluster is shared out."""

import json
import sys
from argparse import Namespace

import pytest
import replay_bags
from replay_bags import drive, lane_message, replay
from tiny_model import write_models

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.bag_identity import bag_identity
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay.scale_bags import begun
from shared_encoder_perception.replay.scale_cluster import Plan, plan_of
from shared_encoder_perception.tasks.lanes.answer import LaneId


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


def labelled_drive(models, first, last, pixels=12.0):
    """Return images ``first`` to ``last`` of a drive, with ego lanes moved sideways as labels."""
    predictor = Predictor(load_backend(str(models.tiny), "onnxruntime"))
    messages = []
    for index, message in enumerate(drive(last)):
        if index < first:
            continue
        label = lane_message(predictor, index, LaneId.EGO)
        label.image_x = label.image_x + pixels * index
        messages += [("/truth/ego", message[1] - 1, label), message]
    return messages


def test_counts_are_pooled_and_not_averaged(tmp_path, models):
    parts = {"first": (0, 2), "second": (2, 9), "whole": (0, 9)}
    bags = {
        name: replay_bags.write_bag(tmp_path / "bags" / name, labelled_drive(models, *part))
        for name, part in parts.items()
    }
    labels = ("--labels", "/truth")
    assert replay(models, bags["first"], tmp_path / "two", str(bags["second"]), *labels) == 0
    assert replay(models, bags["whole"], tmp_path / "one", *labels) == 0
    two, one = (replay_bags.summary(tmp_path / out) for out in ("two", "one"))
    assert 0 < one["scores"]["bag"]["lanes"]["ego"]["valid_row_accuracy"] < 1
    for name in ("frames", "perceived", "labelled", "detected", "scores", "headline"):
        assert two[name] == one[name]
    heads = [replay_bags.summary(tmp_path / "two" / name) for name in ("first", "second")]
    average = sum(head["headline"]["lane_accuracy"] for head in heads) / 2
    assert two["headline"]["lane_accuracy"] != pytest.approx(average, abs=1e-3)


def test_the_summary_depends_on_neither_order_nor_time(tmp_path, models):
    bags = [
        str(replay_bags.write_bag(tmp_path / name, drive(count)))
        for name, count in (("b", 4), ("a", 3), ("c", 5))
    ]
    for out, order in (("x", bags), ("y", bags[::-1])):
        assert replay(models, order[0], tmp_path / out, *order[1:]) == 0
    content = [(tmp_path / out / "summary.json").read_bytes() for out in ("x", "y")]
    assert content[0] == content[1]
    told = json.loads(content[0])
    assert list(told["bags"]) == ["a", "b", "c"]
    assert (told["status"], told["failed"], told["frames"]) == (0, [], 12)
    assert told["conditions"]["model"] == "tiny" and "bag" not in told["conditions"]
    content = bag_identity(tmp_path / "a")
    assert told["bags"]["a"]["conditions"] == {"bag": "a", "bag_content": content}
    assert not {"throughput", "latency_ms"} & set(told)


def test_a_bag_that_failed_is_told_and_added_later(tmp_path, models, capsys):
    good = replay_bags.write_bag(tmp_path / "good", drive(2))
    late = tmp_path / "late"
    out = tmp_path / "out"
    assert replay(models, good, out, str(late)) == 2
    told = replay_bags.summary(out)
    assert (told["status"], told["failed"], told["frames"]) == (2, ["late"], 2)
    assert "there is no bag late" in told["bags"]["late"]["error"]
    assert "late  failed: there is no bag late" in capsys.readouterr().out
    replay_bags.write_bag(late, drive(3))
    assert replay(models, good, out, str(late)) == 2
    assert "or try failed ones again with --resume" in capsys.readouterr().err
    assert replay_bags.summary(out) == told
    assert replay(models, good, out, str(late), "--resume") == 0
    told = replay_bags.summary(out)
    assert (told["status"], told["failed"], told["frames"]) == (0, [], 5)


def test_any_error_of_one_bag_spares_the_others(tmp_path, models):
    bags = [replay_bags.write_bag(tmp_path / name, drive(2)) for name in ("a", "b")]
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_text("a file where a folder has to go")
    assert replay(models, bags[0], out, str(bags[1])) == 2
    told = replay_bags.summary(out)
    assert told["failed"] == ["a"] and told["bags"]["b"]["frames"] == 2


def test_a_summary_that_is_not_ours_is_never_replaced(tmp_path, models, capsys):
    bags = [replay_bags.write_bag(tmp_path / name, drive(2)) for name in ("a", "b")]
    out = tmp_path / "out"
    out.mkdir()
    (out / "summary.json").write_text("mine")
    assert replay(models, bags[0], out, str(bags[1]), "--force") == 2
    assert "was not written by this command" in capsys.readouterr().err
    assert (out / "summary.json").read_text() == "mine"
    single = tmp_path / "single"
    assert replay(models, bags[0], single) == 0
    before = (single / "summary.json").read_bytes()
    assert replay(models, bags[0], single, str(bags[1]), "--force") == 2
    assert "holds the replay of a single bag" in capsys.readouterr().err
    assert (single / "summary.json").read_bytes() == before


def test_results_whose_counts_are_lost_are_not_left_out_silently(tmp_path, models):
    bags = [replay_bags.write_bag(tmp_path / name, drive(2)) for name in ("a", "b")]
    out = tmp_path / "out"
    assert replay(models, bags[0], out, str(bags[1])) == 0
    (out / "a" / "counts.pickle").unlink()
    assert replay(models, bags[0], out, str(bags[1]), "--resume") == 2
    assert "a/counts.pickle is missing" in replay_bags.summary(out)["bags"]["a"]["error"]


def test_a_try_that_did_nothing_is_known_from_one_that_began(tmp_path, models):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(2))
    out = tmp_path / "out"
    nothing = begun(out)
    assert replay(models, tmp_path / "gone", out) == 2
    assert begun(out) == nothing
    assert replay(models, bag, out) == 0
    first = begun(out)
    assert first != nothing
    # To resume after this would take the old results for those of the second try.
    assert replay(models, tmp_path / "gone", out, "--force") == 2
    assert begun(out) == first
    assert replay(models, bag, out, "--force") == 0
    assert begun(out) != first


SMALL, LARGE, CARDS = {"CPU": 4.0}, {"CPU": 16.0}, {"CPU": 16.0, "GPU": 2.0}


@pytest.mark.parametrize(
    ("nodes", "workers", "threads", "device", "plan"),
    [
        ([LARGE], None, 0, "auto", Plan(16, 1, 1, 0)),
        ([LARGE], 4, 0, "auto", Plan(4, 4, 4, 0)),
        ([LARGE], 3, 0, "auto", Plan(3, 5, 5, 0)),
        ([LARGE], 32, 0, "auto", Plan(32, 1, 1, 0)),
        ([LARGE], None, 8, "auto", Plan(2, 8, 8, 0)),
        ([SMALL, LARGE], None, 0, "auto", Plan(20, 1, 1, 0)),
        ([SMALL, LARGE], 1, 0, "auto", Plan(1, 16, 16, 0)),
        ([SMALL], None, 8, "auto", Plan(1, 8, 4, 0)),
        ([SMALL, LARGE], 2, 0, "auto", Plan(2, 8, 8, 0)),
        ([SMALL, LARGE], 5, 0, "auto", Plan(5, 4, 4, 0)),
        ([CARDS, SMALL], None, 0, "cuda", Plan(2, 8, 8, 1)),
        ([CARDS], 1, 2, "cuda:0", Plan(1, 2, 2, 1)),
    ],
)
def test_how_a_cluster_is_shared_out(nodes, workers, threads, device, plan):
    args = Namespace(workers=workers, threads=threads, device=device, backend="auto")
    assert plan_of(args, nodes) == plan


@pytest.mark.parametrize(
    ("nodes", "device", "reason"), [([], "cpu", "no CPU"), ([LARGE], "cuda", "has none")]
)
def test_a_cluster_without_what_is_needed_is_refused(nodes, device, reason):
    args = Namespace(workers=None, threads=0, device=device, backend="auto")
    with pytest.raises(ValueError, match=reason):
        plan_of(args, nodes)


def test_without_ray_it_is_said_how_to_get_it(tmp_path, models, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    bag = replay_bags.write_bag(tmp_path / "bag", drive(1))
    assert replay(models, bag, tmp_path / "out", "--ray") == 2
    assert "pip install '.[scale]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--ray", "--workers", "0"], "--workers is 0, expected at least 1"),
        (["--ray", "--retries", "-1"], "--retries is -1, expected at least 0"),
        (["--ray", "."], "is no address: name bags first"),
        (["--ray", "127.0.0.1:1"], "no Ray cluster at 127.0.0.1:1: "),
    ],
)
def test_mistakes_are_told_before_the_work(tmp_path, models, capsys, options, reason):
    pytest.importorskip("ray", reason="Ray is not installed: pip install '.[scale]'")
    bag = replay_bags.write_bag(tmp_path / "bag", drive(1))
    assert replay(models, bag, tmp_path / "out", *options) == 2
    assert reason in capsys.readouterr().err
