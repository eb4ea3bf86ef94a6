# SPDX-License-Identifier: Apache-2.0
"""Runs beside one another: grouped by what was done, over seeds, with what it cost."""

from dataclasses import replace

import pytest

pytest.importorskip("jinja2", reason="the report's page needs jinja2")
pytest.importorskip("matplotlib", reason="the report's charts need matplotlib")

from learned_runs import matrix_of, sequence
from report_page import Page

from shared_encoder_perception.continual.intervals import Interval, interval, paired
from shared_encoder_perception.continual.matrix import write_matrix
from shared_encoder_perception.continual.measures import measure, square
from shared_encoder_perception.continual.report_comparison import (
    forgotten_share,
    interval_text,
    terminal_table,
    write_comparison,
)
from shared_encoder_perception.continual.report_groups import grouped

KEPT = {"replay": 0.93, "joint": 1.0, "naive": 0.7, "replay+lwf": 0.95}


def write_run(folder, matrix, config=""):
    folder.mkdir(parents=True)
    write_matrix(matrix, folder)
    if config:
        (folder / "config.yaml").write_text(config)
    return folder


@pytest.fixture
def sweep(tmp_path):
    for strategy, kept in KEPT.items():
        for seed in range(3):
            matrix = sequence(strategy, seed, kept, cost=1.1 if "lwf" in strategy else 1.0)
            write_run(tmp_path / "sweep" / f"strategy={strategy},seed={seed}", matrix)
    return tmp_path / "sweep"


def test_the_page_is_one_file_with_means_and_intervals(sweep, tmp_path):
    page = Page(write_comparison([sweep], tmp_path / "pages" / "page.html"))
    assert page.external() == [] and "script" not in page.tags
    forgotten = {
        strategy: {
            seed: measure(square(sequence(strategy, seed, kept), "miou")).forgetting
            for seed in range(3)
        }
        for strategy, kept in KEPT.items()
    }
    for values in forgotten.values():
        assert interval_text(interval(values.values())) in page.text
    less = paired(forgotten["replay"], forgotten["naive"])
    assert less.excludes_zero and less.mean < -0.15
    assert f"{interval_text(less)} *" in page.text
    assert "Only one seed" not in page.text


def test_a_sweeps_folder_is_its_runs(sweep, tmp_path):
    whole = write_comparison([sweep], tmp_path / "a.html").read_bytes()
    runs = sorted(sweep.iterdir())
    assert write_comparison(runs, tmp_path / "b.html").read_bytes() == whole
    assert write_comparison([*runs, sweep], tmp_path / "c.html").read_bytes() == whole


def test_naive_comes_first_and_joint_is_the_ceiling_of_its_seed_and_comes_last(sweep):
    compared = grouped([sweep])
    labels = [group.label for group in compared.groups]
    assert labels == ["naive", "replay+lwf", "replay", "joint"]
    assert compared.naive is compared.groups[0]
    for seed, found in compared.measures(compared.groups[-1], "miou").items():
        assert found.intransigence == 0, seed
    for seed, found in compared.measures(compared.naive, "miou").items():
        rows, ceiling = (
            square(sequence(name, seed, KEPT[name]), "miou") for name in ("naive", "joint")
        )
        assert found.intransigence == measure(rows, ceiling).intransigence


def test_settings_tell_groups_apart_where_runs_differ_in_them(tmp_path):
    for size in (16, 64):
        for seed in range(2):
            config = f"memory: {{size: {size}, policy: ring}}\nlwf: {{weight: 2}}\nseed: {seed}\n"
            write_run(tmp_path / f"{size}_{seed}", sequence("replay", seed, 0.9), config)
    compared = grouped([tmp_path])
    assert [group.label for group in compared.groups] == [
        "replay, memory.size=16",
        "replay, memory.size=64",
    ]
    assert all(set(group.runs) == {0, 1} for group in compared.groups)
    assert compared.groups[0].runs[0].used == {"memory.size": "16", "memory.policy": "ring"}


def test_of_one_seed_there_is_no_interval_and_the_page_says_so(tmp_path):
    for strategy in ("naive", "replay"):
        write_run(tmp_path / strategy, sequence(strategy, 0, KEPT[strategy]))
    page = Page(write_comparison([tmp_path], tmp_path / "page.html"))
    assert "Only one seed of naive, replay" in page.text and "±" not in page.text
    assert " *" not in page.text.replace("* marks", "")


