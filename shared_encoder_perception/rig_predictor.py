# SPDX-License-Identifier: Apache-2.0
"""Several cameras of one vehicle -> what each sees, and one map of the ground around.

The pictures go through the network in one batch. A model of rigs is given the view table beside
them; other models' answers are put on the ground as their rooms say (``on_ground.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter
from typing import Any

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.tensors import Arrays
from shared_encoder_perception.backends import Backend
from shared_encoder_perception.images.variants import Variant
from shared_encoder_perception.predictor import STAGES, Predictor
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.pictures import Images, black, checked
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.rig.table import Sight, sight_key
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.contract.refining import Moment
from shared_encoder_perception.tasks.on_ground import AnswersOnGround
from shared_encoder_perception.tasks.options import HEIGHT, Options


@dataclass(frozen=True, eq=False)
class RigPerception:
    """Everything that one moment of a rig told us.

    Attributes:
        cameras: Of each camera that gave a picture, by its name, in the rig's order: answers of the
            tasks that were asked, and of those that the map is made of.
        task: Name of the task for rigs that is answered.
        surround: What is known of the ground: ``Answer`` of its room.
        stage_ms: Milliseconds of all of it, for each of ``predictor.STAGES``.
        missing: Names of the cameras that gave none.
    """

    cameras: Mapping[str, Perception]
    task: str
    surround: Any
    stage_ms: Mapping[str, float]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class RigView:
    """What depends on the calibration of a rig, and on the model: computed once for both.

    Attributes:
        rig: The cameras.
        sight: Where they see the voxels of a model that is asked of the rig.
        on_ground: What makes a map where the model is not.
    """

    rig: Rig
    sight: Sight | None
    on_ground: AnswersOnGround | None


class RigPredictor:
    """Perceives moments of a rig. The same object serves node, replay, evaluation and commands.

    Not safe for use by several threads at once, but for ``view_of``; ``options`` may be replaced
    between moments.

    Attributes:
        backend: The model.
        spec: Of the model.
        grid: The cells of the map.
    """

    def __init__(
        self,
        backend: Backend,
        rig: Rig,
        grid: BevGrid | None = None,
        options: Options | None = None,
        variants: Sequence[Variant] = (),
    ) -> None:
        """Wrap a loaded backend.

        Args:
            backend: The model.
            rig: The cameras.
            grid: Cells of the map, for models that have none of their own; by default
                ``BevGrid()``.
            options: Of each task's decoder; by default the thresholds of the model's spec.
            variants: As for ``Predictor``.

        Raises:
            ValueError: The model says nothing of the ground, has another grid, or compares
                pictures with others; or the rig sees nothing of the grid.
        """
        self.backend, self.spec = backend, backend.spec
        self._predictor = Predictor(backend, options, variants, of_rig=True)
        self._variants, self._of_fewer = variants, dict[frozenset[str], Predictor]()
        if self._predictor.companions:
            raise ValueError(
                f"the model {self.spec.title} compares pictures with others, which a rig does not "
                f"give ({', '.join(self._predictor.companions)}): take another model"
            )
        self._task: str | None = next(
            (name for name in self.spec.tasks if tasks.is_rig(name)), None
        )
        own: BevGrid | None = None
        if self._task is not None:
            block = self.spec.tasks[self._task]
            own, self._decode = block.grid, tasks.part(self._task, "decode").Decoder(block)
        if own is not None and grid not in (None, own):
            raise ValueError(
                f"the model {self.spec.title} has the grid {own}, and {grid} is asked for: leave "
                "it out, or export a model with it"
            )
        self.grid = own or grid or BevGrid()
        self._view = self.view_of(rig)
        self._refiners = _refiners(self.spec, rig)
        self._tables: tuple[RigView, frozenset[str], Arrays] | None = None

    @property
    def options(self) -> Options:
        """Of each task's decoder."""
        return self._predictor.options

    @options.setter
    def options(self, options: Options) -> None:
        self._predictor.options = options

    @property
    def task(self) -> str:
        """Name of the task for rigs that is answered, by the model or by answers on the ground."""
        return self._task or self._view.on_ground.task  # type: ignore[union-attr]

    @property
    def rig(self) -> Rig:
        """The cameras."""
        return self._view.rig

    def view_of(self, rig: Rig) -> RigView:
        """Compute what depends on a rig's calibration; for any thread, also beside ``predict``.

        Raises:
            ValueError: The rig sees nothing of the grid, or the model says nothing of the ground.
        """
        if self._task is None:
            return RigView(rig, None, AnswersOnGround(rig, self.grid, self.spec.tasks))
        last: RigView | None = getattr(self, "_view", None)
        size = self.spec.input_size
        sight = None if last is None else last.sight
        if sight is not None and sight.key == sight_key(rig, self.grid, size):
            return RigView(rig, sight, None)
        return RigView(rig, Sight.of(rig, self.grid, size), None)

    def set_rig(self, rig: Rig | RigView) -> None:
        """Go on with another calibration, or with other cameras.

        Args:
            rig: What ``view_of`` made of it takes no time.

        Raises:
            ValueError: See ``view_of``.
        """
        self._view = rig if isinstance(rig, RigView) else self.view_of(rig)
        self._refiners = _refiners(self.spec, self.rig)

    def warm_up(self) -> None:
        """Run once on black pictures, so that the first real moment is not the slow one.

        Raises:
            OutputError: See ``predict``.
        """
        self.predict({camera.name: black(camera) for camera in self.rig.cameras})

    def predict(self, images: Images, asked: Collection[str] | None = None) -> RigPerception:
        """Perceive one moment.

        A camera without a picture loses the cells that it alone sees, and nothing else.

        Args:
            images: By camera; those that are left out, or ``None``, are missing.
            asked: Tasks to decode for each camera, beside those that a map is made of; ``None`` for
                all of the model.

        Raises:
            ValueError: A picture of no camera of the rig, or of another size than its calibration
                is for, by the camera's name; or there is none at all. Or a task is asked that the
                model does not answer for cameras.
            OutputError: The engine does not give what the spec promises.
        """
        given = checked(images, self.rig)
        decoding = self._predictor if asked is None else self._answering(asked)
        missing = tuple(name for name in self.rig.names if name not in given)
        start = perf_counter()
        # A view table is for all cameras: one that is missing keeps its place, and has no weight.
        shown = [c for c in self.rig.cameras if c.name in given or self._view.sight is not None]
        pictures = [given[c.name] if c.name in given else black(c) for c in shown]
        prepared = self._predictor.prepare(pictures, [camera.crop for camera in shown])
        beside = self._beside(frozenset(given))
        ready = perf_counter()
        outputs = [self.backend.infer({**inputs, **beside}) for inputs in prepared.inputs]
        inferred = perf_counter()
        for said in outputs:
            self._predictor.check(said, len(pictures))
        found = decoding.decode(prepared, outputs)
        cameras = {
            camera.name: self._refined(camera, perception)
            for camera, perception in zip(shown, found, strict=True)
            if camera.name in given
        }
        surround = self._surround(cameras, outputs[0])
        times = (start, ready, inferred, perf_counter())
        stage_ms = {
            stage: (end - begin) * 1e3
            for stage, (begin, end) in zip(STAGES, pairwise(times), strict=True)
        }
        cameras = {name: replace(one, stage_ms=stage_ms) for name, one in cameras.items()}
        return RigPerception(cameras, self.task, surround, stage_ms, missing)

    def _answering(self, asked: Collection[str]) -> Predictor:
        """Return what decodes only the tasks that are asked, and those that a map is made of."""
        own = [name for name in self.spec.tasks if not tasks.is_rig(name)]
        if unknown := [name for name in asked if name not in own]:
            there = f"the model {self.spec.title} answers {', '.join(own) or 'nothing'} for one"
            raise ValueError(f"{unknown[0]!r} is asked for each camera, and {there}")
        kept = frozenset((*asked, *(() if self._task else tasks.parts("on_ground", own))))
        if kept not in self._of_fewer:
            blocks = {n: one for n, one in self.spec.tasks.items() if n in kept or n not in own}
            part = _Part(self.backend, replace(self.spec, tasks=blocks))
            self._of_fewer[kept] = Predictor(part, None, self._variants, of_rig=True)
        found = self._of_fewer[kept]
        found.options = self.options
        return found

    def _beside(self, live: frozenset[str]) -> Arrays:
        """Return what a model that is asked of the rig takes beside the pictures."""
        if self._task is None or self._view.sight is None:
            return {}
        last = self._tables
        if last is None or last[0] is not self._view or last[1] != live:
            block = self.spec.tasks[self._task]
            arrays = view_inputs(self._task, block, self._view.sight, live)
            self._tables = last = (self._view, live, arrays)
        return last[2]

    def _surround(self, cameras: Mapping[str, Perception], outputs: Arrays) -> Any:
        """Return the map of the ground."""
        view = self._view
        if view.on_ground is not None:
            return view.on_ground(cameras, self.options)
        assert view.sight is not None and self._task is not None
        promised = self.spec.tasks[self._task].outputs(self.spec.input_size)
        said = {name: outputs[name][0] for name in promised}
        return self._decode(said, view.sight.seen(cameras), self.options[self._task])

    def _refined(self, camera: RigCamera, perception: Perception) -> Perception:
        """Return what a camera saw with what its calibration adds."""
        moment = Moment(perception.image_size, 0.0, lens=camera.view.camera)
        refined = {
            name: refiner(perception.answers[name], moment)
            for name, refiner in self._refiners[camera.name].items()
            if name in perception.answers
        }
        return replace(perception, answers={**perception.answers, **refined})


