"""The model artifact: read, write, check, quantise, store, publish, build."""
