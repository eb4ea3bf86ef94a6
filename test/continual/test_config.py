# SPDX-License-Identifier: Apache-2.0
"""A sequence's config: its folders stand elsewhere, and every mistake is told in one line."""

import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from sequences import sequence, write_sequence

from shared_encoder_perception.continual.config import POLICIES, ContinualConfig, training_of
from shared_encoder_perception.continual.load import PATHS_VARIABLE, load_sequence
from shared_encoder_perception.continual.memory import policies
from shared_encoder_perception.continual.strategies import STRATEGIES, make_strategies
from shared_encoder_perception.training.config import ConfigError, save_config


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_sequence(tmp_path_factory.mktemp("sequence"))


def test_folders_of_the_machine_come_from_a_file_of_their_own(path, monkeypatch):
    town = str(path.parent / "town" / "train")
    assert sequence(path).tasks[0].train[0].path == town
    monkeypatch.setenv(PATHS_VARIABLE, str(path.with_name("paths.yaml")))
    assert load_sequence(path) == sequence(path)


def test_the_configs_own_folders_win(path):
    config = sequence(path, "paths.coast=elsewhere")
    assert config.tasks[1].train[0].path == "elsewhere/train"
    assert config.tasks[0].train[0].path.startswith("/")


def test_a_folder_may_come_from_the_environment(path, monkeypatch):
    monkeypatch.setenv("DATA", "there")
    config = sequence(path, "paths.coast=${oc.env:DATA}/coast")
    assert config.tasks[1].train[0].path == "there/coast/train"


def test_a_folder_that_nobody_names_is_told_with_where_to_write_it(path, tmp_path, monkeypatch):
    monkeypatch.delenv(PATHS_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=rf"write `town: FOLDER` into .*{PATHS_VARIABLE}"):
        load_sequence(path)
    other = tmp_path / "paths.yaml"
    other.write_text("town: here\n")
    with pytest.raises(ConfigError, match=rf"write `coast: FOLDER` into {other}"):
        load_sequence(path, (), other)
    monkeypatch.delenv("DATA", raising=False)
    with pytest.raises(ConfigError, match="set the environment variable DATA"):
        sequence(path, "paths.coast=${oc.env:DATA}")
    with pytest.raises(ConfigError, match=r"there is no config .*missing\.yaml"):
        load_sequence(path, (), tmp_path / "missing.yaml")


def test_saved_and_read_again_is_the_same(path, tmp_path):
    config = sequence(path, "strategy=replay+lwf", "memory.share=0.25")
    save_config(config, tmp_path / "config.yaml")
    assert load_sequence(tmp_path / "config.yaml") == config
    assert config.strategy == ["replay", "lwf"]