def view_inputs(task: str, block: Any, sight: Sight, live: Collection[str] | None) -> Arrays:
    """Return a task's inputs beside the pictures: tables for all cameras, or those ``live``."""
    spec, table = tasks.part(task, "spec"), sight.table(block.stride, block.views, live)
    return {spec.INPUT_PLACE: table.place[None], spec.INPUT_WEIGHT: table.weight[None]}


class _Part:
    """A loaded model of which only some answers are asked: ``Backend``."""

    def __init__(self, backend: Backend, spec: ModelSpec) -> None:
        """Take what ``spec`` promises of it."""
        self.spec, self.info, self.infer = spec, backend.info, backend.infer
        self.close = lambda: backend.close()


def _refiners(spec: ModelSpec, rig: Rig) -> dict[str, dict[str, Any]]:
    """Return the refiners of the tasks whose answers need the lens, for each camera."""
    needed = {
        task: {parameter.name: parameter.default for parameter in content.PARAMETERS}
        for task, content in tasks.parts("content", spec.tasks).items()
        if getattr(content, "NEEDS_CAMERA", False) and not tasks.is_rig(task)
    }

    def refiner(task: str, camera: RigCamera) -> Any:
        height_m = max(float(camera.view.position[2]), 0.0)
        own, refine = {**needed[task], HEIGHT: height_m}, tasks.part(task, "refine")
        return refine.Refiner(refine.options(own.__getitem__))

    return {one.name: {task: refiner(task, one) for task in needed} for one in rig.cameras}
