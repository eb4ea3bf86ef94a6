# SPDX-License-Identifier: Apache-2.0
"""What commands take over from the run whose network they are given, and what it says itself."""

import json
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from labelled_set import write_set

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from smallest import ENCODER

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.training.config import ConfigError, load_config, save_config
from shared_encoder_perception.training.origin import Course, read_course
from shared_encoder_perception.training.record import METRICS, open_folder
from shared_encoder_perception.training.structured import differences
from shared_encoder_perception.training.train import last_validation

TINY = [
    *(f"network.encoder={ENCODER}", "network.channels=16", "network.head_channels=8"),
    *("network.tasks=[drivable_surface]", "machine.workers=0", "machine.precision=32-true"),
    *("machine.accelerator=cpu", "validate_every=1"),
]
STAGES = (
    "stages: [{size: [96, 192], steps: 1, batch_size: 2}, "
    "{size: [64, 128], steps: 2, batch_size: 2}]"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run that was given a wrong path first, and what it printed then and later."""
    folder = tmp_path_factory.mktemp("course")
    data = write_set(folder / "data", 4)
    (folder / "given.yaml").write_text(f"{STAGES}\nout: {folder / 'run'}\n")
    wrong, right = (
        [f"data.{part}.0.path={path}" for part in ("train", "val")]
        for path in (folder / "gone", data)
    )
    assert main(["train", str(folder / "given.yaml"), *TINY, *wrong]) == 2
    with redirect_stdout(StringIO()) as said:
        assert main(["train", str(folder / "given.yaml"), *TINY, *right]) == 0
    return folder / "run", said.getvalue()


def test_the_command_corrected_trains_where_the_wrong_one_failed(run):
    folder, _ = run
    assert (folder / "network.pt").exists()
    assert "gone" not in (folder / "config.yaml").read_text()


def test_a_run_says_what_its_last_validation_found(run):
    folder, said = run
    rows = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    (last,) = [row for row in rows if (row["kind"], row["stage"], row["step"]) == ("val", 1, 2)]
    assert (
        f"validation at step 2: score {last['score']:.3f}, mask IoU {last['mask_iou']:.3f}" in said
    )


def test_the_step_of_the_network_that_is_kept_is_said_where_it_is_not_the_last(tmp_path):
    rows = [(0, 9, 0.9), (1, 4, 0.75), (1, 8, 0.5)]
    text = [
        json.dumps({"kind": "val", "stage": stage, "step": step, "score": score, "mask_iou": score})
        for stage, step, score in rows
    ]
    assert last_validation(tmp_path, ["drivable_surface"]) == "validation: none"
    (tmp_path / METRICS).write_text("\n".join(text))
    assert last_validation(tmp_path, ["drivable_surface", "lanes"]) == (
        "validation at step 8: score 0.500, mask IoU 0.500; "
        "kept is the network of step 4, score 0.750"
    )


def test_the_command_that_training_names_exports_at_the_size_of_the_last_stage(run, capsys):
    folder, said = run
    (command,) = re.findall(r"next: python -m shared_encoder_perception (.*)", said)
    assert main([*command.split(), "--worlds", "4"]) == 0
    told = capsys.readouterr()
    assert read_artifact(folder / "model.onnx").spec.input_size == (64, 128)
    assert "size: 64x128 (that of the run's last stage)" in told.out
    assert "warning" not in told.err


def test_another_size_than_the_run_s_is_taken_and_warned_of(run, tmp_path, capsys):
    out = tmp_path / "model.onnx"
    arguments = ["export", str(run[0]), "--size", "64", "160", "--worlds", "4", "--out", str(out)]
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert read_artifact(out).spec.input_size == (64, 160)
    assert "warning: --size is 64x160, and the run's last stage was trained at 64x128" in told.err


def test_runs_are_compared_at_the_size_that_they_were_trained_on(run, capsys):
    assert main(["models", str(run[0]), "--rounds", "1"]) == 0
    assert "pictures of 64x128\n" in capsys.readouterr().out
    assert main(["models", str(run[0]), "--rounds", "1", "--size", "64", "160"]) == 0
    assert "pictures of 64x160\n" in capsys.readouterr().out


def test_the_default_sizes_are_said_by_help(capsys):
    for command in ("export", "models"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        told = " ".join(capsys.readouterr().out.split())
        assert re.search(r"default: that of the runs?'s? last stages?,", told) and "320 800" in told


@pytest.mark.parametrize(
    ("text", "course"),
    [
        (None, Course()),
        ("stages: [{size: [320, 800]}, {size: [160, 416]}]", Course((160, 416))),
        ("stages: [{size: [160, 416]}]\ntrain_only: [lanes]", Course((160, 416), ("lanes",))),
        ("train: {stages: [{size: [64, 160]}]}\ntasks: []", Course((64, 160))),
        ("stages: 5", Course()),
        ("colour: blue", Course()),
    ],
)
def test_the_course_of_a_run_is_read_from_its_config(tmp_path, text, course):
    """Of a sequence of tasks, too; and what another program calls its config is none."""
    if text is not None:
        (tmp_path / "config.yaml").write_text(text)
    assert read_course(tmp_path) == course


def test_a_config_that_is_not_yaml_is_named(tmp_path):
    (tmp_path / "config.yaml").write_text("stages: [")
    with pytest.raises(ConfigError, match=r"config\.yaml: "):
        read_course(tmp_path)


def test_configs_differ_by_the_keys_that_are_named(tmp_path):
    before, now = tmp_path / "before.yaml", tmp_path / "now.yaml"
    one = load_config(None, ["data.train.0.path=a", "train_only=[lanes]"])
    other = load_config(None, ["data.train.0.path=b", "seed=4"])
    save_config(one, before)
    save_config(other, now)
    assert differences(before, before) == []
    assert differences(before, now) == [
        "data.train.0.path: b, was a",
        "train_only: [], was ['lanes']",
        "seed: 4, was 0",
    ]


@pytest.mark.parametrize(
    "learned", [METRICS, "stage0.pt", "stage1/last.ckpt", "matrix.json", "task0/state.pt"]
)
def test_a_folder_is_taken_over_until_something_was_learned_in_it(tmp_path, learned):
    open_folder(load_config(None, [f"out={tmp_path}", "data.train.0.path=wrong"]))
    (tmp_path / "run.json").write_text("[]")
    now = load_config(None, [f"out={tmp_path}", "data.train.0.path=right"])
    open_folder(now)
    assert not (tmp_path / "run.json").exists()
    (tmp_path / learned).parent.mkdir(exist_ok=True)
    (tmp_path / learned).touch()
    (tmp_path / "run.json").write_text("[]")
    open_folder(now)
    assert (tmp_path / "run.json").exists()
    with pytest.raises(ConfigError, match=r"data\.train\.0\.path: other, was right\): choose"):
        open_folder(load_config(None, [f"out={tmp_path}", "data.train.0.path=other"]))


def test_the_recipe_for_the_shipped_model_has_its_network_and_size():
    config = load_config(Path(__file__).parents[2] / "config/training/finetune.yaml")
    spec = read_artifact(fetch(config.init)).spec
    assert list(spec.tasks) == list(config.network.tasks)
    assert tuple(config.stages[-1].size) == spec.input_size