def test_each_task_is_a_stage_of_one_run(path):
    config = sequence(path, "tasks.1.steps=7", "seed=3", "out=there")
    first, second = (training_of(config, task) for task in range(2))
    assert [one.steps for one in first.stages] == [3, 7]
    assert first.stages == second.stages
    assert (second.data.train, second.data.val) == (
        config.tasks[1].train,
        config.tasks[1].tests[0].sets,
    )
    assert (second.seed, second.out) == (3, "there")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["tasks=[]"], r"tasks is empty, expected at least one"),
        (["tasks.1.name=town"], r"two tasks have the name 'town'"),
        (["tasks.1.tests.0.name=town"], r"two tests have the name 'town'"),
        (["tasks.1.name=../up"], r"name '\.\./up', expected letters"),
        (["tasks.1.train=[]"], r"coast has nothing to train on"),
        (["tasks.1.tests=[]"], r"coast has no test"),
        (["tasks.1.tests.0.sets=[]"], r"the test coast has no sets"),
        (["tasks.1.steps=-1"], r"steps of the task coast is -1"),
        (["tasks.1.train.0.fold=half"], r"the task coast: fold is 'half'"),
        (["tasks.1.nme=x"], r"nme.*Did you mean: 'name'"),
        (["strategy=replya"], r"strategy has 'replya', expected .*'replay'"),
        (["strategy=[]"], r"strategy is \[\]"),
        (["strategy=lwf+lwf"], r"expected different names"),
        (["strategy=joint+lwf"], r"joint and lwf, which do not go together"),
        (["strategy=pod+naive"], r"naive and pod, which do not go together"),
        (["strategy=ewc", "train.loss.weighting=pcgrad"], r"pcgrad .* has no place for ewc's"),
        (["strategy=lwf", "train.distill.teacher=x.pt"], r"leave train\.distill\.teacher out"),
        (["memory.policy=rnig"], r"memory\.policy is 'rnig', expected one of .*ring"),
        (["memory.size=-1"], r"memory\.size is -1"),
        (["memory.share=1"], r"memory\.share is 1\.0, expected 0 to below 1"),
        (["strategy=replay", "memory.share=0.1"], r"of a batch of 4 is 0: expected at least one"),
        (["strategy=replay", "memory.share=0.9"], r"of a batch of 4 is 4: expected at least one"),
        (["strategy=joint", "train.stages.0.batch_size=1"], r"no part can be from memory"),
        (
            ["strategy=joint", "tasks.0.train.0.path=synthetic"],
            r"town trains on worlds without",
        ),
        (["train.stages=[]"], r"0 stages, expected one|stages is empty"),
        (["train.data.overfit=4"], r"train\.data is given"),
        (["train.out=x"], r"train\.out is given, and is the sequence's"),
        (["train.seed=4"], r"train\.seed is given"),
        (["train.network.tasks=[surround]"], r"surround is asked of rigs"),
        (["train.machine.devices=2"], r"a sequence is one process's"),
        (["test_batch=0"], r"test_batch is 0"),
    ],
)
def test_a_mistake_is_told(path, overrides, message):
    with pytest.raises(ConfigError, match=message):
        sequence(path, *overrides)


def test_two_stages_are_refused(path):
    stages = "train.stages=[{size: [64, 96], steps: 3}, {size: [64, 96], steps: 3}]"
    with pytest.raises(ConfigError, match="2 stages, expected one"):
        sequence(path, stages)


def test_a_share_that_nobody_draws_is_not_judged(path):
    assert sequence(path, "memory.share=0.1").memory.share == 0.1


def test_the_tables_know_what_the_config_names(path):
    assert set(POLICIES) == set(policies.POLICIES)
    added = [name for name, row in STRATEGIES.items() if row.made_by]
    for name in added:
        assert list(make_strategies(sequence(path, f"strategy={name}"))) == [name]
    assert not make_strategies(sequence(path))
    with pytest.raises(ConfigError, match="tasks is empty"):
        ContinualConfig()


def test_a_folder_may_be_named_on_the_command_line(tmp_path):
    path = write_sequence(tmp_path)
    one, other = (f"paths.{name}={tmp_path / name}" for name in ("town", "coast"))
    found = load_sequence(path, [one, other])
    assert found == sequence(path)
    assert found.tasks[1].train[0].path == f"{tmp_path}/coast/train"


def test_more_tasks_of_rendered_worlds_than_there_are_seeds_for_are_refused(tmp_path):
    tests = "tests: [{{name: t{0}, sets: [{{count: 1}}]}}]"
    one = "{{name: t{0}, train: [{{path: synthetic}}], " + tests + "}}"
    for count in (9, 10):
        config = tmp_path / f"{count}.yaml"
        config.write_text(f"tasks: [{', '.join(one.format(at) for at in range(count))}]\n")
        if count == 9:
            assert len(load_sequence(config, ["train.stages=[{steps: 1}]"]).tasks) == 9
        else:
            with pytest.raises(ConfigError, match="the task t9 trains on rendered worlds"):
                load_sequence(config, ["train.stages=[{steps: 1}]"])
