# SPDX-License-Identifier: Apache-2.0
"""The node's services: switch perception on and off, load the model again, forget the tracks."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any, Final

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

Action = Callable[[], str]
"""Does something and says what, in one line; raises whatever went wrong."""
RELOAD_THREAD: Final = "reload"


class Later:
    """A service that takes its time: answered by a thread of its own, one call at a time."""

    def __init__(self, node: Any, action: Action, busy: str, thread: str) -> None:
        """Keep what to do.

        Args:
            node: The node.
            action: Called in the thread.
            busy: What to answer while an earlier call is at work.
            thread: The thread's name.
        """
        self._node, self._action, self._busy, self._thread = node, action, busy, thread
        self._working = False

    async def answer(self, _: Any, response: Any) -> Any:
        """Answer when it is done; the executor serves others until then.

        For that, the service needs a callback group apart from the node's.
        """
        if self._working:
            response.success, response.message = False, self._busy
            return response
        self._working = True
        done = Future(executor=self._node.executor)
        done.add_done_callback(lambda _: None)  # so that the executor wakes up when it is done

        def work() -> None:
            done.set_result(_answer(response, self._action))

        try:
            Thread(target=work, name=self._thread, daemon=True).start()
            return await done
        finally:
            self._working = False


class Services:
    """``~/set_enabled``, ``~/reload_model`` and ``~/reset_tracker``."""

    def __init__(
        self,
        node: Any,
        set_enabled: Callable[[bool], str],
        reload_model: Action,
        reset_tracker: Action,
    ) -> None:
        """Offer the services on ``node``.

        Args:
            node: The node.
            set_enabled: Called in the executor's thread, as ``reset_tracker`` is.
            reload_model: Called in a thread of its own: an engine may take minutes to build, and
                diagnostics and parameters must go on meanwhile.
            reset_tracker: See above.
        """
        busy = "a model is being loaded already"
        self._reload = Later(node, reload_model, busy, RELOAD_THREAD)

        def enable(request: Any, response: Any) -> Any:
            return _answer(response, lambda: set_enabled(bool(request.data)))

        def reset(_: Any, response: Any) -> Any:
            return _answer(response, reset_tracker)

        create = node.create_service
        # In the node's own group, nothing else would be served until the model is loaded.
        apart = ReentrantCallbackGroup()
        self._services = [
            create(SetBool, "~/set_enabled", enable),
            create(Trigger, "~/reload_model", self._reload.answer, callback_group=apart),
            create(Trigger, "~/reset_tracker", reset),
        ]


def refuse_impossible_transitions(node: Any) -> None:
    """Answer no to transitions that a lifecycle node's state does not have.

    rclpy raises in the executor then: whoever asks twice for the same, as a manager may that has
    not heard of the end of a long load, would end the process.
    """
    service = node._service_change_state  # rclpy has no public getter
    change = service.callback

    def answer(request: Any, response: Any) -> Any:
        try:
            return change(request, response)
        except RuntimeError as error:
            state = node._state_machine.current_state[1]
            asked = request.transition.label or request.transition.id
            text = " ".join(str(error).split())
            node.get_logger().warning(f"no transition {asked} from the state {state}: {text}")
            response.success = False
            return response

    service.callback = answer


def _answer(response: Any, action: Action) -> Any:
    """Fill in the response with what came of ``action``."""
    try:
        response.message, response.success = action(), True
    except Exception as error:  # the caller has to hear of any
        text = " ".join(str(error).split())
        response.message = text or type(error).__name__
        response.success = False
    return response
