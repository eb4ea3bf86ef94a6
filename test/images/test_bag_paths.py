# SPDX-License-Identifier: Apache-2.0
"""Files that a bag's metadata name: in the bag's folder, and nowhere else."""

import numpy as np
import pytest
from replay_bags import drive, write_bag

from shared_encoder_perception.files.data_paths import LINKED
from shared_encoder_perception.images.bags import BagError
from shared_encoder_perception.images.sources import open_source


@pytest.fixture
def bags(tmp_path):
    """A bag whose file is to be elsewhere, and the other bag."""
    return [write_bag(tmp_path / name, drive(2)) for name in ("bag", "other")]


def rename(bag, before, after):
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace(before, after))


@pytest.mark.parametrize("name", ["../other/{}", "{}/../../other/{}", "/other/{}", "'..'", "'\\0'"])
def test_metadata_name_no_file_of_another_folder(bags, name):
    bag, other = bags
    (theirs,) = (path for path in other.iterdir() if path.name != "metadata.yaml")
    (ours,) = (path for path in bag.iterdir() if path.name != "metadata.yaml")
    ours.unlink()
    rename(bag, ours.name, name.replace("{}", theirs.name))
    with pytest.raises(BagError):
        list(open_source(bag))


def test_a_file_that_is_a_link_out_of_the_bag_is_not_followed(bags, tmp_path, monkeypatch):
    bag, _ = bags
    (ours,) = (path for path in bag.iterdir() if path.name != "metadata.yaml")
    ours.rename(tmp_path / ours.name)
    ours.symlink_to(tmp_path / ours.name)
    with pytest.raises(BagError, match="a link to"):
        list(open_source(bag))
    monkeypatch.setenv(LINKED, str(tmp_path))
    assert len(list(open_source(bag))) == 2


def test_the_folder_of_a_bag_may_be_a_link(bags, tmp_path):
    (tmp_path / "door").symlink_to(bags[0])
    frames = [frame.image for frame in open_source(tmp_path / "door")]
    assert np.shape(frames)[0] == 2
