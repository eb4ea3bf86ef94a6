"""The network (torch): encoder, neck, heads, deploy wrapper. Never imports ROS."""
