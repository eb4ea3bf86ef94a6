# SPDX-License-Identifier: Apache-2.0
"""Declares the table of ``parameters`` on a node, and holds the user to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)

from shared_encoder_perception.node.given_parameters import warn_of_unknown
from shared_encoder_perception.node.parameters import all_parameters
from shared_encoder_perception.tasks.parameter import Parameter


def declare_parameters(node: Any, table: Mapping[str, Parameter] | None = None) -> None:
    """Declare every parameter with its description, range and read-only flag.

    Values that the table does not allow are refused from now on, those given at start included.
    What was given at start and is not in the table is named in the log.

    Args:
        node: The node.
        table: The parameters by their names; by default ``all_parameters``.

    Raises:
        ParameterException: A parameter was given a value or type that it does not allow.
    """
    table = all_parameters() if table is None else table

    def check(changes: Sequence[Any]) -> SetParametersResult:
        """Refuse a set of changes in which one value is not allowed."""
        for change in changes:
            parameter = table.get(change.name)
            if parameter is not None and (problem := parameter.problem(change.value)):
                return SetParametersResult(successful=False, reason=problem)
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)
    for parameter in table.values():
        default = parameter.default
        value = list(default) if isinstance(default, tuple) else default
        node.declare_parameter(parameter.name, value, _descriptor(parameter))
    warn_of_unknown(node)


def check_together(
    node: Any, changes: Sequence[Any], read: Callable[[Callable[[str], Any]], Any]
) -> SetParametersResult:
    """Refuse a set of changes that, with the values of all others, contradict each other.

    Args:
        node: The node, with every parameter declared.
        changes: The parameters to be set.
        read: Builds options from values by name; raises ``ValueError`` for what cannot be.
    """
    changed = {change.name: change.value for change in changes}

    def value(name: str) -> Any:
        return changed[name] if name in changed else node.get_parameter(name).value

    try:
        read(value)
    except ValueError as error:
        return SetParametersResult(successful=False, reason=str(error))
    return SetParametersResult(successful=True)


def _descriptor(parameter: Parameter) -> ParameterDescriptor:
    """Describe one parameter for tools such as rqt and ``ros2 param describe``."""
    descriptor = ParameterDescriptor(
        description=parameter.description,
        additional_constraints=parameter.expected,
        read_only=parameter.read_only,
    )
    if parameter.bounds is None:
        return descriptor
    # ROS knows one range only: the special value widens it, and the node refuses the gap.
    special = () if parameter.special is None else (parameter.special[0],)
    low, high = min(*parameter.bounds, *special), max(*parameter.bounds, *special)
    if isinstance(parameter.default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    else:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    return descriptor
