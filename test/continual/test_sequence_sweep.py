# SPDX-License-Identifier: Apache-2.0
"""Many runs of one sequence: their folders, their list, one of them, and what fails."""

import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from sequences import write_sequence

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.continual.matrix import read_matrix
from shared_encoder_perception.continual.sweep import variants


@pytest.fixture
def path(tmp_path):
    return write_sequence(tmp_path, ("town",))


def continual(path, *words):
    return main(["continual", str(path), "--paths", str(path.with_name("paths.yaml")), *words])


def test_a_sweep_is_every_combination():
    found = variants(["strategy=naive,replay+lwf", "seed=0,1,2"])
    assert [one.name for one in found][:4] == [
        "strategy=naive,seed=0",
        "strategy=naive,seed=1",
        "strategy=naive,seed=2",
        "strategy=replay+lwf,seed=0",
    ]
    assert found[-1].overrides == ("strategy=replay+lwf", "seed=2")
    assert len({one.name for one in found}) == len(found) == 6


def test_no_sweep_is_one_run_in_the_configs_own_folder(tmp_path):
    (one,) = variants([])
    assert (one.folder(tmp_path), one.overrides) == (tmp_path, ())


def test_a_list_is_one_value():
    found = variants(["strategy=[lwf,pod],naive"])
    assert [one.overrides for one in found] == [("strategy=[lwf,pod]",), ("strategy=naive",)]
    assert all("/" not in one.name and "[" not in one.name for one in found)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (["seed"], "'seed': expected key=value"),
        (["seed=1,,2"], "expected key=value"),
        (["seed=1", "seed=2"], "seed or one of its values comes twice"),
        (["seed=1,1"], "comes twice"),
        (["out=a,b"], "each run has a folder below out"),
        (["init=a/b,a_b"], "two runs would have one folder"),
    ],
)
def test_a_sweep_that_cannot_be_is_told(axes, message):
    with pytest.raises(ValueError, match=message):
        variants(axes)


def test_the_list_shows_all_runs_and_begins_none(path, capsys):
    assert continual(path, "--sweep", "strategy=naive,ewc", "seed=0,1", "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines][3] == ["3", "strategy=ewc,seed=1", "not", "begun"]
    assert not (path.parent / "run").exists()


def test_the_whole_config_of_one_is_shown(path, capsys):
    assert continual(path, "--sweep", "seed=4,5", "--index", "1", "--show") == 0
    text = capsys.readouterr().out
    assert "\nseed: 5\n" in text
    assert "run/seed=5" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--index", "2"], "--index is 2, expected 0 to 1"),
        (["--index", "-1"], "--index is -1"),
        (["--index", "0", "--list"], "leave one out"),
        (["--ray", "local", "--workers", "0"], "--workers is 0"),
        (["memory.policy=x"], "memory.policy is 'x'"),
    ],
)
def test_a_mistake_is_told_before_anything_begins(path, capsys, words, message):
    assert continual(path, *words, "--sweep", "seed=0,1") == 2
    assert message in capsys.readouterr().err
    assert not (path.parent / "run").exists()


def test_one_by_its_number_then_all_and_one_that_fails_stops_no_other(path, capsys):
    steps = ("tasks.0.steps=1", "--sweep", "seed=0,1,2")
    assert continual(path, *steps, "--index", "1") == 0
    run = path.parent / "run"
    assert [one.name for one in run.iterdir()] == ["seed=1"]
    assert read_matrix(run / "seed=1").seed == 1
    before = (run / "seed=1" / "run.json").read_text()
    (run / "seed=0").mkdir()
    (run / "seed=0" / "config.yaml").write_text("another: config\n")
    (run / "seed=0" / "metrics.jsonl").write_text("{}\n")  # something was learned there
    capsys.readouterr()
    assert continual(path, *steps) == 1
    told = capsys.readouterr()
    assert "holds a run with another config" in told.err
    assert "failed: seed=0" in told.err
    assert "2 of 3 runs done" in told.out
    assert (run / "seed=1" / "run.json").read_text() == before
    assert read_matrix(run / "seed=2").learned == 1
