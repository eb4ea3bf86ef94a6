"""What the images of a batch take from one another, and that labels still tell the truth."""

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.training.config import load_config
from shared_encoder_perception.training.losses import Batch
from shared_encoder_perception.training.mix import MixConfig, mix, with_light_of
from shared_encoder_perception.training.sample import MASK_DRIVABLE, MASK_IGNORE

COUNT, SIZE, PICTURE = 8, (40, 100), (24, 60)
ALWAYS = {
    "spectrum": MixConfig(spectrum=1.0),
    "surroundings": MixConfig(surroundings=1.0),
    "piece": MixConfig(piece=1.0),
}


def batch(picture=SIZE, known=0.0):
    """Image ``i`` is ``10 i`` where it is not drivable, ``10 i + 100`` where it is, 255 unknown."""
    generator = torch.Generator().manual_seed(3)
    kinds = torch.tensor([0, MASK_DRIVABLE, MASK_IGNORE])
    coarse = torch.randint(3, (COUNT, 5, 5), generator=generator)
    mask = kinds[coarse].repeat_interleave(SIZE[0] // 5, 1).repeat_interleave(SIZE[1] // 5, 2)
    number = 10 * torch.arange(COUNT).view(-1, 1, 1)
    value = torch.where(mask == MASK_IGNORE, 255, number + 100 * (mask == MASK_DRIVABLE))
    rows, columns = (
        torch.arange(length) * SIZE[axis] // length for axis, length in enumerate(picture)
    )
    images = value[:, rows][:, :, columns][..., None].expand(-1, -1, -1, 3)
    return Batch(
        images.to(torch.uint8).contiguous(),
        torch.zeros(COUNT, 5, 5, 5, 12),
        torch.zeros(COUNT, 5, 5, 12, dtype=torch.bool),
        torch.full((COUNT, 5), known),
        mask.to(torch.uint8),
        torch.where(mask == MASK_IGNORE, 0, 255).to(torch.uint8),
    )


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_nothing_is_taken_unless_asked():
    assert same(mix(batch(), MixConfig(), (0,)), batch())


@pytest.mark.parametrize("config", ALWAYS.values(), ids=ALWAYS)
def test_one_seed_gives_one_batch_and_the_given_one_stays(config):
    given = batch()
    mixed = mix(given, config, (5,))
    assert same(given, batch())
    assert not torch.equal(mixed.images, given.images)
    assert same(mixed, mix(given, config, (5,)))
    assert not same(mixed, mix(given, config, (6,)))


@pytest.mark.parametrize("config", ALWAYS.values(), ids=ALWAYS)
def test_one_image_has_nobody_to_take_from(config):
    alone = Batch(*(part[:1] for part in batch()))
    assert same(mix(alone, config, (0,)), alone)


@pytest.mark.parametrize("name", ["spectrum", "surroundings"])
def test_light_and_surroundings_leave_labels_alone(name):
    mixed = mix(batch(known=1.0), ALWAYS[name], (0,))
    assert same(mixed[1:], batch(known=1.0)[1:])


@pytest.mark.parametrize("picture", [SIZE, PICTURE], ids=["same size", "coarser pictures"])
def test_surroundings_change_only_what_is_not_drivable_in_both(picture):
    given = batch(picture)
    mixed = mix(given, ALWAYS["surroundings"], (0,))
    changed = (mixed.images != given.images).any(dim=3)
    assert changed.any()
    assert (given.images[changed] < 100).all()
    assert (mixed.images[changed] < 100).all()


def test_a_piece_brings_its_labels():
    given = batch()
    mixed = mix(given, ALWAYS["piece"], (0,))
    value, drivable = mixed.images[..., 0], mixed.mask == MASK_DRIVABLE
    unknown = mixed.mask == MASK_IGNORE
    assert not torch.equal(mixed.mask, given.mask)
    assert torch.equal(value == 255, unknown)
    assert torch.equal((value >= 100) & ~unknown, drivable)
    assert torch.equal(mixed.mask_weight == 0, unknown)


def test_a_piece_of_a_coarser_picture_brings_its_labels():
    mixed = mix(batch(PICTURE), ALWAYS["piece"], (0,))
    rows, columns = (torch.arange(n) * SIZE[axis] // n for axis, n in enumerate(PICTURE))
    mask = mixed.mask[:, rows][:, :, columns]
    wrong = (mixed.images[..., 0] == 255) != (mask == MASK_IGNORE)
    assert wrong.float().mean() < 0.05  # a pixel of the picture is 1.7 of the mask: edges round


def test_pictures_with_labelled_lanes_get_no_piece():
    given = batch(known=0.0)._replace(known=torch.eye(COUNT, 5))
    mixed = mix(given, ALWAYS["piece"], (0,))
    changed = (mixed.images != given.images).flatten(1).any(dim=1)
    assert not changed[:5].any()
    assert changed[5:].any()


def test_the_share_is_what_is_asked():
    config, given = MixConfig(piece=0.5), batch()
    changed = [
        (mix(given, config, (seed,)).images != given.images).flatten(1).any(dim=1)
        for seed in range(100)
    ]
    # One in eight would take from itself, and is left alone.
    assert torch.stack(changed).float().mean() == pytest.approx(0.5 * 7 / 8, abs=0.06)


def test_the_light_of_oneself_changes_nothing():
    images = torch.randint(256, (2, 24, 60, 3), generator=torch.Generator().manual_seed(0))
    images = images.to(torch.uint8)
    assert torch.equal(with_light_of(images, images, 0.1), images)


def test_the_lowest_frequency_is_the_mean_colour():
    generator = torch.Generator().manual_seed(0)
    dark = torch.randint(40, 60, (1, 24, 60, 3), generator=generator).to(torch.uint8)
    bright = torch.tensor([150, 180, 210], dtype=torch.uint8).expand(1, 24, 60, 3)
    lit = with_light_of(dark, bright, 0.0).float()
    assert lit.mean(dim=(1, 2)).tolist()[0] == pytest.approx([150, 180, 210], abs=0.5)
    contrast = (dark.float() - dark.float().mean(dim=(1, 2), keepdim=True)).abs().max()
    assert (lit - lit.mean(dim=(1, 2), keepdim=True)).abs().max() == pytest.approx(
        float(contrast), abs=1.0
    )


def test_the_config_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match=r"mix\.piece is 2\.0, expected 0 to 1"):
        load_config(None, ["mix.piece=2.0"])
