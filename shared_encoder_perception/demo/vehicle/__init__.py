"""The demo of a whole vehicle: every question that is answered, of one drive, by two nodes."""
