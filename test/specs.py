# SPDX-License-Identifier: Apache-2.0
"""Model specs with some keys of their blocks set, as tests write them down."""

from dataclasses import fields, replace

from shared_encoder_perception.spec import ModelSpec, blocks
from shared_encoder_perception.tasks import DEFAULT


def spec_of(name, version, *, tasks=DEFAULT, **keys):
    """Return a spec; ``keys`` are its own, or of the block that has such a key."""
    found = blocks(*tasks)
    for task, block in found.items():
        own = {field.name for field in fields(block)} & set(keys)
        found[task] = replace(block, **{key: keys.pop(key) for key in own})
    return ModelSpec(name, version, tasks=found, **keys)
