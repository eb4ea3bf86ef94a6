"""What a task learns from pictures that nobody has labelled."""
