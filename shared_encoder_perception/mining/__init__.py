"""From a drive to the frames most worth labelling: the data loop closed."""
