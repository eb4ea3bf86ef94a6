# SPDX-License-Identifier: Apache-2.0
"""How often each task's own decoder runs."""

from collections import Counter

from shared_encoder_perception import tasks


def counted(monkeypatch):
    """Return the calls of the decoder of each task of single images, which still decodes."""
    counts = Counter()
    for task, room in tasks.parts("decode").items():
        call = room.Decoder.__call__

        def count(self, *given, task=task, call=call):
            counts[task] += 1
            return call(self, *given)

        monkeypatch.setattr(room.Decoder, "__call__", count)
    return counts
