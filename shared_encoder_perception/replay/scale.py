# SPDX-License-Identifier: Apache-2.0
"""Many bags by Ray: one task per bag, on this machine or on a cluster.

Nothing is lost: a task tells what went wrong instead of raising it, a process that dies is noticed,
and either is tried again, going on where the bag's folder says. The folders hold all results, so
what is pooled of them is what one process would have counted.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from shared_encoder_perception.replay.folder import SUMMARY
from shared_encoder_perception.replay.scale_bags import FAILED, Job, Outcome, begun
from shared_encoder_perception.replay.scale_cluster import Plan, cluster, require_ray
from shared_encoder_perception.replay.scale_worker import ReplayBag, input_size, replay_one
from shared_encoder_perception.structures import Size

POLL_S: Final = 1.0
"""How often the driver wakes up while no task ends, so that Ctrl-C is heard."""


def check(args: argparse.Namespace) -> None:
    """Refuse what cannot be done, before the work.

    Raises:
        ValueError: With what to change.
    """
    for name, least in (("workers", 1), ("retries", 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise ValueError(f"--{name} is {value}, expected at least {least}")
    if args.live:
        raise ValueError("--live plays a bag on this machine: leave out --ray")
    if Path(args.ray).exists():
        raise ValueError(f"--ray is followed by {args.ray}, which is no address: name bags first")
    require_ray()


def replay_by_ray(
    jobs: Sequence[Job], replay: ReplayBag, args: argparse.Namespace
) -> tuple[list[Outcome], Size]:
    """Replay every bag in a task of its own.

    Args:
        jobs: The bags.
        replay: Replays one; a function of a module, which the workers import.
        args: As ``run.add_arguments`` declares them; checked.

    Returns:
        What became of each, in the order of ``jobs``, and the model's input size.

    Raises:
        ValueError: The model cannot be used, or the cluster lacks what a task needs.
        RuntimeError: There is no cluster, or a worker died before the first bag.
    """
    ray = require_ray()
    with cluster(ray, args) as plan:
        args = _for_workers(args, plan)
        print(
            f"ray       {plan.workers} workers of {plan.threads} threads each: the same results as "
            f"one process with --threads {plan.threads}"
        )
        needs = {
            "num_cpus": plan.cpus,
            "num_gpus": plan.gpus,
            "max_retries": 0,  # ours are reported, and go on where the bag's folder says
        }
        size = _try_model(ray, needs, args)
        task = ray.remote(replay_one).options(**needs)
        return _Dispatch(ray, task, plan.workers, replay, args).run(jobs), size


@dataclass(frozen=True)
class _Try:
    """A job that runs, or waits to.

    Attributes:
        job: The bag.
        number: Counted from 1.
        before: As of ``begun``, before the first try; ``None`` until then.
    """

    job: Job
    number: int = 1
    before: Any = None


class _Dispatch:
    """Hands bags to the workers until each is done, or has failed too often."""

    def __init__(
        self, ray: Any, task: Any, workers: int, replay: ReplayBag, args: argparse.Namespace
    ) -> None:
        """Begin; ``task`` is ``replay_one`` as Ray knows it."""
        self._ray, self._task, self._workers = ray, task, workers
        self._replay, self._args = replay, args
        self._running: dict[Any, _Try] = {}

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Return what became of each job, in their order."""
        # The longest first: the last ones to end are then short.
        order = sorted(jobs, key=lambda job: (-_bytes(job.bag), job.name))
        waiting, outcomes = deque(_Try(job) for job in order), {}
        with tqdm(total=len(jobs), desc="replaying", unit="bag") as bar:
            while waiting or self._running:
                while waiting and len(self._running) < self._workers:
                    self._start(waiting.popleft())
                for one, outcome in self._ended():
                    if outcome.error and one.number <= self._args.retries:
                        waiting.append(replace(one, number=one.number + 1))
                        _say(f"{one.job.name}: try {one.number} failed: {outcome.error}")
                        continue
                    outcomes[one.job] = replace(outcome, tries=one.number)
                    bar.update()
                    _report(outcomes[one.job])
        return [outcomes[job] for job in jobs]

    def _start(self, one: _Try) -> None:
        """Start a try; a later one goes on from what an earlier one left."""
        args, now = self._args, begun(one.job.out)
        if one.number == 1:
            one = replace(one, before=now)
        elif now != one.before:
            args = argparse.Namespace(**{**vars(args), "resume": True, "force": False})
        self._running[self._task.remote(one.job, self._replay, args)] = one

    def _ended(self) -> Iterator[tuple[_Try, Outcome]]:
        """Wait a while, and yield the tries that have ended."""
        done, _ = self._ray.wait(list(self._running), timeout=POLL_S)
        for ref in done:
            one = self._running.pop(ref)
            try:
                outcome: Outcome = self._ray.get(ref)
            except self._ray.exceptions.RayError as error:
                outcome = Outcome(one.job, FAILED, f"its process died: {_reason(error)}")
            if not outcome.error and not (one.job.out / SUMMARY).exists():
                lost = f"no results in {one.job.out}: all machines must see it under this path"
                outcome = Outcome(one.job, FAILED, lost)
            yield one, outcome


def _try_model(ray: Any, needs: Mapping[str, Any], args: argparse.Namespace) -> Size:
    """Return the model's input size, so that a mistake is told once and not for each bag.

    Raises:
        ValueError: The model cannot be used.
        RuntimeError: The worker died.
    """
    try:
        found = ray.get(ray.remote(input_size).options(**needs).remote(args))
    except ray.exceptions.RayError as error:
        raise RuntimeError(f"a worker cannot load the model: {_reason(error)}") from None
    if isinstance(found, str):
        raise ValueError(found)
    size: Size = found
    return size


def _for_workers(args: argparse.Namespace, plan: Plan) -> argparse.Namespace:
    """Return the options of one bag as workers need them: paths absolute, threads given."""
    changed: dict[str, Any] = {"bags": [], "ray": None, "threads": plan.threads}
    for name in ("model", "labels", "cache", "background"):
        value = getattr(args, name)
        if value is not None and Path(value).exists():
            changed[name] = type(value)(Path(value).absolute())
    return argparse.Namespace(**{**vars(args), **changed})


def _reason(error: Exception) -> str:
    """Return what Ray says of a task that told us nothing: at the end of a traceback, or first."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    name = type(error).__name__
    if not lines:
        return name
    if "Traceback" in str(error):
        return f"{name}: {lines[-1].strip()}"
    return f"{name}: {lines[0].strip().split('. ')[0]}"  # then come hints at logs of Ray's


def _bytes(bag: Path) -> int:
    """Return how large a bag is; 0 for one that is not there."""
    files = bag.rglob("*") if bag.is_dir() else [bag]
    return sum(path.stat().st_size for path in files if path.is_file())


def _report(outcome: Outcome) -> None:
    """Say what became of a bag."""
    again = f" (try {outcome.tries})" if outcome.tries > 1 else ""
    if outcome.error:
        _say(f"{outcome.job.name}: failed{again}: {outcome.error}")
    elif outcome.status or again:
        what = "something is wrong with it, see its summary" if outcome.status else "done"
        _say(f"{outcome.job.name}: {what}{again}")


def _say(text: str) -> None:
    """Print beside the progress bar."""
    tqdm.write(text, file=sys.stderr)