def test_speed_is_told_beside_naives_seed_by_seed(tmp_path):
    for strategy, cost in (("naive", 1.0), ("replay", 1.25)):
        for seed in range(2):
            numbers = (20.0 * (1 + seed) / cost,) * 3  # another machine's load for each seed
            matrix = replace(sequence(strategy, seed, 0.9), images_per_second=numbers)
            write_run(tmp_path / f"{strategy}{seed}", matrix)
    page = Page(write_comparison([tmp_path], tmp_path / "page.html"))
    assert "0.80 ± 0.00" in page.text and "1.00 ± 0.00" in page.text


def test_times_of_several_machines_are_not_compared_without_a_word(tmp_path):
    for seed, machine in enumerate(("2 cores", "a GPU")):
        matrix = replace(sequence("naive", seed, 0.7), machine=machine)
        write_run(tmp_path / str(seed), matrix)
    page = Page(write_comparison([tmp_path], tmp_path / "page.html"))
    assert "The runs are of 2 machines" in page.text


def test_a_run_that_has_not_come_to_its_end_is_left_out_and_named(tmp_path):
    write_run(tmp_path / "done", sequence("naive", 0, 0.7))
    write_run(tmp_path / "half", matrix_of([[0.1] * 3, [0.8] * 3], seed=1))
    page = Page(write_comparison([tmp_path], tmp_path / "page.html"))
    assert f"{tmp_path / 'half'} has not learned all its tasks" in page.text
    with pytest.raises(ValueError, match="nothing to compare"):
        grouped([tmp_path / "half"])


def test_runs_of_other_sequences_and_of_one_seed_twice_are_refused(tmp_path):
    one = sequence("naive", 0, 0.7)
    write_run(tmp_path / "a", one)
    write_run(tmp_path / "b", replace(one, digest="e" * 64, seed=1))
    with pytest.raises(ValueError, match=r"a and .*b are runs of different sequences"):
        write_comparison([tmp_path], tmp_path / "page.html")
    write_matrix(one, tmp_path / "b")
    with pytest.raises(ValueError, match="are both naive with the seed 0: leave one out"):
        write_comparison([tmp_path], tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("config", ["memory: [", "- 1", "\xff"])
def test_a_broken_config_is_named(tmp_path, config):
    write_run(tmp_path / "a", sequence("naive", 0, 0.7))
    (tmp_path / "a" / "config.yaml").write_bytes(config.encode("latin-1"))
    with pytest.raises(ValueError, match=r"config\.yaml"):
        grouped([tmp_path])


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected the folder of a run"):
        grouped([tmp_path])


def test_the_terminal_shows_a_line_for_each_strategy(sweep):
    lines = terminal_table(grouped([sweep])).splitlines()
    names = ["naive", "replay+lwf", "replay", "joint"]
    assert [line.split()[0] for line in lines] == ["miou", *names]
    assert len({len(line) for line in lines}) == 1


def test_what_is_forgotten_is_told_as_a_share_of_what_naive_forgets(sweep):
    compared = grouped([sweep])
    shares = {one.label: forgotten_share(compared, one, "miou") for one in compared.groups}
    assert (shares["naive"].mean, shares["naive"].half) == (1.0, 0.0)
    first, other = (
        [measure(square(sequence(strategy, seed, KEPT[strategy]), "miou")).forgetting
         for seed in range(3)]
        for strategy in ("replay", "naive")
    )  # fmt: skip
    ratios = [one / naive for one, naive in zip(first, other, strict=True)]
    assert shares["replay"] == interval(ratios)
    assert f"{interval_text(shares['replay'], 2):>20}" in terminal_table(compared)
    alone = grouped([one for one in sweep.iterdir() if "naive" not in one.name])
    assert forgotten_share(alone, alone.groups[0], "miou").count == 0


def test_an_interval_is_written_as_far_as_it_is_known():
    nan = float("nan")
    assert interval_text(Interval(0.5, 0.0125, 3), 2) == "0.50 ± 0.01"
    assert interval_text(Interval(-0.0001, nan, 1)) == "0.000"
    assert interval_text(Interval(nan, nan, 0)) == "\N{EN DASH}"
