# SPDX-License-Identifier: Apache-2.0
"""Several drives, each labelled on its own: one after the other, or in parallel by Ray.

A drive that was labelled before, of the same bag by the same options, is taken as it is; so a run
that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from shared_encoder_perception.adapt.label import Labelled, Options, label_drive
from shared_encoder_perception.adapt.trajectory import NothingToLearnError
from shared_encoder_perception.backends.options import load_engine
from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.files.whole_file import write_json
from shared_encoder_perception.images.bag_identity import bag_identity
from shared_encoder_perception.images.bags import BagError, bag_name, is_bag
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay.scale_cluster import cluster, require_ray

RECORD: Final = "drive.json"
ENGINE: Final = (
    *("model", "sha256", "backend", "device", "precision", "threads", "cache"),
    "allow_fallback",
)
"""Options that a predictor depends on."""


def bags_of(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the bags, by names that differ: those given, and those in folders given.

    Raises:
        BagError: There is no bag in a folder, or two have one name.
    """
    found: dict[str, Path] = {}
    for path in paths:
        inside = [path]
        if path.is_dir() and not is_bag(path):
            inside = sorted(child for child in path.iterdir() if is_bag(child))
            if not inside:
                raise BagError(f"{path} is no bag, and there is none in it")
        for bag in inside:
            name = bag_name(bag)
            if name in found:
                raise BagError(f"two bags are called {name}: {found[name]} and {bag}: rename one")
            found[name] = bag
    return found


def label_bags(
    bags: Mapping[str, Path],
    out: Path,
    predictor: Predictor,
    options: Options,
    args: argparse.Namespace,
) -> dict[str, Labelled]:
    """Label every drive into a folder of its name; those with nothing to learn from are left out.

    Args:
        bags: By name.
        out: Folder above.
        predictor: The model as it is, for this process; workers load their own.
        options: How.
        args: Of the engine, and ``ray`` and ``workers``.

    Raises:
        BagError, PathError: A bag cannot be used.
        NothingToLearnError: None has anything to learn from.
    """
    jobs = {name: (bag.absolute(), (out / name).absolute()) for name, bag in bags.items()}
    if args.ray:
        results = _by_ray(jobs, options, args)
    else:
        results = {name: _attempt(*job, predictor, options) for name, job in jobs.items()}
    found = {name: one for name, one in results.items() if isinstance(one, Labelled)}
    reasons = [one for one in results.values() if isinstance(one, str)]
    for reason in reasons if found else ():
        print(f"left out: {reason}")
    if not found:
        raise NothingToLearnError("; ".join(reasons) or "there is no bag")
    return found


def _attempt(bag: Path, out: Path, predictor: Predictor, options: Options) -> Labelled | str:
    """Label a drive, or say why there is nothing to learn from it."""
    conditions = {
        "bag": bag_identity(bag),
        "options": _plain(asdict(options)),
        "model": predictor.backend.info.sha256,
    }
    record = out / RECORD
    if record.is_file():
        before = parse_json(record.read_bytes(), str(record))
        if before.get("conditions") != conditions:
            raise ValueError(
                f"{out} holds a drive that was labelled otherwise, or by another model: choose "
                "another --work, or remove it"
            )
        return Labelled(**{**before["labelled"], "problems": tuple(before["labelled"]["problems"])})
    if out.exists():  # it was not finished
        shutil.rmtree(out)
    try:
        found = label_drive(bag, out, predictor, options)
    except NothingToLearnError as error:
        return str(error)
    write_json(record, {"conditions": conditions, "labelled": found.to_json()})
    return found


def _by_ray(
    jobs: Mapping[str, tuple[Path, Path]], options: Options, args: argparse.Namespace
) -> dict[str, Labelled | str]:
    """Label each drive in a task of its own.

    Raises:
        ValueError: A bag cannot be used.
        RuntimeError: There is no cluster, or a worker died.
    """
    ray = require_ray()
    with cluster(ray, args) as plan:
        engine = {name: getattr(args, name) for name in ENGINE} | {"threads": plan.threads}
        needs = {"num_cpus": plan.cpus, "num_gpus": plan.gpus}
        task = ray.remote(_in_worker).options(**needs)
        refs = {name: task.remote(*job, options, engine) for name, job in jobs.items()}
        try:
            return {name: ray.get(ref) for name, ref in refs.items()}
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, ValueError) else error) from None
        except ray.exceptions.RayError as error:
            raise RuntimeError(f"a worker that labelled a drive died: {error}") from None


def _in_worker(bag: Path, out: Path, options: Options, engine: Mapping[str, Any]) -> Labelled | str:
    """Label a drive (in a worker)."""
    return _attempt(bag, out, _predictor(*engine.values()), options)


@lru_cache(maxsize=1)
def _predictor(*engine: Any) -> Predictor:
    """Return the predictor of this worker process."""
    return Predictor(load_engine(argparse.Namespace(**dict(zip(ENGINE, engine, strict=True)))))


def _plain(value: Any) -> Any:
    """Return options as JSON takes them."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value
