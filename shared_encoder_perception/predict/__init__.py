"""``predict``: images, videos and bags without ROS, of one camera or a rig; what it writes."""
