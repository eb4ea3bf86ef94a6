"""The task lanes: five lane centre lines."""
