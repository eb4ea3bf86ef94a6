# SPDX-License-Identifier: Apache-2.0
"""One run at a time writes a file or a folder of results, and never a half one."""

import os
import subprocess
import sys
from contextlib import nullcontext

import pytest
from patience import PATIENCE_S

from shared_encoder_perception.files.whole_file import (
    WRITING,
    BusyError,
    making_folder,
    replacing,
    sole_writer,
    write_json,
    write_text,
)

HOLD = """
import sys
from pathlib import Path
from shared_encoder_perception.files.whole_file import {name}
with {name}(Path(sys.argv[1])) as part:
    part and part.write_text("half")
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def held():
    """Another process that holds a path until it is told, or killed."""
    running = []

    def start(name, path):
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", HOLD.format(name=name), str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert running[-1].stdout.readline() == "held\n"
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_a_second_writer_of_a_folder_is_refused_and_may_come_afterwards(tmp_path, held):
    first = held("sole_writer", tmp_path / "out")
    with (
        pytest.raises(BusyError, match=f"being written by another run \\(process {first.pid}\\)"),
        sole_writer(tmp_path / "out"),
    ):
        pass
    first.communicate("\n", timeout=PATIENCE_S)
    with sole_writer(tmp_path / "out"):
        assert os.listdir(tmp_path / "out") == [WRITING]
        write_text(tmp_path / "out" / "result", "mine")
    assert os.listdir(tmp_path / "out") == ["result"]


def test_a_folder_that_stays_empty_is_not_left_behind(tmp_path):
    with sole_writer(tmp_path / "out"):
        pass
    assert not os.listdir(tmp_path)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").touch()
    with (
        pytest.raises(ValueError, match="out is a file, expected a folder"),
        sole_writer(tmp_path / "out"),
    ):
        pass


def test_a_folder_made_by_another_run_meanwhile_stays(tmp_path):
    with making_folder(tmp_path / "new") as part:
        (part / "file").touch()
        (tmp_path / "new").mkdir()
    assert os.listdir(tmp_path) == ["new"]
    assert not os.listdir(tmp_path / "new")


def test_a_killed_writer_holds_nothing(tmp_path, held):
    for name, path in (("sole_writer", tmp_path / "out"), ("replacing", tmp_path / "file")):
        process = held(name, path)
        process.kill()
        process.wait(PATIENCE_S)
    assert (tmp_path / "out" / WRITING).exists()
    assert (tmp_path / "file.part").read_text() == "half"
    with sole_writer(tmp_path / "out"):
        write_text(tmp_path / "file", "whole")
    assert sorted(os.listdir(tmp_path)) == ["file", "out"]
    assert (tmp_path / "file").read_text() == "whole"


def test_a_second_writer_of_a_file_is_refused_and_harms_nothing(tmp_path, held):
    path = tmp_path / "file"
    first = held("replacing", path)
    with pytest.raises(BusyError, match=r"file is being written by another run: wait"):
        write_text(path, "mine")
    first.communicate("\n", timeout=PATIENCE_S)
    assert path.read_text() == "half"
    assert os.listdir(tmp_path) == ["file"]


def test_an_error_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("earlier")
    with pytest.raises(IsADirectoryError), replacing(path) as part:
        part.write_text("half") and tmp_path.write_text("an error")
    assert path.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("planted", ["file", "file.part"])
def test_a_planted_link_is_not_written_through(tmp_path, planted):
    victim = tmp_path / "victim"
    victim.write_text("keep")
    (tmp_path / planted).symlink_to(victim)
    try:
        write_json(tmp_path / "file", {})
    except OSError:
        assert planted == "file.part"
    assert victim.read_text() == "keep"


@pytest.mark.parametrize("planted", ["file", "file.part", WRITING])
def test_a_planted_second_name_is_not_written_through(tmp_path, planted):
    victim = tmp_path / "victim"
    victim.write_text("keep")
    os.link(victim, tmp_path / planted)
    refused = pytest.raises(ValueError, match="is a link to another file")
    with nullcontext() if planted == "file" else refused, sole_writer(tmp_path):
        write_json(tmp_path / "file", {})
    assert victim.read_text() == "keep"


def test_a_pipe_in_the_way_is_named_and_hangs_nothing(tmp_path):
    os.mkfifo(tmp_path / "file.part")
    with pytest.raises(ValueError, match=r"file\.part is no file"):
        write_text(tmp_path / "file", "text")


@pytest.mark.parametrize("out", [".", "result", "deep/er"])
def test_results_within_a_folder_of_input_are_refused(tmp_path, out):
    with (
        pytest.raises(ValueError, match=r"inside of the input.*Choose a folder outside"),
        sole_writer(tmp_path / out, tmp_path),
    ):
        pass
    assert not os.listdir(tmp_path)


def test_a_link_into_the_input_is_seen_through(tmp_path):
    (tmp_path / "drive").mkdir()
    (tmp_path / "elsewhere").symlink_to(tmp_path / "drive")
    with (
        pytest.raises(ValueError, match="inside of the input"),
        sole_writer(tmp_path / "elsewhere" / "out", tmp_path / "drive"),
    ):
        pass
