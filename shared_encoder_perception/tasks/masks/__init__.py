"""What tasks have in common whose answer is a mask: yes or no for each pixel."""
