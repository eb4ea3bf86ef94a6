"""From lane lines in the image to lane lines on the road, in the vehicle's frame."""
