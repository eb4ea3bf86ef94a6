# SPDX-License-Identifier: Apache-2.0
"""The steps of ``docs/tour.md``, as data; ``tour.py`` runs them.

Each builds on files of those before it, all below ``tour/``, so their order counts.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Step(NamedTuple):
    """A command line.

    Attributes:
        text: What it is for, a sentence.
        run: The line, as a reader types it in bash.
        status: The exit status that it must end with.
        last_of_stderr: How many of the last lines of its standard error belong on the page.
    """

    text: str
    run: str
    status: int = 0
    last_of_stderr: int = 0


class Chapter(NamedTuple):
    """Some steps under a heading."""

    title: str
    steps: tuple[Step, ...]


INTRODUCTION: Final = """Every command of the package with what it really prints, on small rendered
roads that the tour makes itself, in an order in which a newcomer may try them. Type the lines in
the repository's folder, in the environment that `make test` made (`source .venv/bin/activate`):
everything is written below `tour/`, and all of it takes some three minutes on two cores. Sets,
drives and trainings are as small as can be: **the scores are of no use**; [results](results.md)
has those that are. What a command does beyond its line here, its `--help` tells."""

S: Final = "python -m shared_encoder_perception"

PICTURES: Final = (
    Step("Which release is this?", f"{S} --version"),
    Step(
        "Eight rendered roads with exact labels; most of the tour sees them again.",
        f"{S} dataset render --count 8 --out tour/roads",
    ),
    Step(
        "Is the set whole? Every fault would be told with file and line.",
        f"{S} dataset validate tour/roads",
    ),
    Step(
        "A mistake costs one line on standard error, and exit status 2.",
        f"{S} dataset view tour/raods --out tour/roads.png",
        status=2,
        last_of_stderr=1,
    ),
)

PERCEIVE: Final = (
    Step(
        "What the shipped model says of pictures, without ROS: lines of JSON, masks, and pictures "
        "to look at.",
        f"{S} predict --input tour/roads/frames.jsonl --out tour/seen --overlay --sheet",
    ),
    Step(
        "The same through a real ROS 2 node: player, node and recorder, then a video of lanes and "
        "drivable surface; `--tasks` shows others. Without options it drives through rendered "
        "worlds, and shows all of them.",
        f"{S} demo --images tour/roads/images --rate 4 --out tour/demo",
    ),
    Step(
        "A drive as a rosbag2, rendered: a gravel road, which the model has not learned, with the "
        "camera's calibration and odometry.",
        f"{S}.adapt.rendered_drive tour --seed 102 --metres 120 --later 4",
    ),
    Step(
        "Every image of a bag in this process: results, a bag with the node's topics, a video and "
        "a report.",
        f"{S} replay tour/drive --out tour/replayed",
    ),
    Step(
        "A lidar beside the camera, made of the rendered depth: folders as of KITTI.",
        "python docs/tour_lidar.py tour/roads tour/kitti",
    ),
    Step(
        "Its points get the class of the pixel that shows them, as `.ply` and as pictures.",
        f"{S} paint --kitti tour/kitti --out tour/painted",
    ),
)

JUDGE: Final = (
    Step(
        "Score the model on labels, beside two baselines that do not look at the image.",
        f"{S} evaluate --labels tour/roads --out tour/scores",
    ),
    Step(
        "Hold one model against another: what changed, and may it? The second answers fewer "
        "questions, which breaks limits: exit status 1.",
        f"{S} diff shipped:default shipped:lanes --input tour/roads --out tour/diff",
        status=1,
    ),
    Step(
        "Do engines say the same of the same images?",
        f"{S} compare --input tour/roads --images 2 --engine onnxruntime openvino:fp32",
    ),
)

MEASURE: Final = (
    Step(
        "What an image costs here, stage by stage; without `--no-node` the node is measured, too.",
        f"{S} benchmark --engine onnxruntime --images 8 --no-node --cache tour/cache",
    ),
    Step(
        "The node under steady load, here for seconds instead of hours, with its limits widened "
        "for a busy machine.",
        f"{S} soak --seconds 6 --rate 5 --images tour/roads/images \\\n"
        "  --max-overhead-ms inf --max-overhead-p99-ms inf --max-memory-percent inf "
        "--max-late-percent inf",
    ),
)

SETS: Final = (
    Step(
        "How many labels of what.",
        f"{S} dataset stats tour/roads --out tour/stats.png",
    ),
    Step(
        "Look at pictures with their labels.",
        f"{S} dataset view tour/roads --count 4 --out tour/roads.png",
    ),
    Step(
        "Other places and weathers.",
        f"{S} dataset render --count 6 --places town --weathers night rain --out tour/towns",
    ),
    Step(
        "One set of several; pictures with equal bytes are one picture.",
        f"{S} dataset merge tour/roads tour/towns --out tour/all",
    ),
    Step(
        "A part to train on and one to test on, whole stretches apart.",
        f"{S} dataset split tour/all --hold-out 0.25 --gap 1 --out tour/parts",
    ),
    Step(
        "Labels out to an annotation tool.",
        f"{S} dataset export cvat tour/roads --out tour/to_correct",
    ),
    Step(
        "And back, as people corrected them: what they changed is told, here nothing.",
        f"{S} dataset convert cvat tour/to_correct --original tour/roads --out tour/corrected",
    ),
    Step(
        "Let the model label pictures, where it is sure.",
        f"{S} dataset label tour/towns/images --out tour/labelled",
    ),
    Step(
        "The frames of a drive most worth labelling, with the model's answers to begin with.",
        f"{S} mine tour/drive --count 4 --gap 3 --out tour/mined",
    ),
    Step(
        "Pairs for foreground: pictures with somebody in them, and of the empty place.",
        f"{S} dataset render --count 6 --traffic 1 --tasks foreground --out tour/pairs",
    ),
    Step(
        "Cut out what is new in them.",
        f"{S} dataset cut tour/pairs --out tour/things",
    ),
    Step(
        "Put the cut-outs into other pictures: an index, of which each pair is made when needed.",
        f"{S} dataset compose --backgrounds tour/towns/images --foregrounds tour/things \\\n"
        "  --places 2 --held-out 0 --out tour/composed --sheet tour/composed.png",
    ),
)

RIGS: Final = (
    Step(
        "Four calibrated cameras of one vehicle, with the ground around it.",
        f"{S} dataset render --rig four --count 4 --out tour/rigs",
    ),
    Step(
        "Do the cameras agree on the ground? Look at the picture first.",
        f"{S} rig check --input tour/rigs/rigs.jsonl --out tour/check.png",
    ),
    Step(
        "How well that check finds mistakes in such a rig, by making the usual ones.",
        f"{S} rig trials --worlds 1 --moments 4 --seed 1000000400",
    ),
    Step(
        "One map of the ground around, by a model that sees all cameras together.",
        f"{S} predict --input tour/rigs/rigs.jsonl --model shipped:surround --out tour/around "
        "--overlay",
    ),
)

TRAIN: Final = (
    Step(
        "What training will see: rendered worlds, or with `--config` a config's samples.",
        f"{S} sheet --count 4 --out tour/sheet.png",
    ),
    Step(
        "Which network? Size, work and latency of some, before any is trained.",
        f"{S} models --encoder mobilenetv4_conv_small --architecture light_fpn unet \\\n"
        "  --size 96 256 --rounds 3 --threads 1",
    ),
    Step(
        "How fast does a config train here, and what is the time spent on?",
        f"{S} throughput config/training/smoke.yaml --steps 4 machine.workers=1 \\\n"
        "  'data.train=[{path: tour/roads}]' 'stages=[{size: [96, 256], batch_size: 4}]'",
    ),
    Step(
        "A new question for a trained network: the shipped one for lanes learns classes, by a head "
        "of their own, here for eight steps.",
        f"{S} train config/training/semantic_head.yaml init=shipped:lanes out=tour/run \\\n"
        "  'data.train=[{path: tour/roads}]' 'data.val=[{path: tour/roads}]' machine.workers=0 \\\n"
        "  'stages=[{size: [160, 416], steps: 8, learning_rate: 3.0e-3, batch_size: 4}]'",
    ),
    Step(
        "The trained network as an artifact, compared with torch before it is kept; lanes and "
        "drivable surface keep their calibration.",
        f"{S} export tour/run --size 160 416 --worlds 24 --keep-calibration shipped:lanes \\\n"
        "  --name mine --out tour/mine.onnx",
    ),
    Step(
        "Fit its confidence again, with other data; the weights stay as they are.",
        f"{S} calibrate tour/mine.onnx --version 0.1.1 --worlds 24 --out tour/mine_again.onnx",
    ),
    Step(
        "Measure it and fill in the marked table of its card.",
        "python -c \"print('<!-- scores:begin --> <!-- scores:end -->')\" > tour/mine.md \\\n"
        f"  && {S} card tour/mine.md --model tour/mine.onnx --worlds 6",
    ),
)

GO_ON: Final = (
    Step(
        "Learn two places one after the other, and measure what is forgotten of the first.",
        f"{S} continual config/training/continual_smoke.yaml out=tour/sequence",
    ),
    Step(
        "The same with every value of a sweep, on one page.",
        f"{S} continual config/training/continual_smoke.yaml out=tour/sweep \\\n"
        "  --sweep strategy=naive,replay",
    ),
    Step(
        "Learn from where a vehicle drove; what forgets, or gains nothing, is not kept.",
        f"{S} adapt --bag tour/drive --guard tour/roads --memory tour/towns \\\n"
        "  --steps 24 --batch 4 --images 24 --loaders 0 --out tour/adapted.onnx",
    ),
)

FILES: Final = (
    Step(
        "Int8, with ranges measured on pictures of yours.",
        f"{S} quantize --images tour/roads/frames.jsonl --count 8 --out tour/int8.onnx",
    ),
    Step(
        "Build an engine before the vehicle needs it.",
        f"{S} build --backend openvino --cache tour/engines",
    ),
    Step(
        "Put a model with its card and checksum into a store, here a folder.",
        f"{S} publish tour/mine.onnx file://${{PWD}}/tour/",
    ),
)

TOUR: Final = (
    Chapter("Something to look at", PICTURES),
    Chapter("Perceive", PERCEIVE),
    Chapter("Judge", JUDGE),
    Chapter("Measure", MEASURE),
    Chapter("Data sets", SETS),
    Chapter("Several cameras", RIGS),
    Chapter("Train and export", TRAIN),
    Chapter("Place after place", GO_ON),
    Chapter("Model files", FILES),
)
