"""Before any test module imports a message: rclpy then checks the type of every field we set."""

import os

os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"
