# SPDX-License-Identifier: Apache-2.0
"""What decoders are told, by the node's parameters."""

from shared_encoder_perception import tasks


def decoder_options(spec, **values):
    """Return the options of each task; ``values`` by parameter, ``__`` for its dot."""
    found = {}
    for name, content in tasks.parts("content", spec.tasks).items():
        known = {parameter.name: parameter.default for parameter in content.PARAMETERS}
        known |= {name.replace("__", "."): value for name, value in values.items()}
        found[name] = content.options(known.__getitem__, spec.tasks[name])
    return found
