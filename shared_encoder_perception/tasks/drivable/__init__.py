"""The task drivable_surface: where the vehicle may drive, a mask of the source image's size."""
