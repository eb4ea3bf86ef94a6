"""What the node says about itself on ``/diagnostics``, once a second."""

from __future__ import annotations

from typing import Any, Final

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from shared_encoder_perception.backends import BackendInfo
from shared_encoder_perception.spec import ModelSpec

TOPIC: Final = "/diagnostics"
PERIOD_S: Final = 1.0
DEPTH: Final = 10


class Diagnostics:
    """Publishes the state of the model, whatever the node's lifecycle state."""

    def __init__(self, node: Any) -> None:
        """Start to publish on ``node``."""
        self._node = node
        self._status = DiagnosticStatus()
        self._publisher = node.create_publisher(DiagnosticArray, TOPIC, DEPTH)
        self._timer = node.create_timer(PERIOD_S, self.publish)
        self.clear_model()

    def set_model(self, spec: ModelSpec, info: BackendInfo) -> None:
        """Tell from now on which model runs, on what."""
        level, message = DiagnosticStatus.OK, f"{info.name}, {info.device}, {info.precision}"
        if info.fallback:
            level, message = DiagnosticStatus.WARN, f"fall-back: {info.fallback}"
        values = {
            "model": f"{spec.name} {spec.version}",
            "sha256": info.sha256,
            "source": info.source,
            "backend": f"{info.name} {info.version}",
            "device": info.device,
            "precision": info.precision,
            "threads": str(info.threads),
            "chosen because": info.reason,
        }
        self._status = self._model_status(level, message, values)

    def clear_model(self, error: str = "") -> None:
        """Tell from now on that none runs, and why if that is an error."""
        level = DiagnosticStatus.ERROR if error else DiagnosticStatus.STALE
        self._status = self._model_status(level, error or "no model is loaded", {})

    def publish(self) -> None:
        """Publish once."""
        array = DiagnosticArray(status=[self._status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _model_status(self, level: bytes, message: str, values: dict[str, str]) -> DiagnosticStatus:
        """Build the model's status."""
        name = self._node.get_fully_qualified_name().lstrip("/")
        return DiagnosticStatus(
            level=level,
            name=f"{name}: model",
            message=message,
            hardware_id=name,
            values=[KeyValue(key=key, value=text) for key, text in values.items()],
        )
