"""Lanes followed from image to image: steadier lines, constant ids, short gaps bridged."""
