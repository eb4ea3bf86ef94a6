# SPDX-License-Identifier: Apache-2.0
"""What is told of a bag before its clouds are read."""

from painted_drive import MS, START, drive
from replay_bags import write_bag

from shared_encoder_perception.replay.bag_index import read_index


def test_the_index_keeps_only_news_and_is_asked_by_time(tmp_path):
    bag = write_bag(tmp_path / "bag", drive(skews_ms=(10,) * 5))
    index = read_index(bag, None, None, None, with_tf=True)
    assert len(index.infos) == 1 and index.tree and not index.problems
    assert index.cloud_ns == [START + number * 100 * MS for number in range(5)]
    assert index.nearest_images() == [0, 1, 2, 3, 4]
    assert index.infos.at(0) is index.infos.at(START * 2) is not None
