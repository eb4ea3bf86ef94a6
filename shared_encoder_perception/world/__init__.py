"""The synthetic world: road geometry, paint, what stands around, and the dice."""
